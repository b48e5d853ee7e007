"""A log as static files: C2SP tlog-tiles. Any web server can serve them, and nobody need trust it.

A hash tile holds 256 nodes of one level, a bundle 256 entries; the last of each kind may be partial and says so in its
path. Full files never change. Writing and serving them is the caller's business.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from escrow.encoding import u16
from escrow.errors import MalformedError
from escrow.tlog.tree import ReadNode

WIDTH = 256
ENTRIES: Final = None
"""The level of entry bundles."""
HEIGHT = 8
_PATH = re.compile(
    r"tile/(?P<level>entries|[0-9]|[1-5][0-9]|6[0-3])/(?P<groups>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)

File = tuple[str, bytes]
"""A path below the log's prefix, and the content."""


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Where tile ``index`` of a level (or of ``"entries"``) is, ``width`` nodes wide."""
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(groups)}{partial}"


def parse_path(path: str) -> tuple[int | None, int, int]:
    """Undo ``tile_path``: level (``ENTRIES`` for a bundle), index and width; raise ``MalformedError``."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise MalformedError("not the path of a tile")
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    index = int(match["groups"].replace("/", "").replace("x", ""))
    width = int(match["width"] or WIDTH)
    if tile_path(match["level"], index, width) != path:
        raise MalformedError("a tile has one path")
    return level, index, width


def count(size: int, level: int | None) -> int:
    """How many nodes of a level, or entries, the tiles of a log of ``size`` hold."""
    return size if level is ENTRIES else size >> (HEIGHT * level)


def tile(read: ReadNode, level: int, begin: int, width: int) -> bytes:
    """The content of the tile of ``width`` nodes that begins at node ``begin`` of its level."""
    return b"".join(read(HEIGHT * level, at) for at in range(begin, begin + width))


def bundle(entries: Iterable[bytes]) -> bytes:
    """The content of an entry bundle."""
    return b"".join(u16(len(entry)) + entry for entry in entries)


def tiles(size: int, read: ReadNode, *, since: int = 0) -> Iterator[File]:
    """The hash tiles of the tree of ``size`` that the tree of size ``since`` did not have."""
    level = 0
    while nodes := count(size, level):
        for index, width in _changed(nodes, count(since, level)):
            yield tile_path(level, index, width), tile(read, level, WIDTH * index, width)
        level += 1


def bundles(size: int, read_entry: Callable[[int], bytes], *, since: int = 0) -> Iterator[File]:
    """The entry bundles of the log of ``size`` that the log of size ``since`` did not have."""
    for index, width in _changed(size, since):
        entries = (read_entry(at) for at in range(WIDTH * index, WIDTH * index + width))
        yield tile_path("entries", index, width), bundle(entries)


def read_bundle(data: bytes) -> tuple[bytes, ...]:
    """The entries of a bundle; raise ``MalformedError``. They prove themselves by their leaf hashes."""
    entries = []
    at = 0
    while at < len(data):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        if begin > len(data) or at > len(data):
            raise MalformedError("an entry bundle is cut short")
        entries.append(data[begin:at])
    if len(entries) > WIDTH:
        raise MalformedError(f"an entry bundle holds at most {WIDTH} entries")
    return tuple(entries)


def _changed(nodes: int, before: int) -> Iterator[tuple[int, int]]:
    """Index and width of every tile of a level of ``nodes`` that ``before`` nodes did not fill the same way."""
    if nodes > before:
        for index in range(before // WIDTH, -(-nodes // WIDTH)):
            yield index, min(WIDTH, nodes - WIDTH * index)
