"""What one corrupt party tried and could once do: log what stops the others, start again what was stopped."""

from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import replace

import pytest

from escrow.committee.dkg import DkgState
from escrow.committee.messages import Kind, read_entry
from escrow.crypto.sign import SigningKey
from escrow.encoding import u64
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.authorised import proposal_for
from escrow.roles.calls import (
    Append,
    Appended,
    AppendResult,
    Call,
    Dating,
    DeliverOrder,
    GetCommittee,
    GetDating,
    GetHead,
    GetRecord,
    Record,
    Reply,
)
from escrow.roles.custodian.state import load_holding
from escrow.roles.ledger import Ledger
from escrow.roles.lightview import LightView, SeenHead
from escrow.roles.machine import Answered, Draft, Todo
from escrow.roles.state import pack, unpack
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.warrant.orders import Order
from escrow.world.founding import APPROVERS, ISSUERS
from escrow.world.world import World
from tests.core.roles.scene import Scene, scene
from tests.core.roles.test_generation import SHORT, START
from tests.core.roles.town import Town, committee_documents

JUDGE, COMMISSIONER = ISSUERS[0], APPROVERS[0]
DEVICE = "device/" + "00" * 32 + "/1"


@pytest.fixture
def ready() -> Scene:
    return scene().rewind("ready")


# -- orders --------------------------------------------------------------------------------------------


def order(at: Scene, kind: EntryType, *people: str, turn: int = 0) -> Order:
    return Order.signed(kind, at.tag, *map(at.person, people), turn=turn)


def logged(at: Scene, kind: EntryType, *people: str, turn: int = 0) -> tuple[str, ...]:
    return at.log("authority", kind, order(at, kind, *people, turn=turn).encode())


def suspended_again(at: Scene) -> None:
    assert logged(at, EntryType.SUSPENSION, JUDGE) == ("",)
    assert logged(at, EntryType.RESUMPTION, JUDGE, COMMISSIONER) == ("",)
    assert logged(at, EntryType.SUSPENSION, JUDGE, turn=1) == ("",)
    assert at.why_not() == "SUSPENDED"


def test_whoever_read_a_resumption_in_the_log_cannot_use_it_again(ready: Scene) -> None:
    suspended_again(ready)
    old = order(ready, EntryType.RESUMPTION, JUDGE, COMMISSIONER)
    padded = tuple(sorted((*old.signatures, (b"\1" * 32, bytes(64)))))
    other = order(ready, EntryType.RESUMPTION, ISSUERS[1], COMMISSIONER)
    for again in (old, replace(old, signatures=old.signatures[::-1]), replace(old, signatures=padded), other):
        with suppress(EscrowError):
            ready.world.ask("custodian/2", DeliverOrder(again.encode()), DEVICE)
        ready.settle()
        assert ready.log("custodian/2", EntryType.RESUMPTION, again.encode()) != ("",)
    assert ready.why_not() == "SUSPENDED"
    assert logged(ready, EntryType.RESUMPTION, JUDGE, COMMISSIONER, turn=1) == ("",)
    assert ready.why_not() == ""


def test_the_same_person_may_suspend_again_and_straight_at_a_custodian(ready: Scene) -> None:
    assert logged(ready, EntryType.SUSPENSION, JUDGE) == ("",)
    assert logged(ready, EntryType.RESUMPTION, JUDGE, COMMISSIONER) == ("",)
    ready.world.network.down.add(Party("log"))
    ready.world.ask("custodian/1", DeliverOrder(order(ready, EntryType.SUSPENSION, JUDGE, turn=1).encode()))
    assert ready.why_not() == "SUSPENDED"


def test_an_order_in_everybodys_hands_fills_no_log(ready: Scene) -> None:
    assert logged(ready, EntryType.CANCELLATION, JUDGE) == ("",)
    before = ready.world.store("log").length("log/leaves")
    cancelled = order(ready, EntryType.CANCELLATION, JUDGE)
    for noise in range(3):
        padded = tuple(sorted((*cancelled.signatures, (bytes([noise]) * 32, bytes(64)))))
        with pytest.raises(RefusedError):
            ready.world.ask("custodian/1", DeliverOrder(replace(cancelled, signatures=padded).encode()), DEVICE)
        ready.world.ask("custodian/1", DeliverOrder(cancelled.encode()), DEVICE)
    ready.settle()
    assert ready.world.store("log").length("log/leaves") == before


# -- making the committee's key ------------------------------------------------------------------------


def test_a_proposal_for_the_end_of_time_stops_nobody(ready: Scene) -> None:
    for period in ((1 << 64) - 1, 1 << 53):
        proposal = proposal_for(ready.world.genesis, period).encode()
        assert ready.log("custodian/2", EntryType.COMMITTEE_PROPOSAL, proposal) == ("COMMITTEE_UNAUTHORISED",)
    assert ready.why_not() == ""


class Held:
    """A network that keeps some entries from the log, and what it has kept."""

    def __init__(self, world: World, villain: Party) -> None:
        self.world, self.villain, self.kept, self.keys = world, villain, list[Entry](), False
        self._deliver: Callable[[Party, Party, Call], Awaitable[Reply]] = world.network.call
        world.network.call = self.call  # type: ignore[method-assign]

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        if isinstance(call, Append) and self._holds(origin, Entry.decode(call.entries[0])):
            return Appended((AppendResult(0, ""),))
        return await self._deliver(origin, to, call)

    def _holds(self, origin: Party, entry: Entry) -> bool:
        """The villain's certificates of its first run; and everybody's keys if so wished."""
        if entry.type is EntryType.COMMITTEE_KEY:
            return self.keys
        if origin != self.villain or entry.type is not EntryType.DKG_CERTIFY:
            return False
        self.kept.append(entry)
        return read_entry(entry.payload)[0] == read_entry(self.kept[0].payload)[0]


