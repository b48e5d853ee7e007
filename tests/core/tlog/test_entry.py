"""Log entries are what their submitter signed for this log; tiles and bundles lay the same log out as files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.encoding import u16
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import T, Tag
from escrow.tlog import merkle, tree
from escrow.tlog.entry import MOST_PAYLOAD, Entry, EntryType
from escrow.tlog.tiles import WIDTH, bundles, read_bundle, tile_path, tiles

KEY = SigningKey.from_seed(bytes(31) + b"\x07")
SIGNED = Entry.make(EntryType.INGEST_ROOT, b"payload", KEY, "log.example/1")


def zeros(level: int, index: int) -> bytes:
    return bytes(32)


@given(st.sampled_from(EntryType), st.binary(max_size=99), st.text(max_size=9))
def test_an_entry_is_what_its_submitter_signed(entry_type: EntryType, payload: bytes, origin: str) -> None:
    data = Entry.make(entry_type, payload, KEY, origin)
    entry = Entry.decode(data)
    entry.verify(origin)
    assert (entry.type, entry.payload, entry.submitter) == (entry_type, payload, KEY.public)
    assert (entry.encode(), entry.leaf_hash()) == (data, merkle.leaf_hash(data))
    with pytest.raises(RefusedError) as refusal:
        entry.verify(origin + "/other")
    assert refusal.value.reason is Reason.SIGNATURE_INVALID


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_byte_of_an_entry_can_change(at: int, mask: int) -> None:
    with pytest.raises(EscrowError):
        Entry.decode(SIGNED[:at] + bytes([SIGNED[at] ^ mask]) + SIGNED[at + 1 :]).verify("log.example/1")


def test_the_largest_entry_fits_a_bundle_and_a_larger_one_is_refused() -> None:
    assert len(Entry.make(EntryType.POLICY, bytes(MOST_PAYLOAD), KEY, "log")) <= 0xFFFF
    with pytest.raises(MalformedError) as refusal:
        Entry.make(EntryType.POLICY, bytes(MOST_PAYLOAD + 1), KEY, "log")
    assert refusal.value.reason is Reason.TOO_LARGE
    with pytest.raises(MalformedError):
        Entry.decode(T(Tag.ENTRY, u16(EntryType.POLICY), bytes(MOST_PAYLOAD + 1), bytes(32), bytes(64)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SIGNED[:-1],
        SIGNED + b"\0",
        T(Tag.ENTRY, u16(999), b"", bytes(32), bytes(64)),
        T(Tag.ENTRY, b"\0\0\1", b"", bytes(32), bytes(64)),
        T(Tag.ENTRY, u16(1), b"", bytes(31), bytes(64)),
        T(Tag.ENTRY, u16(1), b"", bytes(32), bytes(65)),
        T(Tag.ENTRY_SIG, u16(1), b"", bytes(32), bytes(64)),
    ],
)
def test_a_malformed_entry_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        Entry.decode(data)


def test_the_published_path_example_holds() -> None:
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(3, 5, 17) == "tile/3/005.p/17"
    assert tile_path("entries", 1000) == "tile/entries/x001/000"


def test_a_tree_of_70000_leaves_has_the_published_tiles() -> None:
    paths = [path for path, _ in tiles(70_000, zeros)]
    assert len(paths) == 273 + 1 + 1 + 1 + 1
    assert {"tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"} <= set(paths)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600])
def test_tiles_and_bundles_hold_the_whole_log(size: int) -> None:
    entries = [b"entry %d" % index for index in range(size)]
    hashes = [merkle.leaf_hash(entry) for entry in entries]
    _, nodes = tree.append(0, hashes, zeros)
    files = dict(tiles(size, lambda level, index: nodes[level, index]))
    bundled = dict(bundles(size, lambda index: entries[index]))
    assert [entry for data in bundled.values() for entry in read_bundle(data)] == entries
    assert b"".join(data for path, data in files.items() if path.startswith("tile/0/")) == b"".join(hashes)
    assert {path.replace("entries", "0") for path in bundled} == {path for path in files if path.startswith("tile/0/")}
    if size >= WIDTH:
        assert files[tile_path(1, 0, size // WIDTH)][:32] == merkle.root_of(entries[:WIDTH])


@given(st.integers(0, 1500), st.integers(0, 1500))
def test_only_what_changed_is_written_again(before: int, more: int) -> None:
    def name(level: int, index: int) -> bytes:
        return b"%d/%d " % (level, index)

    size = before + more
    had, new = dict(tiles(before, name)), dict(tiles(size, name, since=before))
    assert had | new == had | dict(tiles(size, name))
    assert not had.items() & new.items()


@pytest.mark.parametrize("data", [b"\0", b"\0\1", b"\0\2x", b"\0\0" * 257])
def test_a_malformed_bundle_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_bundle(data)
