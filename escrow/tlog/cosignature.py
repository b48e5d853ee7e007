"""C2SP cosignatures: a witness states when a checkpoint was the largest consistent one that it knew.

Two kinds. The Ed25519 one (type 0x04) does not bind the name of the witness, so a key serves one witness and nothing
else. The ML-DSA-44 one (type 0x06) does, and is what a log may sign its own checkpoints with as well; it covers no
extension lines, and our checkpoints have none.
"""

from escrow.crypto import mldsa
from escrow.crypto import sign as ed25519
from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u8, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tlog import checkpoint
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.note import Note, Signature, parse_lines
from escrow.tlog.vkey import KeyType, VerifierKey

MOST_NAME = 255
"""Bytes of a cosigner's name or a log's origin in the ML-DSA-44 kind."""

CosignerKey = SigningKey | MlDsaKey


def identity(name: str, key: CosignerKey) -> VerifierKey:
    """Under what others know the cosigner ``name`` with this key."""
    kind = KeyType.PQ_COSIGNATURE if isinstance(key, MlDsaKey) else KeyType.COSIGNATURE
    return VerifierKey.of(name, key.public, kind)


def sign(note_text: bytes, name: str, key: CosignerKey, time_s: int) -> bytes:
    """The signature line, newline included, of cosigner ``name`` over a checkpoint, ``time_s`` in POSIX seconds.

    Raises ``MalformedError`` if an ML-DSA-44 key is to sign what is no checkpoint of ours.
    """
    known_as = identity(name, key)
    signed = key.sign(_message(note_text, known_as, time_s))
    return Signature(name, known_as.key_id, u64(time_s) + signed).line()


def verify(note_text: bytes, blob: bytes, witness: VerifierKey) -> int:
    """The time, in POSIX seconds, that the witness states.

    Raises ``RefusedError(SIGNATURE_INVALID)``, and ``MalformedError`` for an ML-DSA-44 cosignature of no checkpoint.
    """
    time_s = number(blob[:8])
    if len(blob) <= 8 or time_s >> 63:
        raise RefusedError(Reason.SIGNATURE_INVALID, "a cosignature is a time and a signature")
    check = mldsa.verify if witness.type is KeyType.PQ_COSIGNATURE else ed25519.verify
    check(witness.public, _message(note_text, witness, time_s), blob[8:])
    return time_s


def time_of(note: Note, witness: VerifierKey) -> int | None:
    """When the witness last cosigned this note, or ``None``; one wrong cosignature of its key spoils the note."""
    # SPEC TLG-1: nothing of a note is believed beside a wrong signature of a key that is trusted.
    times = [verify(note.text, blob, witness) for blob in note.by(witness)]
    return max(times, default=None)


def verify_checkpoint(note: Note, log: VerifierKey) -> Checkpoint:
    """The checkpoint in a note, if ``log`` signed it about itself, in whichever way its key signs.

    Raises what ``checkpoint.verify`` raises.
    """
    if not log.type.cosigns:
        return checkpoint.verify(note, log)
    if time_of(note, log) is None:
        raise RefusedError(Reason.SIGNATURE_INVALID, "the log did not sign the note")
    return checkpoint.about_itself(note, log)


def attach(note: bytes, lines: bytes, *witness: VerifierKey) -> bytes:
    """The note with the signature lines that a witness answered, in place of its earlier ones.

    ``witness`` are the keys of one witness. Lines of other keys in the answer are dropped. Raises ``MalformedError``,
    and ``RefusedError(SIGNATURE_INVALID)`` if the answer lacks a good cosignature of the first key or holds a wrong
    one of another.
    """
    before = Note.parse(note)
    theirs = tuple(line for line in parse_lines(lines) if _by(line, witness))
    times = [time_of(Note(before.text, theirs), key) for key in witness]
    if times[0] is None:
        raise RefusedError(Reason.SIGNATURE_INVALID, "the answer holds no cosignature of this witness")
    others = tuple(line for line in before.signatures if not _by(line, witness))
    return Note(before.text, others + theirs).encode()


def _by(line: Signature, keys: tuple[VerifierKey, ...]) -> bool:
    return any(line.claims(key) for key in keys)


def _message(note_text: bytes, cosigner: VerifierKey, time_s: int) -> bytes:
    match cosigner.type:
        case KeyType.COSIGNATURE:
            return b"cosignature/v1\ntime %d\n%b" % (time_s, note_text)
        case KeyType.PQ_COSIGNATURE:
            return _subtree(Checkpoint.parse(note_text), cosigner.name, time_s)
        case _:
            raise AssertionError("a witness signs with a cosignature key")


def _subtree(stated: Checkpoint, name: str, time_s: int) -> bytes:
    """The ``cosigned_message`` of the specification for a whole tree, which begins at leaf 0."""
    # SPEC TLG-2: all of it, and what a checkpoint could hold beyond it does not parse.
    tree = _short(name) + u64(time_s) + _short(stated.origin) + u64(0) + u64(stated.size) + stated.root
    return b"subtree/v1\n\x00" + tree


def _short(text: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= MOST_NAME:
        raise MalformedError(f"a cosigner's name and a log's origin have 1 to {MOST_NAME} bytes")
    return u8(len(data)) + data
