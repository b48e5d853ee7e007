"""Logs as others serve them: C2SP tiles and entry bundles, which prove themselves by the root of a checkpoint.

``fetch`` gets the bytes at a path, from wherever they are; whose log it is and who vouches for its checkpoint the
caller has settled before.
"""

from collections.abc import Callable, Iterator

from escrow.errors import IntegrityError, MalformedError, Reason
from escrow.tlog.frontier import Frontier
from escrow.tlog.merkle import leaf_hash, root_of_complete
from escrow.tlog.tiles import ENTRIES, HEIGHT, WIDTH, count, read_bundle, tile_path
from escrow.tlog.tree import ReadNode

Fetch = Callable[[str], bytes]


def node_reader(size: int, fetch: Fetch) -> ReadNode:
    """The nodes of a log of ``size`` by its tiles. A lie shows in the root that they lead to, and nowhere else.

    Raises ``MalformedError`` for a tile of the wrong length, and what ``fetch`` raises.
    """

    def read(level: int, index: int) -> bytes:
        tile_level, inside = divmod(level, HEIGHT)
        first = index << inside
        number, begin = divmod(first, WIDTH)
        width = min(WIDTH, count(size, tile_level) - WIDTH * number)
        data = fetch(tile_path(tile_level, number, width))
        if len(data) != 32 * width:
            raise MalformedError(f"a tile of {width} nodes has {len(data)} bytes")
        return root_of_complete([data[32 * at : 32 * at + 32] for at in range(begin, begin + (1 << inside))])

    return read


def read_entries(size: int, root: bytes, fetch: Fetch) -> Iterator[bytes]:
    """Every entry of the log, in order; only when the last has been read are they known to be the log's.

    Raises ``MalformedError``, and in the end ``IntegrityError(LOG_INCONSISTENT)`` if they have another root.
    """
    frontier = Frontier()
    for begin in range(0, size, WIDTH):
        width = min(WIDTH, count(size, ENTRIES) - begin)
        entries = read_bundle(fetch(tile_path("entries", begin // WIDTH, width)))
        if len(entries) != width:
            raise MalformedError(f"a bundle of {width} entries has {len(entries)}")
        frontier = frontier.extend([leaf_hash(entry) for entry in entries])
        yield from entries
    # SPEC TLG-8: bundles are not signed; their root is.
    if frontier.root() != root:
        raise IntegrityError(Reason.LOG_INCONSISTENT, "the entries are not those of the checkpoint")
