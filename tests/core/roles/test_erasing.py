"""The end of a period: what could open it is gone from the store, the file and its journal, and the log says so."""

import asyncio
from pathlib import Path

import pytest

from escrow.committee.erasure import ErasureAttestation
from escrow.errors import MalformedError
from escrow.ids import Millis, Party
from escrow.roles.calls import Append
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.role import Custodian
from escrow.roles.custodian.state import CERTIFIED, MADE, RUN, load_holding
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Tick, Writes
from escrow.store.memory import MemoryStore
from escrow.store.sqlite import SqliteStore
from escrow.tlog.entry import Entry, EntryType
from escrow.world.world import World
from tests.core.roles.test_generation import SHORT, START

CUSTODIANS = [Party(f"custodian/{index}") for index in (1, 2, 3)]


def made() -> tuple[World, bytes]:
    """A committee with its key, and the hash of that."""
    world = World(terms=SHORT, start=START)
    world.make_committee_key()
    logged = Ledger(world.genesis).committee_key(world.store("log"), world.genesis.policy.hash, 1000)
    assert logged is not None
    return world, logged.key.hash


def share_of(world: World, custodian: Party, key_hash: bytes) -> bytes:
    holding = load_holding(world.store(custodian), key_hash)
    assert holding is not None
    assert holding.share is not None
    return holding.share.expose()


def values(store: MemoryStore) -> list[bytes]:
    kept, streams = store.snapshot()
    return [*kept.values(), *(record for records in streams.values() for record in records)]


def retire(world: World) -> None:
    world.advance(world.genesis.policy.retire_at(1000) - world.now)
    for _ in range(6):
        world.settle()


@pytest.mark.spec("ERA-1")
def test_nothing_that_a_custodian_keeps_holds_its_share_any_more() -> None:
    world, key_hash = made()
    shares = [share_of(world, custodian, key_hash) for custodian in CUSTODIANS]
    assert all(
        any(share in value for value in values(world.store(party)))
        for party, share in zip(CUSTODIANS, shares, strict=True)
    )
    retire(world)
    for custodian in CUSTODIANS:
        kept = values(world.store(custodian))
        assert not any(share in value for share in shares for value in kept)
        holding = load_holding(world.store(custodian), key_hash)
        assert holding is not None
        assert holding.share is None


def test_every_custodian_says_in_the_log_that_it_has_erased() -> None:
    world, key_hash = made()
    ledger = Ledger(world.genesis)
    assert ledger.erased(world.store("log"), key_hash) == frozenset()
    retire(world)
    everybody = frozenset(world.genesis.custodian_keys.values())
    for follower in (Party("log"), Party("relay"), *CUSTODIANS):
        assert ledger.erased(world.store(follower), key_hash) == everybody


@pytest.mark.spec("ERA-2")
def test_an_erasure_is_attested_in_a_later_step_than_it_is_made() -> None:
    world, key_hash = made()
    party, now = CUSTODIANS[0], Millis(world.genesis.policy.retire_at(1000))
    role, store = world.role_of(party), world.store(party)
    writes, _ = role.handle(store, Tick(), now, bytes(32))
    assert writes.scrub
    assert _attested(writes) == []
    asyncio.run(store.commit(lambda _: (writes, None)))
    again, _ = role.handle(store, Tick(), now, bytes(32))
    assert [said.committee_key_hash for said in _attested(again)] == [key_hash]
    assert not again.scrub
    asyncio.run(store.commit(lambda _: (again, None)))
    third, _ = role.handle(store, Tick(), now, bytes(32))
    assert _attested(third) == []


def _owed(writes: Writes) -> list[Entry]:
    """The entries that a step owes the log."""
    draft = Draft(MemoryStore())
    for key, value in writes.puts.items():
        if value is not None:
            draft.put(key, value)
    calls = [todo.call for todo in draft.owed(Append)]
    return [Entry.decode(one) for call in calls if isinstance(call, Append) for one in call.entries]


def _attested(writes: Writes) -> list[ErasureAttestation]:
    return [ErasureAttestation.decode(entry.payload) for entry in _owed(writes) if entry.type is EntryType.ERASURE]


