"""The public header of a body: which chain, which place in it, which message. 146 bytes."""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

from escrow.encoding import number, u8, u16, u32
from escrow.errors import MalformedError
from escrow.tags import T, Tag, digest, fields


@unique
class ContentClass(IntEnum):
    """What a body is for; public, so that the relay can keep repetitions within their bounds."""

    CONTENT = 0
    RETRY = 1
    CONTROL = 2


def cap_hash(suite: int, capsule: bytes) -> bytes:
    """What names a capsule: 32 bytes over its suite and bytes."""
    return digest(Tag.CAP, u16(suite), capsule)


@dataclass(frozen=True, slots=True)
class Header:
    """``index`` counts from 0 in the chain; ``mid`` (16 bytes) is unique per content."""

    label_hash: bytes
    cap_hash: bytes
    index: int
    mid: bytes
    content_class: ContentClass

    def encode(self) -> bytes:
        """``T("hdr", label_hash 32, cap_hash 32, index u32, mid 16, class u8)``."""
        return T(Tag.HEADER, self.label_hash, self.cap_hash, u32(self.index), self.mid, u8(self.content_class))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; raise ``MalformedError``."""
        label, cap, index, mid, kind = fields(Tag.HEADER, data, 32, 32, 4, 16, 1)
        try:
            return cls(label, cap, number(index), mid, ContentClass(number(kind)))
        except ValueError:
            raise MalformedError(f"no content has class {number(kind)}") from None
