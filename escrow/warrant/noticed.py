"""NoticeDelivered: that a target was told, for everybody to see and without saying who it is.

The notice itself goes to the target's devices (``notice``); its hash here lets the target show that it is the one that
was announced, and lets nobody else find out.
"""

from dataclasses import dataclass
from typing import Self

from escrow.encoding import number, u32
from escrow.tags import T, Tag, fields


@dataclass(frozen=True, slots=True)
class NoticeDelivered:
    """``T("notice-delivered", seal_tag 32, notice_hash 32, devices u32)``."""

    seal_tag: bytes
    notice_hash: bytes
    """SHA-256 of the signed notice."""
    devices: int
    """How many devices the relay took it for."""

    def encode(self) -> bytes:
        """The payload of a ``NOTICE_DELIVERED`` entry."""
        return T(Tag.NOTICE_DELIVERED, self.seal_tag, self.notice_hash, u32(self.devices))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        seal_tag, notice_hash, devices = fields(Tag.NOTICE_DELIVERED, data, 32, 32, 4)
        return cls(seal_tag, notice_hash, number(devices))
