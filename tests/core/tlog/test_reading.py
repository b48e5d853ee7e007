"""Reading a log by its files: what is altered, cut short or swapped is noticed by the root."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import EscrowError, IntegrityError, MalformedError
from escrow.tlog import tiles, tree
from escrow.tlog.merkle import leaf_hash
from escrow.tlog.reading import node_reader, read_entries
from tests.core.crypto.draws import flip

ENTRIES = [b"entry %d" % index for index in range(700)]


def nothing(level: int, index: int) -> bytes:
    raise AssertionError(f"an empty tree has no node {level}, {index}")


_, NODES = tree.append(0, [leaf_hash(entry) for entry in ENTRIES], nothing)


def files(size: int) -> dict[str, bytes]:
    def read(level: int, index: int) -> bytes:
        return NODES[level, index]

    return dict(tiles.tiles(size, read)) | dict(tiles.bundles(size, ENTRIES.__getitem__))


def root(size: int) -> bytes:
    return tree.root(size, lambda level, index: NODES[level, index])


SIZES = st.sampled_from([1, 2, 255, 256, 257, 511, 512, 513, 700]) | st.integers(1, 700)


@given(SIZES, st.integers(0))
def test_a_log_is_read_from_its_files(size: int, place: int) -> None:
    there = files(size)
    assert list(read_entries(size, root(size), there.__getitem__)) == ENTRIES[:size]
    read = node_reader(size, there.__getitem__)
    assert tree.root(size, read) == root(size)
    index = place % size
    mine = tree.inclusion(index, size, lambda level, index: NODES[level, index])
    assert tree.inclusion(index, size, read) == mine


@pytest.mark.spec("TLG-8")
@given(SIZES, st.integers(0), st.integers(0), st.sampled_from(["flip", "cut", "longer"]))
def test_no_file_can_be_altered(size: int, which: int, bit: int, how: str) -> None:
    alter: dict[str, Callable[[bytes], bytes]] = {
        "flip": lambda data: flip(data, bit),
        "cut": lambda data: data[:-1],
        "longer": lambda data: data + b"\0\0",
    }
    there = files(size)
    path = sorted(there)[which % len(there)]
    there[path] = alter[how](there[path])
    if path.startswith("tile/entries"):
        with pytest.raises((MalformedError, IntegrityError)):
            list(read_entries(size, root(size), there.__getitem__))
        return
    read = node_reader(size, there.__getitem__)
    # A tile above level 0 says again what those below say, and a proof needs one of the two.
    _, number, width = tiles.parse_path(path)
    level = int(path.split("/")[1])
    try:
        seen = [read(8 * level, 256 * number + at) for at in range(width)]
    except EscrowError:
        return
    assert seen != [NODES[8 * level, 256 * number + at] for at in range(width)]
