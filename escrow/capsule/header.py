"""The public header of a body: which chain, which place in it, which message. 146 bytes."""

from enum import IntEnum, unique
from functools import lru_cache
from typing import Final, final

from msgspec import Struct

from escrow.encoding import number, u8, u16, u32, u64
from escrow.errors import MalformedError
from escrow.tags import Tag, digest, fields

SIZE: Final = 146
"""Bytes of an encoded header."""


@unique
class ContentClass(IntEnum):
    """What a body is for; public, so that the relay can keep repetitions within their bounds."""

    CONTENT = 0
    RETRY = 1
    CONTROL = 2


def cap_hash(suite: int, capsule: bytes) -> bytes:
    """What names a capsule: 32 bytes over its suite and bytes."""
    return digest(Tag.CAP, u16(suite), capsule)


@final
class Header(Struct, frozen=True, gc=False):
    """``index`` counts from 0 in the chain; ``mid`` (16 bytes) is unique per content."""

    label_hash: bytes
    cap_hash: bytes
    index: int
    mid: bytes
    content_class: ContentClass

    def encode(self) -> bytes:
        """``T("hdr", label_hash 32, cap_hash 32, index u32, mid 16, class u8)``."""
        index, kind = u32(self.index), u8(self.content_class)
        encoded = _OPENS + self.label_hash + _32 + self.cap_hash + _4 + index + _16 + self.mid + _1 + kind
        if len(encoded) != SIZE:
            raise AssertionError("the hashes of a header have 32 bytes, its message id 16")
        return encoded

    @staticmethod
    def decode(data: bytes) -> "Header":
        """Read strictly; raise ``MalformedError``."""
        return _read(data)


_OPENS, _32, _16, _4, _1 = Tag.HEADER.head + u64(32), u64(32), u64(16), u64(4), u64(1)
_CLASSES = {u8(kind): kind for kind in ContentClass}


@lru_cache(maxsize=64)  # reading a body reads its header, and then somebody wants to know what it says
def _read(data: bytes) -> Header:
    label, cap, index, mid, kind = fields(Tag.HEADER, data, 32, 32, 4, 16, 1)
    if kind not in _CLASSES:
        raise MalformedError(f"no content has class {number(kind)}")
    return Header(label, cap, number(index), mid, _CLASSES[kind])
