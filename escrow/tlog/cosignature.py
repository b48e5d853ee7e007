"""C2SP cosignature/v1: a witness states when a checkpoint was the largest consistent one that it knew.

The Ed25519 form (type 0x04). It does not bind the name of the witness, so a key serves one witness and nothing else.
"""

from escrow.crypto.sign import SigningKey
from escrow.crypto.sign import verify as verify_signature
from escrow.encoding import number, u64
from escrow.errors import Reason, RefusedError
from escrow.tlog.note import Note, Signature, parse_lines
from escrow.tlog.vkey import KeyType, VerifierKey


def sign(note_text: bytes, name: str, key: SigningKey, time_s: int) -> bytes:
    """The signature line, newline included, of witness ``name`` over a note's text, ``time_s`` in POSIX seconds."""
    identity = VerifierKey.of(name, key.public, KeyType.COSIGNATURE)
    return Signature(name, identity.key_id, u64(time_s) + key.sign(_message(note_text, time_s))).line()


def verify(note_text: bytes, blob: bytes, witness: VerifierKey) -> int:
    """The time, in POSIX seconds, that the witness states; ``RefusedError(SIGNATURE_INVALID)``."""
    if witness.type is not KeyType.COSIGNATURE:
        raise AssertionError("a witness signs with a cosignature key")
    time_s = number(blob[:8])
    if len(blob) != 72 or time_s >> 63:
        raise RefusedError(Reason.SIGNATURE_INVALID, "a cosignature is a time and an Ed25519 signature")
    verify_signature(witness.public, _message(note_text, time_s), blob[8:])
    return time_s


def time_of(note: Note, witness: VerifierKey) -> int | None:
    """When the witness last cosigned this note, or ``None``; one wrong cosignature of its key spoils the note."""
    times = [verify(note.text, blob, witness) for blob in note.by(witness)]
    return max(times, default=None)


def attach(note: bytes, lines: bytes, witness: VerifierKey) -> bytes:
    """The note with the signature lines that ``witness`` answered, in place of its earlier ones.

    Lines of other keys in the answer are dropped. Raises ``MalformedError``, and ``RefusedError(SIGNATURE_INVALID)``
    if the answer holds no good cosignature of the witness.
    """
    before = Note.parse(note)
    theirs = tuple(line for line in parse_lines(lines) if line.claims(witness))
    if time_of(Note(before.text, theirs), witness) is None:
        raise RefusedError(Reason.SIGNATURE_INVALID, "the answer holds no cosignature of this witness")
    others = tuple(line for line in before.signatures if not line.claims(witness))
    return Note(before.text, others + theirs).encode()


def _message(note_text: bytes, time_s: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (time_s, note_text)
