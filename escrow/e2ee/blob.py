"""What others see of an attachment: a few sealed chunks of padded length, under a name that commits to all of them.

Whoever knows the name can tell whether a blob is the one that is meant, chunk by chunk and without a key; nobody can
exchange a blob, not even the one who sealed it. Not here: keys, and what is inside (``attachment``).
"""

from collections.abc import Iterator
from typing import Final

from escrow.crypto.aead import TAG_SIZE
from escrow.encoding import u8
from escrow.errors import Reason, RefusedError
from escrow.tags import Tag, digest

MOST: Final = 100 * 1024 * 1024
"""Bytes of content in one attachment."""
CHUNK: Final = 128 * 1024
"""Bytes of padded content in every chunk but the last."""
COMMITMENT: Final = 32
"""Bytes in front of the first chunk: a commitment to key and size."""
MOST_CHUNK: Final = COMMITMENT + CHUNK + TAG_SIZE
MOST_CHUNKS: Final = MOST // CHUNK
_LEAST: Final = 1024

NAMELESS: Final = digest(Tag.BLOB)
"""The name of no chunks at all."""


def extend_name(name: bytes, chunk: bytes, *, last: bool) -> bytes:
    """The name (32 bytes) of the chunks that are called ``name`` and one more behind them.

    A hash chain, so that whoever takes chunks in order remembers 32 bytes. No name of a whole blob begins another.
    """
    return digest(Tag.BLOB, name, u8(last), chunk)


def padded_size(size: int) -> int:
    """To how many bytes a content of ``size`` is padded, at least 1024. ``RefusedError(TOO_LARGE)`` beyond ``MOST``.

    Padmé (Nikitin, Barman, Lueks, Underwood, Hubaux, Ford, PoPETs 2019): as a floating-point number with no more bits
    in its mantissa than in its exponent. Above the least it adds less than 12 %, and of a size of n bits it shows
    about log n.
    """
    # SPEC ATT-1: what claims to be larger is refused before anything is done for it.
    if size > MOST:
        raise RefusedError(Reason.TOO_LARGE, f"an attachment of {size} bytes; {MOST} fit")
    length = max(size, _LEAST)
    exponent = length.bit_length() - 1
    low = (1 << (exponent - exponent.bit_length())) - 1
    return (length + low) & ~low


def chunk_count(size: int) -> int:
    """How many chunks a content of ``size`` bytes has; ``TOO_LARGE``."""
    return -(-padded_size(size) // CHUNK)


def chunk_lengths(size: int) -> Iterator[int]:
    """The padded length of each chunk of a content of ``size`` bytes; ``TOO_LARGE``."""
    left = padded_size(size)
    while left:
        yield min(left, CHUNK)
        left -= min(left, CHUNK)