@pytest.mark.parametrize("keys", [False, True], ids=["during the next run", "after it"])
def test_a_key_that_one_custodian_completes_late_finds_its_shares(keys: bool) -> None:
    world, villain = World(terms=SHORT, start=START), Party("custodian/3")
    held = Held(world, villain)
    held.keys = keys
    for _ in range(12):
        world.settle()
    certificate = held.kept[0]
    record = unpack(world.store("custodian/1").get(b"run/" + u64(1000)) or b"", DkgState).record
    outcome = record.after(Kind.DKG_CERTIFY, certificate.submitter, certificate.payload).outcome
    world.advance(61_000)
    for _ in range(12 if keys else 3):
        world.settle()
    status = world.ask("custodian/1", GetCommittee())
    assert status.run == 1, "the others have given the first run up"
    assert bool(status.committee_key) == keys

    held.keys = False
    documents = (EntryType.SHARE_GENERATION, outcome.generation), (EntryType.COMMITTEE_KEY, outcome.key)
    signer = SigningKey.from_seed(world.founding.parties[villain])
    entries = tuple(Entry.make(kind, one.encode(), signer, world.genesis.log.origin) for kind, one in documents)
    assert [one.reason for one in world.ask("log", Append(entries)).results] == ["", ""]
    for _ in range(6):
        world.settle()
    counts = Ledger(world.genesis).committee_key(world.store("log"), world.genesis.policy.hash, 1000)
    assert counts is not None
    assert counts.key == outcome.key
    for index in (1, 2):
        store = world.store(f"custodian/{index}")
        holding = load_holding(store, outcome.key.hash)
        assert holding is not None
        assert holding.share is not None
        assert world.ask(f"custodian/{index}", GetCommittee()).committee_key == outcome.key.encode()
        assert len(list(store.scan(b"share/"))) == 1
        assert not list(store.scan(b"certified/"))
        assert not list(store.scan(b"run/"))


# -- quotas and delivery -------------------------------------------------------------------------------


def test_a_request_that_uses_the_quota_up_waits_for_a_log_that_is_out_of_reach(ready: Scene) -> None:
    tight = ready.sealed_by_force(ready.rewritten(max_capsules=ready.request.count), *ready.locks)
    ready.world.network.down.add(Party("log"))
    assert [ready.why_not(tight) for _ in range(3)] == ["INTENT_PENDING"] * 3
    assert not list(ready.entries(EntryType.DENIAL))
    ready.world.network.down.clear()
    assert ready.why_not(tight) == ""


def test_an_intent_that_the_log_turned_away_is_shown_to_it_again(ready: Scene) -> None:
    deliver = ready.world.network.call

    async def call(origin: Party, to: Party, call: Call) -> Reply:
        if origin == "custodian/1" and isinstance(call, Append):
            raise RefusedError(Reason.INTERNAL)
        return await deliver(origin, to, call)

    ready.world.network.call = call  # type: ignore[method-assign]
    assert ready.why_not() == "INTENT_PENDING"
    ready.world.network.call = deliver  # type: ignore[method-assign]
    ready.settle()
    assert ready.why_not() == ""


# -- light views ---------------------------------------------------------------------------------------


def test_a_log_cannot_pass_the_shares_of_one_key_off_as_anothers() -> None:
    town = Town()
    (_, mine), (_, other) = (committee_documents(town.genesis, town.founding, period) for period in (3, 4))
    view = LightView(town.genesis)
    for generation, taken in ((other, False), (mine, True)):
        entry = town.entry("custodian/1", EntryType.SHARE_GENERATION, generation.encode())
        draft = Draft(MemoryStore())
        draft.put(b"view/head", pack(SeenHead(1, leaf_hash(entry), town.now, town.now, 1)))
        call = GetRecord(EntryType.SHARE_GENERATION, mine.committee_key_hash, 1)
        answer = Answered(Todo(0, Party("log"), call), Record(0, entry, ()))
        with nullcontext() if taken else pytest.raises(RefusedError, match="NOT_LOGGED"):
            view.on_answer(draft, answer, town.now)
        known = view.record(draft, EntryType.SHARE_GENERATION, mine.committee_key_hash)
        assert (known is not None) == taken


@pytest.mark.parametrize(
    ("before", "first", "index", "reason"),
    [
        (0, 1, 2, ""),
        (0, 2, 2, ""),
        (None, 0, 0, ""),
        (0, 1, 1, "NOT_LOGGED"),
        (0, 1, 3, "NOT_LOGGED"),
        (None, 0, 2, "NOT_LOGGED"),
        (1, 0, 2, "NOT_LOGGED"),
    ],
)
def test_a_log_cannot_date_an_entry_by_checkpoints_that_are_not_around_it(
    before: int | None, first: int, index: int, reason: str
) -> None:
    town, notes = Town(), list[bytes]()
    for n in range(3):
        town.append(town.entry("custodian/1", EntryType.DKG_COMMIT, b"%d" % n))
        town.clock.advance_to(town.now + 60_000)
        notes.append(town.ask("log", GetHead(0, town.now - 1)).note)  # of 2, 3 and 4 entries
    draft, view = Draft(MemoryStore()), LightView(town.genesis)
    dating = Dating(b"" if before is None else notes[before], notes[first])
    with nullcontext() if not reason else pytest.raises(RefusedError, match=reason):
        view.on_answer(draft, Answered(Todo(0, Party("log"), GetDating(index)), dating), town.now)
    assert (view.dates(draft, index) is None) == bool(reason)
