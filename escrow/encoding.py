"""Injective encodings: fixed-width integers and length-prefixed sequences, and their strict readers.

A sequence ``x1..xn`` is ``‖ u64be(len(x)) ‖ x``, so that no two different sequences share an encoding
(the idea of TupleHash, NIST SP 800-185, and of C2SP sequencehash). Readers refuse trailing bytes,
missing bytes and lengths beyond the input, and never allocate what a length merely claims.
"""

from collections.abc import Iterable
from typing import Final

from escrow.errors import MalformedError

# Made once for what nearly every field is: every hash and every message of the wire goes through ``join``.
_SHORT: Final = 512
_LENGTHS: Final = tuple(length.to_bytes(8, "big") for length in range(_SHORT))


def u8(value: int) -> bytes:
    """One byte, big-endian."""
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    """Two bytes, big-endian."""
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    """Four bytes, big-endian."""
    return value.to_bytes(4, "big")


def u64(value: int) -> bytes:
    """Eight bytes, big-endian; times are milliseconds."""
    return value.to_bytes(8, "big")


def number(data: bytes) -> int:
    """The value of a fixed-width field; its width was checked by whoever cut it out."""
    return int.from_bytes(data, "big")


def join(*fields: bytes) -> bytes:
    """Encode a sequence of byte strings injectively."""
    return join_behind(b"", fields)


def join_behind(head: bytes, fields: Iterable[bytes]) -> bytes:
    """``head``, and then what ``join`` gives of ``fields``."""
    parts = [head]
    for field in fields:
        length = len(field)
        parts += (_LENGTHS[length] if length < _SHORT else u64(length), field)
    return b"".join(parts)


def split(data: bytes, *, most: int = 1 << 16, start: int = 0) -> tuple[bytes, ...]:
    """Decode ``join`` from ``start`` on; raise ``MalformedError`` unless every byte belongs to a whole field."""
    fields: list[bytes] = []
    at, end = start, len(data)
    while at < end:
        begin = at + 8
        if begin > end:
            raise MalformedError("a length prefix is cut short")
        at = begin + int.from_bytes(data[at:begin], "big")
        if at > end:
            raise MalformedError("a field is cut short")
        fields.append(data[begin:at])
        if len(fields) > most:
            raise MalformedError(f"more than {most} fields")
    return tuple(fields)


def expect(data: bytes, length: int, what: str) -> bytes:
    """Return ``data`` if it has exactly ``length`` bytes."""
    if len(data) != length:
        raise MalformedError(f"{what} has {len(data)} bytes, not {length}")
    return data
