"""C2SP tlog-proof files: that an entry is logged, for checking without the log, the witnesses or a network.

A file holds a place, the path from there to a root, and the checkpoint with everybody's signatures. The entry itself
comes from elsewhere; who is trusted is the reader's affair.
"""

from dataclasses import dataclass
from typing import Self

from escrow.encoding import expect
from escrow.errors import MalformedError, Reason
from escrow.tlog.merkle import verify_inclusion
from escrow.tlog.note import check_text
from escrow.tlog.policy import Policy
from escrow.tlog.quorum import Head
from escrow.tlog.spelling import from_base64, from_decimal, to_base64

_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_MOST_PATH = 63
_MOST_BYTES = 1 << 21


@dataclass(frozen=True, slots=True)
class Proof:
    """Leaf ``index``, its ``path`` (32 bytes each, lowest first) and the signed checkpoint, byte for byte.

    Nobody signs ``extra``: it may help to find the entry, and proves nothing. None and empty are two files.
    """

    index: int
    path: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """The file."""
        lines = [_FIRST_LINE] if self.extra is None else [_FIRST_LINE, f"extra {to_base64(self.extra)}"]
        lines += [f"index {self.index}", *map(to_base64, self.path), "", ""]
        return "\n".join(lines).encode() + self.note

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Undo ``encode`` strictly; raise ``MalformedError``. Nothing is verified yet."""
        if len(data) > _MOST_BYTES:
            raise MalformedError(f"a proof has at most {_MOST_BYTES} bytes", Reason.TOO_LARGE)
        head, blank, note = data.partition(b"\n\n")
        check_text(head + b"\n")
        first, *lines = head.decode().split("\n")
        if first != _FIRST_LINE or not blank:
            raise MalformedError(f"not a file of the form {_FIRST_LINE}")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = from_base64(lines.pop(0).removeprefix("extra "), "the extra line")
        if not lines or not lines[0].startswith("index ") or len(lines) > 1 + _MOST_PATH:
            raise MalformedError(f"a proof has an index and at most {_MOST_PATH} hashes")
        index = from_decimal(lines[0].removeprefix("index "), "the index")
        path = tuple(expect(from_base64(line, "a hash of the path"), 32, "a hash of the path") for line in lines[1:])
        return cls(index, path, note, extra)

    def verify(self, leaf: bytes, policy: Policy) -> Head:
        """The head under which the leaf with hash ``leaf`` is logged at ``index``.

        Raises what ``Policy.head`` raises, and ``RefusedError(NOT_LOGGED)``.
        """
        head = policy.head(self.note)
        # SPEC TLG-4: the head alone says nothing of the entry.
        verify_inclusion(leaf, self.index, head.size, self.path, head.root)
        return head
