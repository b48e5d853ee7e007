"""Who opens a sealed store: the right passphrase or key file, nothing else, and damage is called damage."""

import asyncio
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from escrow.encoding import u32
from escrow.errors import IntegrityError, MalformedError, Reason, RefusedError
from escrow.roles.machine import Writes
from escrow.secret import Secret
from escrow.store.keyring import PLACE, Cost, Keyring, Lock, LockKind, relock, unlock
from escrow.store.memory import MemoryStore
from escrow.store.port import Store
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from escrow.tags import T, Tag, digest
from escrow.testing.store_contract import read, write

CHEAP = Cost(1, 8)
KEY = Secret(b"k" * 32)
secrets = st.binary(min_size=1, max_size=64).map(Secret)
key_files = st.binary(min_size=32, max_size=32).map(Secret)
locks = st.builds(Lock.passphrase, secrets, st.just(CHEAP)) | st.builds(Lock.key_file, key_files)
A_LOCK = Lock.passphrase(Secret(b"correct horse"), CHEAP)


def always(lock: Lock) -> Callable[[LockKind | None], Lock]:
    return lambda _: lock


async def opened(store: Store, lock: Lock, *, new: bool = False) -> SealedStore:
    return SealedStore(store, await unlock(store, always(lock), name="store.db", new=new), "store.db")


def refusal(store: Store, lock: Lock, *, new: bool = False) -> Reason:
    with pytest.raises((RefusedError, IntegrityError), match=r"store\.db") as caught:
        asyncio.run(opened(store, lock, new=new))
    assert isinstance(caught.value, IntegrityError) == (caught.value.reason is Reason.STORE_CORRUPT)
    return caught.value.reason


# -- the record -----------------------------------------------------------------------------------


@given(key_files, locks, locks)
def test_only_the_lock_that_made_it_opens_a_keyring(key: Secret, lock: Lock, other: Lock) -> None:
    ring = Keyring.decode(Keyring.make(key, lock).encode())
    assert ring.open(lock) == key
    assume((other.kind, other.secret.expose()) != (lock.kind, lock.secret.expose()))
    with pytest.raises(RefusedError) as refused:
        ring.open(other)
    assert refused.value.reason is Reason.STORE_LOCKED


@given(locks)
def test_two_keyrings_share_nothing(lock: Lock) -> None:
    one, other = Keyring.make(KEY, lock), Keyring.make(KEY, lock)
    assert one.salt != other.salt
    assert one.wrapped[:24] != other.wrapped[:24]
    assert one.wrapped[24:] != other.wrapped[24:]


@pytest.mark.parametrize("lock", [A_LOCK, Lock.key_file(KEY)])
def test_any_changed_byte_is_damage_and_no_wrong_passphrase(lock: Lock) -> None:
    record = Keyring.make(KEY, lock).encode()
    for place in range(len(record)):
        for bit in (1, 128):
            changed = record[:place] + bytes([record[place] ^ bit]) + record[place + 1 :]
            with pytest.raises(MalformedError):
                Keyring.decode(changed)
    for end in range(len(record)):
        with pytest.raises(MalformedError):
            Keyring.decode(record[:end])


def forged(ring: Keyring, kind: int, passes: int, memory: int) -> bytes:
    """A record with a good checksum, by somebody who knows no key."""
    head = (bytes([kind]), u32(passes), u32(memory), ring.salt)
    return T(Tag.KEYRING, *head, ring.wrapped, digest(Tag.KEYRING_CHECK, *head, ring.wrapped))


@pytest.mark.parametrize(
    ("kind", "passes", "memory"),
    [
        (1, 0, 8),
        (1, 65, 8),
        (1, 1, 7),
        (1, 1, (1 << 20) + 1),
        (1, 0xFFFFFFFF, 0xFFFFFFFF),
        (2, 1, 8),
        (0, 1, 8),
        (3, 0, 0),
    ],
)
def test_absurd_costs_are_refused_before_anything_is_allocated(kind: int, passes: int, memory: int) -> None:
    with pytest.raises(MalformedError):
        Keyring.decode(forged(Keyring.make(KEY, A_LOCK), kind, passes, memory))


