"""What is said without escrow, before it is encrypted: the same form in a pairwise session and under a sender key.

It has no label, no capsule and no policy, and no place where one could stand.
"""

from typing import Self

from msgspec import Struct

from escrow.encoding import number, u64
from escrow.errors import MalformedError, Reason
from escrow.tags import T, Tag, fields


class Plain(Struct, frozen=True):
    """Padded content ``padded``, in a conversation (id of 32 bytes) as of a version of it; ``mid`` (16) is random.

    In a pairwise session there may be more: the whole version (``roster``), for a device that may not have it yet, and
    the ``Distribution`` of the sender's key (``voice``). What is not there is empty.
    """

    conversation: bytes
    version: int
    mid: bytes
    padded: bytes
    roster: bytes = b""
    voice: bytes = b""

    def encode(self) -> bytes:
        """``T("plain", conversation 32, version u64, mid 16, padded, roster, voice)``."""
        named = self.conversation, u64(self.version), self.mid
        return T(Tag.PLAIN, *named, self.padded, self.roster, self.voice)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError(CONTENT_INVALID)``."""
        try:
            conversation, version, *rest = fields(Tag.PLAIN, data, 32, 8, 16, None, None, None)
        except MalformedError as error:
            raise MalformedError(error.detail, Reason.CONTENT_INVALID) from error
        return cls(conversation, number(version), *rest)
