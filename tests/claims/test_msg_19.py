"""MSG-19: whoever takes or changes a device's files, without what opens them, learns and forges none of its values."""

import asyncio
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from escrow.errors import EscrowError, IntegrityError
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.roles.machine import Read, Writes
from escrow.secret import Secret
from escrow.store.keyring import PLACE, Cost, Keyring, Lock, relock, unlock
from escrow.store.memory import MemoryStore
from escrow.store.sealed import VALUES, SealedStore
from escrow.store.sqlite import SqliteStore
from tests.claims.measures import Census, effort
from tests.core.roles.phones import friends

pytestmark = pytest.mark.claim("MSG-19")

State = dict[bytes, bytes]
CHEAP = Cost(1, 8)
secrets = st.binary(min_size=32, max_size=32).map(Secret)
locks = st.builds(Lock.passphrase, secrets, st.just(CHEAP)) | st.builds(Lock.key_file, secrets)


@cache
def device() -> State:
    """All that a device holds after a conversation of both kinds."""
    at = friends()
    at.reset()
    for mode in (PLAIN, ESCROW):
        at.send("alice", "bob", "what nobody else may read", mode)
        at.sync()
        at.send("bob", "alice", "nor this", mode)
        at.sync()
    state, streams = at.store("alice").snapshot()
    at.reset()
    assert not streams
    return state


def windows(*texts: bytes) -> set[bytes]:
    """Every 16 bytes in a row that look like more than padding and counters."""
    rows = (text[at : at + 16] for text in texts for at in range(len(text) - 15))
    return {row for row in rows if len(set(row)) >= 8}


def everything(view: Read) -> State:
    return dict(view.scan(b""))


def at_rest(state: State, lock: Lock) -> MemoryStore:
    """What lies on the disk of a device with this state."""
    disk = MemoryStore()

    async def story() -> None:
        store = SealedStore(disk, await unlock(disk, lambda _: lock, name="disk", new=True))
        await store.commit(lambda _: (Writes(dict(state)), None))

    asyncio.run(story())
    return disk


def opened(disk: MemoryStore, lock: Lock) -> State:
    """What it tells whoever has a lock."""

    async def story() -> State:
        return await SealedStore(disk, await unlock(disk, lambda _: lock, name="disk", new=False)).read(everything)

    return asyncio.run(story())


@effort(0.1)
@given(locks)
def test_a_stolen_disk_shows_names_and_sizes(census: Census, lock: Lock) -> None:
    state = device()
    disk = at_rest(state, lock)
    seen = [value for _, value in disk.scan(VALUES)]
    hidden = windows(*state.values()) - windows(*state)
    assert len(hidden) > 1000
    assert not windows(*seen) & hidden
    assert [len(value) - 40 for value in seen] == [len(state[name]) for name in sorted(state)]
    assert len({value[:24] for value in seen}) == len(seen)
    census("hidden")


@given(locks, locks)
def test_only_what_it_was_made_with_opens_it(census: Census, lock: Lock, other: Lock) -> None:
    assume((lock.kind, lock.secret.expose()) != (other.kind, other.secret.expose()))
    disk = at_rest({b"me": b"an identity"}, lock)
    assert opened(disk, lock) == {b"me": b"an identity"}
    census("opened")
    before = disk.snapshot()
    with pytest.raises(EscrowError):
        opened(disk, other)
    assert disk.snapshot() == before
    census("refused")


@effort(0.1)
@given(locks, locks)
def test_what_opened_it_before_is_nowhere_on_the_disk(census: Census, before: Lock, after: Lock) -> None:
    assume((before.kind, before.secret.expose()) != (after.kind, after.secret.expose()))

    async def story(path: Path) -> tuple[bytes, dict[Path, bytes]]:
        """The old record, and all files beside the store while it is open."""
        store = SqliteStore(path)
        try:
            key = await unlock(store, lambda _: before, name="disk", new=True)
            old = await store.read(lambda view: Keyring.decode(view.get(PLACE) or b"").wrapped)
            await relock(store, key, after)
            assert (await unlock(store, lambda _: after, name="disk", new=False)) == key
            with pytest.raises(EscrowError):
                await unlock(store, lambda _: before, name="disk", new=False)
            return old, {file: file.read_bytes() for file in path.parent.iterdir()}
        finally:
            await store.close()

    with TemporaryDirectory() as folder:
        old, files = asyncio.run(story(Path(folder) / "store.db"))
    assert not windows(old) & windows(*files.values())
    census("relocked")


@given(locks, st.data())
def test_what_is_put_back_is_what_was_there_or_is_refused(census: Census, lock: Lock, data: st.DataObject) -> None:
    state = {b"session/%d" % place: bytes([place]) * 20 for place in range(4)}
    disk = at_rest(state, lock)
    kept, _ = disk.snapshot()
    one, other = data.draw(st.lists(st.sampled_from(sorted(kept)), min_size=2, max_size=2, unique=True))
    bit = data.draw(st.integers(0, 8 * len(kept[one]) - 1))
    flipped = bytearray(kept[one])
    flipped[bit // 8] ^= 1 << bit % 8
    changed = data.draw(st.sampled_from([kept[other], bytes(flipped), kept[one][:-1], b""]))
    disk.restore((kept | {one: changed}, {}))
    with pytest.raises(IntegrityError):
        opened(disk, lock)
    census("keyring changed" if one == PLACE else "value changed")
