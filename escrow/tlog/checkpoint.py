"""C2SP checkpoints: what a log says about its tree, as the text of a signed note.

Extension lines are refused: nobody audits them, and a cosignature of the ML-DSA kind does not even cover them.
"""

from dataclasses import dataclass
from typing import Self

from escrow.crypto.sign import SigningKey
from escrow.encoding import expect
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tlog.note import Note, check_text, open_note, sign_note
from escrow.tlog.spelling import from_base64, from_decimal, to_base64
from escrow.tlog.vkey import VerifierKey


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log ``origin`` has a tree of ``size`` leaves with this 32-byte ``root``."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n".encode()

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read ``text()`` strictly; raise ``MalformedError``."""
        check_text(text)
        lines = text.decode().removesuffix("\n").split("\n")
        if len(lines) != 3 or not lines[0]:
            raise MalformedError("a checkpoint has an origin, a size, a root and nothing else")
        origin, size, root = lines
        return cls(origin, from_decimal(size, "a tree size"), expect(from_base64(root, "a root"), 32, "a root"))


def sign(checkpoint: Checkpoint, name: str, key: SigningKey) -> bytes:
    """The note in which the log publishes ``checkpoint``; ``name`` is its origin, unless keys are being rolled."""
    text = checkpoint.text()
    return Note(text, (sign_note(text, name, key),)).encode()


def verify(note: Note, log: VerifierKey) -> Checkpoint:
    """The checkpoint in a note, if ``log`` signed it about itself.

    Raises ``MalformedError``, and ``RefusedError(SIGNATURE_INVALID)`` if the key did not sign, or signed about another.
    """
    open_note(note, (log,))
    return about_itself(note, log)


def about_itself(note: Note, log: VerifierKey) -> Checkpoint:
    """The checkpoint in a note that ``log`` is known to have signed, if it is the log's own; raises as ``verify``."""
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != log.name:
        raise RefusedError(Reason.SIGNATURE_INVALID, "the log signed a checkpoint of another log")
    return checkpoint
