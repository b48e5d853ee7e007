"""What the log shows to anybody: its checkpoint, and the tiles and entry bundles under it (C2SP tlog-tiles)."""

from escrow.errors import MalformedError
from escrow.roles.ledger import LEAVES
from escrow.roles.log.publishing import TREE, Published
from escrow.roles.machine import Draft, Read
from escrow.roles.pages import BYTES, NOT_FOUND, TEXT, Keep, Page
from escrow.tlog import tiles


def log_page(head: Published | None, view: Read | Draft, path: str) -> Page:
    """A resource of the log, as far as the checkpoint that is served covers it."""
    if head is None:
        return NOT_FOUND
    if path == "checkpoint":
        return Page(200, head.note, TEXT, Keep.SECONDS)
    try:
        level, index, width = tiles.parse_path(path)
    except MalformedError:
        return NOT_FOUND
    # SPEC TLG-5: what the served checkpoint does not cover is not there yet, and what is there never changes.
    begin = tiles.WIDTH * index
    if begin + width > tiles.count(head.size, level):
        return NOT_FOUND
    if level is tiles.ENTRIES:
        return Page(200, tiles.bundle(view.records(LEAVES, start=begin, limit=width)), BYTES, Keep.FOREVER)
    return Page(200, tiles.tile(TREE.reader(view), level, begin, width), BYTES, Keep.FOREVER)