def test_the_share_is_gone_from_the_file_and_its_journal_when_the_step_ends(tmp_path: Path) -> None:
    world, key_hash = made()
    party, now = CUSTODIANS[1], Millis(world.genesis.policy.retire_at(1000))
    share, role = share_of(world, party, key_hash), world.role_of(party)
    kept, streams = world.store(party).snapshot()
    records = tuple((name, record) for name, some in streams.items() for record in some)

    def found() -> set[str]:
        return {path.name for path in tmp_path.iterdir() if share in path.read_bytes()}

    async def story() -> None:
        store = SqliteStore(tmp_path / "state.db")
        await store.commit(lambda _: (Writes(dict(kept), records), None))
        assert found(), "before, a thief finds it"
        await store.commit(lambda view: role.handle(view, Tick(), now, bytes(32)))
        assert found() == set()
        await store.close()

    asyncio.run(story())
    assert found() == set()


def test_a_run_that_never_ended_ends_with_its_period() -> None:
    world = World(terms=SHORT, start=START)
    world.network.down.add(CUSTODIANS[2])
    for _ in range(4):
        world.settle()
    assert list(world.store(CUSTODIANS[0]).scan(RUN))
    world.network.down.clear()
    world.network.down.add(Party("log"))
    world.advance(world.genesis.policy.retire_at(1000) - world.now)
    world.settle()
    for custodian in CUSTODIANS:
        for prefix in (RUN, CERTIFIED, MADE):
            assert not list(world.store(custodian).scan(prefix))


@pytest.mark.spec("ERA-3")
def test_an_early_a_strange_and_a_repeated_attestation_do_not_count() -> None:
    world, key_hash = made()
    ledger, end = Ledger(world.genesis), world.genesis.policy.retire_at(1000)

    role = world.role_of(CUSTODIANS[0])
    assert isinstance(role, Custodian)

    def log(said: ErasureAttestation) -> bool:
        """Whether the log files it."""
        entry = Entry.make(EntryType.ERASURE, said.encode(), role.identity, world.genesis.log.origin)
        return ledger.follow(Draft(world.store("log")), entry, world.now) is not None

    for wrong in (
        ErasureAttestation(key_hash, end - 1),
        ErasureAttestation(bytes(32), end),
        ErasureAttestation(key_hash, end, bytes(32)),
    ):
        assert not log(wrong)
    assert log(ErasureAttestation(key_hash, end))
    retire(world)
    assert not log(ErasureAttestation(key_hash, end + 1))


def test_an_attestation_is_read_back_or_refused() -> None:
    for said in (ErasureAttestation(bytes(32), 5), ErasureAttestation(bytes(32), 5, b"g" * 32)):
        assert ErasureAttestation.decode(said.encode()) == said
        assert said.final == (not said.generation_hash)
        for bad in (said.encode()[:-1], said.encode() + b"\0", b""):
            with pytest.raises(MalformedError):
                ErasureAttestation.decode(bad)


class Witnessed(MemoryStore):
    """Remembers, of every step, the types of the entries that it owes the log and whether it scrubs."""

    def __init__(self, before: MemoryStore) -> None:
        super().__init__()
        self.restore(before.snapshot())
        self.steps: list[tuple[frozenset[EntryType], bool]] = []

    def _apply(self, writes: Writes) -> None:
        self.steps.append((frozenset(entry.type for entry in _owed(writes)), writes.scrub))
        super()._apply(writes)


@pytest.mark.spec("ERA-4")
def test_what_a_run_erases_is_in_no_journal_when_the_entry_leaves() -> None:
    world = World(terms=SHORT, start=START)
    stores = []
    for custodian in CUSTODIANS:
        stores.append(Witnessed(world.store(custodian)))
        world[custodian].store = stores[-1]
    world.make_committee_key()
    world.run(world[CUSTODIANS[0]], Refresh(1000))
    for _ in range(9):
        world.settle()
    after = EntryType.DKG_COMMIT, EntryType.DKG_CERTIFY, EntryType.HANDOVER_DEAL, EntryType.HANDOVER_ACKNOWLEDGEMENT
    for store in stores:
        for kind in after:
            (scrubbed,) = {scrub for types, scrub in store.steps if kind in types}
            assert scrubbed
        assert sum(scrub for _, scrub in store.steps) <= 8, "and not with every step: it costs a sync of its own"