def test_who_lowers_the_cost_gets_another_key() -> None:
    ring = Keyring.make(KEY, Lock.passphrase(A_LOCK.secret, Cost(2, 16)))
    cheaper = Keyring.decode(forged(ring, LockKind.PASSPHRASE, 1, 8))
    with pytest.raises(RefusedError):
        cheaper.open(A_LOCK)


def test_a_new_passphrase_costs_what_rfc_9106_advises() -> None:
    assert Lock.passphrase(KEY).cost == Cost(3, 65536)


def test_short_memory_is_named() -> None:
    script = (
        "from escrow.store.keyring import *\n"
        "from escrow.secret import Secret\n"
        "lock = Lock.passphrase(Secret(b'x'), Cost(1, 1 << 20))\n"
        "try:\n    Keyring.make(Secret(bytes(32)), lock)\n"
        "except Exception as error:\n    print(error.reason.name, error.detail)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (768 << 20, 768 << 20)),
    )
    assert done.stdout.startswith("STORE_UNAVAILABLE 1024 MiB"), done.stderr


# -- a store under it -----------------------------------------------------------------------------


@given(locks, locks, locks)
def test_another_lock_opens_the_same_values_and_the_old_one_nothing(lock: Lock, newer: Lock, wrong: Lock) -> None:
    assume(len({(one.kind, one.secret.expose()) for one in (lock, newer, wrong)}) == 3)
    store = MemoryStore()

    async def story() -> None:
        await (await opened(store, lock, new=True)).commit(write(colour=b"red"))
        await relock(store, await unlock(store, always(lock), name="store.db", new=False), newer)
        assert await (await opened(store, newer)).commit(read(b"colour")) == b"red"

    asyncio.run(story())
    before = store.snapshot()
    assert refusal(store, lock) is refusal(store, wrong) is Reason.STORE_LOCKED
    assert refusal(store, lock, new=True) is Reason.STORE_LOCKED
    assert store.snapshot() == before


def test_what_opens_it_is_asked_for_by_its_kind() -> None:
    asked: list[LockKind | None] = []

    def choose(kind: LockKind | None) -> Lock:
        asked.append(kind)
        return A_LOCK

    async def story() -> None:
        store = MemoryStore()
        await unlock(store, choose, name="s", new=True)
        await unlock(store, choose, name="s", new=True)

    asyncio.run(story())
    assert asked == [None, LockKind.PASSPHRASE]


@pytest.mark.parametrize("new", [False, True])
def test_a_store_that_holds_values_and_no_keyring_gets_none(*, new: bool) -> None:
    store = MemoryStore()
    asyncio.run(store.commit(write(colour=b"red")))
    before = store.snapshot()
    assert refusal(store, A_LOCK, new=new) is Reason.STORE_CORRUPT
    assert store.snapshot() == before


def test_a_blank_store_where_there_should_be_one_is_damage() -> None:
    store = MemoryStore()
    assert refusal(store, A_LOCK) is Reason.STORE_CORRUPT
    assert store.snapshot() == ({}, {})


def test_a_damaged_keyring_is_damage_and_stays_as_it_is() -> None:
    store = MemoryStore()
    asyncio.run(opened(store, A_LOCK, new=True))
    record = bytearray(store.get(PLACE) or b"")
    record[60] ^= 1
    asyncio.run(store.commit(lambda _: (Writes({PLACE: bytes(record)}), None)))
    before = store.snapshot()
    assert refusal(store, A_LOCK, new=True) is Reason.STORE_CORRUPT
    assert store.snapshot() == before


def test_a_wrong_passphrase_leaves_the_files_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def story(lock: Lock, *, new: bool) -> None:
        store = SqliteStore(path)
        try:
            await (await opened(store, lock, new=new)).commit(write(colour=b"red"))
        finally:
            await store.close()

    asyncio.run(story(A_LOCK, new=True))
    before = path.read_bytes()
    with pytest.raises(RefusedError, match=r"store\.db"):
        asyncio.run(story(Lock.passphrase(Secret(b"correct hose"), CHEAP), new=True))
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["store.db"]
