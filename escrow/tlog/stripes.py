"""How a growing tree is stored: sixteen neighbours of a level, with what is above them inside, are one value.

A node by itself would be a row of its own in a database, and writing rows is dearer than hashing. Stripe ``index`` of
``band`` holds the nodes ``16 * index ..`` of level ``4 * band`` and the complete subtrees over them up to three levels
higher: first the lowest level, then the next. How many there are shows in its length. Only the last stripe of a band
ever changes, and only by growing.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import chain

from escrow.errors import IntegrityError, Reason
from escrow.tlog.tree import ReadNode

HEIGHT = 4
WIDTH = 1 << HEIGHT

ReadStripe = Callable[[int, int], bytes | None]
"""Look up stripe ``(band, index)``."""

Stripes = dict[tuple[int, int], bytes]


def append(size: int, leaf_hashes: Sequence[bytes], read: ReadStripe) -> tuple[int, Stripes]:
    """Add leaves to a tree of ``size``: the new size, and every stripe that is new or has grown."""
    stripes: Stripes = {}
    band, start, grown = 0, size, list(leaf_hashes)
    while grown:
        first, have = divmod(start, WIDTH)
        levels = _levels(_stripe(read, band, first, have)) if have else [[] for _ in range(HEIGHT)]
        # What the stripe had is below the new nodes of each level, and is not hashed again.
        for level in levels:
            known = len(level)
            level.extend(grown)
            grown = _parents(level, known)
        for at in range(-(-len(levels[0]) // WIDTH)):
            parts = (row[at * (WIDTH >> up) : (at + 1) * (WIDTH >> up)] for up, row in enumerate(levels))
            stripes[band, first + at] = b"".join(chain.from_iterable(parts))
        band, start = band + 1, start >> HEIGHT
    return size + len(leaf_hashes), stripes


def node_reader(read: ReadStripe) -> ReadNode:
    """The nodes of the tree. For one question: a stripe that was read once is not read again.

    Raises ``IntegrityError(STORE_CORRUPT)`` for a node that is not there.
    """
    seen: Stripes = {}

    def node(level: int, index: int) -> bytes:
        band, up = divmod(level, HEIGHT)
        which, inside = divmod(index, WIDTH >> up)
        stripe = seen.get((band, which))
        if stripe is None:
            stripe = seen[band, which] = read(band, which) or b""
        count = _COUNTS.get(len(stripe), 0)
        if inside >= count >> up:
            raise _missing(level, index)
        begin = 32 * (sum(count >> lower for lower in range(up)) + inside)
        return stripe[begin : begin + 32]

    return node


def _parents(level: list[bytes], known: int) -> list[bytes]:
    """The nodes over ``level`` that its first ``known`` nodes do not make already."""
    pairs = range(known & ~1, len(level) - 1, 2)
    return [sha256(b"\x01" + level[at] + level[at + 1]).digest() for at in pairs]


def _stripe(read: ReadStripe, band: int, index: int, count: int) -> bytes:
    stripe = read(band, index) or b""
    if _COUNTS.get(len(stripe)) != count:
        raise _missing(HEIGHT * band, WIDTH * index + count - 1)
    return stripe


def _levels(stripe: bytes) -> list[list[bytes]]:
    nodes = [stripe[at : at + 32] for at in range(0, len(stripe), 32)]
    levels, begin = [], 0
    for up in range(HEIGHT):
        end = begin + (_COUNTS[len(stripe)] >> up)
        levels.append(nodes[begin:end])
        begin = end
    return levels


def _missing(level: int, index: int) -> IntegrityError:
    return IntegrityError(Reason.STORE_CORRUPT, f"node {level}/{index} of a tree is missing")


_COUNTS = {32 * sum(count >> up for up in range(HEIGHT)): count for count in range(1, WIDTH + 1)}
"""Bytes of a stripe -> nodes of its lowest level."""
