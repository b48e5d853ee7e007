"""A log as static files: C2SP tlog-tiles. Any web server can serve them, and nobody need trust it.

A hash tile holds 256 nodes of one level, a bundle 256 entries; the last of each kind may be partial and says so in its
path. Full files never change. Writing and serving them is the caller's business.
"""

from collections.abc import Callable, Iterator

from escrow.encoding import u16
from escrow.errors import MalformedError
from escrow.tlog.tree import ReadNode

WIDTH = 256
_HEIGHT = 8

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


def tiles(size: int, read: ReadNode, *, since: int = 0) -> Iterator[File]:
    """The hash tiles of the tree of ``size`` that the tree of size ``since`` did not have."""
    level = 0
    while count := size >> (_HEIGHT * level):
        for index, width in _changed(count, since >> (_HEIGHT * level)):
            nodes = (read(_HEIGHT * level, at) for at in range(WIDTH * index, WIDTH * index + width))
            yield tile_path(level, index, width), b"".join(nodes)
        level += 1


def bundles(size: int, read_entry: Callable[[int], bytes], *, since: int = 0) -> Iterator[File]:
    """The entry bundles of the log of ``size`` that the log of size ``since`` did not have."""
    for index, width in _changed(size, since):
        entries = (read_entry(at) for at in range(WIDTH * index, WIDTH * index + width))
        yield tile_path("entries", index, width), b"".join(u16(len(entry)) + entry for entry in entries)


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


def _changed(count: int, before: int) -> Iterator[tuple[int, int]]:
    """Index and width of every tile of a level of ``count`` nodes that ``before`` nodes did not fill the same way."""
    if count > before:
        for index in range(before // WIDTH, -(-count // WIDTH)):
            yield index, min(WIDTH, count - WIDTH * index)
