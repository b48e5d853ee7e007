"""Pages of log and witness: what is shown, under which path, and how the log reads a witness's answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import IntegrityError, MalformedError, Reason, RefusedError, UnavailableError
from escrow.roles.calls import Cosigned
from escrow.roles.log.pages import log_page
from escrow.roles.log.publishing import Published
from escrow.roles.machine import Draft
from escrow.roles.pages import NOT_FOUND, TEXT, Keep, Page, cosigned_page, read_cosigned
from escrow.roles.stored_tree import StoredTree
from escrow.store.memory import MemoryStore
from escrow.tlog import tiles
from escrow.tlog.merkle import leaf_hash
from escrow.tlog.tiles import parse_path, tile_path
from escrow.tlog.witnessing import WitnessRefusal

SIZE, SERVED = 700, 600


@pytest.fixture(name="draft", scope="module")
def _draft() -> Draft:
    """A log of 700 entries."""
    draft = Draft(MemoryStore())
    for index in range(SIZE):
        draft.append("log/leaves", b"entry %d" % index)
    StoredTree(b"tree").grow(draft, [leaf_hash(b"entry %d" % index) for index in range(SIZE)])
    return draft


@given(st.none() | st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_a_tile_has_one_path(level: int | None, index: int, width: int) -> None:
    path = tile_path("entries" if level is None else level, index, width)
    assert parse_path(path) == (level, index, width)
    for wrong in (path + "/", path[:-1] + "x", "/" + path, path.replace("tile", "tiles"), path + ".p/0", path + "\n"):
        with pytest.raises(MalformedError):
            parse_path(wrong)


def test_what_is_shown_is_what_an_export_writes(draft: Draft) -> None:
    head = Published(SERVED, 1, b"note")
    files = dict(tiles.tiles(SERVED, StoredTree(b"tree").reader(draft)))
    files |= dict(tiles.bundles(SERVED, lambda at: b"entry %d" % at))
    assert len(files) == 3 + 1 + 3
    for path, content in files.items():
        page = log_page(head, draft, path)
        assert (page.status, page.body, page.keep) == (200, content, Keep.FOREVER)
    assert log_page(head, draft, "checkpoint") == Page(200, b"note", TEXT, Keep.SECONDS)


@pytest.mark.parametrize("level", [0, 1, 2, None])
def test_only_what_the_checkpoint_covers_is_shown(draft: Draft, level: int | None) -> None:
    """Every width up to there, so that whoever saw an older checkpoint finds the tiles of its size."""
    head, there = Published(SERVED, 1, b"note"), tiles.count(SERVED, level)
    for index in range(4):
        for width in range(1, 257):
            path = tile_path("entries" if level is None else level, index, width)
            shown = log_page(head, draft, path)
            assert shown.status == (200 if 256 * index + width <= there else 404)


def test_without_a_checkpoint_nothing_is_shown(draft: Draft) -> None:
    for path in ("checkpoint", "tile/0/000", "tile/entries/000.p/1"):
        assert log_page(None, draft, path) == NOT_FOUND


def test_a_witness_is_answered_in_the_words_of_the_specification() -> None:
    assert cosigned_page(Cosigned(b"lines\n", 7)) == Page(200, b"lines\n")
    assert cosigned_page(Cosigned(b"", 7)) == Page(409, b"7\n", "text/x.tlog.size")
    assert cosigned_page(WitnessRefusal(422, Reason.LOG_INCONSISTENT, "why")) == Page(422, b"why\n")
    assert cosigned_page(UnavailableError(Reason.STORE_UNAVAILABLE)).status == 503
    assert cosigned_page(IntegrityError(Reason.STORE_CORRUPT)).status == 503
    assert cosigned_page(RefusedError(Reason.MALFORMED)).status == 400


@pytest.mark.spec("TLG-7")
def test_the_log_understands_what_a_witness_answers() -> None:
    for said in (Cosigned(b"lines\n", 7), Cosigned(b"", 5)):
        assert read_cosigned(cosigned_page(said), 7) == said
    assert read_cosigned(Page(409, b"5\n", "text/x.tlog.size; charset=utf-8"), 7) == Cosigned(b"", 5)
    with pytest.raises(UnavailableError):
        read_cosigned(Page(503, b""), 7)
    for page in (
        *(Page(404, b""), Page(403, b""), Page(422, b""), Page(302, b""), Page(409, b"5\n")),
        *(Page(409, body, "text/x.tlog.size") for body in (b"", b"x\n", b"05\n", b"-1\n", b"\xff", b"5\n\n")),
    ):
        with pytest.raises(RefusedError):
            read_cosigned(page, 7)
