"""The roots order a handover to others: who may say so, when it holds, who stops it, and what running custodians do."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from escrow.committee.succession import HandoverProposal
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import interpolate_scalars
from escrow.errors import BehindError, RefusedError
from escrow.ids import Party
from escrow.roles.agency.commands import Execute, GetOpened, GetReport
from escrow.roles.calls import DeliverDealing, Done, GetCommittee
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.state import HANDOVER, SUCCESSOR, load_holding
from escrow.roles.handover_orders import BY_COMMITTEE
from escrow.roles.machine import Draft
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.handover_order import CANCELLATION_TYPE, Member
from escrow.warrant.policy import SchemeName
from escrow.world.world import World
from tests.core.roles.court import bundle_of, verified
from tests.core.roles.roots import Roots
from tests.core.roles.scene import MINUTE, Scene, scene
from tests.core.roles.test_erasing import made, retire, values
from tests.core.roles.test_generation import SHORT, START

PERIOD = 1000
NEW = (3, 4, 5)
"""One stays, under another index; two come."""


def ordered(to: tuple[int, ...] = NEW, threshold: int = 2) -> tuple[World, bytes, Roots]:
    """A committee 1, 2, 3 with its key, the others at work beside it, and the roots."""
    world, key_hash = made()
    for index in to:
        if index > 3:
            world.enlist(index)
    for _ in range(2):
        world.settle()
    return world, key_hash, Roots(world)


def settle(world: World, rounds: int = 12) -> None:
    for _ in range(rounds):
        world.settle()


def outrun() -> tuple[World, bytes, Roots]:
    """An order that was complete when a refresh, begun before it, came to its end."""
    world, key_hash, roots = ordered()
    world.run(world["custodian/1"], Refresh(PERIOD))
    world.settle()
    roots.give(roots.order(key_hash, NEW, 2))
    named = roots.ledger.handovers.custodians(world.store("log"))
    assert (roots.newest(key_hash).number, named.get("custodian/4")) == (0, roots.custodian(4).public)
    settle(world)
    assert roots.newest(key_hash).number == 1
    return world, key_hash, roots


def shares(world: World, key_hash: bytes) -> dict[str, bytes]:
    """What everybody holds, by party."""
    held = {party: load_holding(world.store(party), key_hash)
            for party in world.network.nodes if party.startswith("custodian/")}  # fmt: skip
    return {party: one.share.expose() for party, one in held.items() if one is not None and one.share is not None}


def opens(world: World, key_hash: bytes, by: dict[int, bytes]) -> bool:
    """Whether these shares, by index, make the committee key."""
    logged = Roots(world).ledger.committee_key_by_hash(world.store("log"), key_hash)
    assert logged is not None
    secret = interpolate_scalars({index: Scalar.decode(share) for index, share in by.items()})
    return EDWARDS25519.base_mul(secret).encode() == logged.key.public


def test_what_the_roots_order_is_done_and_the_others_hold_the_key() -> None:
    world, key_hash, roots = ordered()
    old, before = shares(world, key_hash), roots.newest(key_hash)
    roots.give(roots.order(key_hash, NEW, 2))
    settle(world)
    after, new = roots.newest(key_hash), shares(world, key_hash)
    assert (after.number, after.members) == (1, tuple(roots.member(index).public for index in NEW))
    assert sorted(new) == ["custodian/3", "custodian/4", "custodian/5"]
    assert opens(world, key_hash, {1: new["custodian/3"], 3: new["custodian/5"]})
    assert not opens(world, key_hash, {1: old["custodian/1"], 3: new["custodian/5"]})
    assert not opens(world, key_hash, {1: old["custodian/1"], 2: new["custodian/4"]})
    assert roots.ledger.erased(world.store("relay"), key_hash, before.hash) == frozenset(before.members)
    for party, share in old.items():
        assert not any(share in value for value in values(world.store(party)))
    assert world.ask("custodian/4", GetCommittee()).generation == after.encode()
    assert world.ask("custodian/1", GetCommittee()).generation == b"", "who has left serves nothing"


def test_whoever_holds_the_key_now_hands_it_on_and_erases_it_at_the_end() -> None:
    world, key_hash, roots = ordered()
    roots.give(roots.order(key_hash, NEW, 2))
    settle(world)
    world.run(world["custodian/4"], Refresh(PERIOD))
    settle(world)
    assert roots.newest(key_hash).number == 2
    roots.give(roots.order(key_hash, (5, 1), 1))
    settle(world)
    assert sorted(shares(world, key_hash)) == ["custodian/1", "custodian/5"], "one has come back"
    assert opens(world, key_hash, {2: shares(world, key_hash)["custodian/1"]})
    retire(world)
    assert shares(world, key_hash) == {}
    assert roots.ledger.erased(world.store("log"), key_hash) == frozenset(roots.newest(key_hash).members)


@pytest.mark.spec("HND-10")
def test_too_few_roots_move_nothing_and_their_progress_shows() -> None:
    world, key_hash, roots = ordered()
    order = roots.order(key_hash, NEW, 2)
    assert roots.sign(order, "root-2") == ""
    settle(world)
    attempt = roots.ledger.handovers.under_way(world.store("relay"), roots.newest(key_hash))
    assert attempt is not None
    assert (attempt.signers, attempt.complete) == ((roots.keys["root-2"].public,), -1)
    assert roots.newest(key_hash).number == 0
    assert roots.sign(order, "root-2", "root-3") == ""
    settle(world)
    assert roots.newest(key_hash).number == 1


def test_signatures_of_others_and_of_other_things_are_no_order() -> None:
    world, key_hash, roots = ordered()
    order = roots.order(key_hash, NEW, 2)
    names = ("root-1", "root-2")
    for wrong in (
        roots.envelope(order),
        roots.envelope(order, "root-1", "root-1"),
        roots.envelope(order, *names, kind=CANCELLATION_TYPE),
        roots.envelope(changed(order, genesis="00" * 32), *names),
    ):
        assert roots.log(EntryType.HANDOVER_ORDER, wrong, roots.keys["root-1"]) == "COMMITTEE_UNAUTHORISED"
    assert roots.log(EntryType.HANDOVER_ORDER, roots.envelope(order, *names), roots.keys["root-3"]) == "ENTRY_REFUSED"
    assert roots.log(EntryType.HANDOVER_ORDER, roots.envelope(order, *names), roots.custodian(1)) == "ENTRY_REFUSED"
    settle(world, 3)
    assert roots.newest(key_hash).number == 0


@pytest.mark.spec("HND-12")
def test_nobody_goes_by_anothers_name_and_no_other_office_gets_a_share() -> None:
    world, key_hash, roots = ordered()
    mine, relay = roots.member(4), world.genesis.relay.key
    for members, reason in (
        ((Member(id="custodian/1", key=mine.key), roots.member(2)), "SEPARATION_OF_DUTIES"),
        ((Member(id="custodian/4", key=relay), roots.member(2)), "SEPARATION_OF_DUTIES"),
        ((Member(id="custodian/4", key=roots.keys["root-3"].public.hex()), roots.member(2)), "SEPARATION_OF_DUTIES"),
        ((Member(id="custodian/9", key=roots.member(1).key), roots.member(2)), "SEPARATION_OF_DUTIES"),
        ((mine, Member(id="custodian/4", key=roots.member(5).key)), "SCHEMA_INVALID"),
        ((mine, Member(id="custodian/5", key=mine.key)), "SCHEMA_INVALID"),
        ((Member(id="custodian/4", key="00" * 32), roots.member(2)), "SCHEMA_INVALID"),
        ((Member(id="relay", key=mine.key), roots.member(2)), "SCHEMA_INVALID"),
        ((mine,), "RANGE_INVALID"),
    ):
        order = roots.order(key_hash, (), 2, members=members)
        assert roots.sign(order, "root-1") == reason
    roots.give(roots.order(key_hash, NEW, 2))
    settle(world)
    other = Member(id="custodian/4", key=roots.member(6).key)
    assert roots.sign(roots.order(key_hash, (), 1, members=(other,)), "root-1") == "SEPARATION_OF_DUTIES"
    other = Member(id="custodian/6", key=mine.key)
    assert roots.sign(roots.order(key_hash, (), 1, members=(other,)), "root-1") == "SEPARATION_OF_DUTIES"


@pytest.mark.spec("HND-14")
def test_of_all_attempts_one_is_under_way_and_no_signature_goes_to_another() -> None:
    world, key_hash, roots = ordered()
    order, other = roots.order(key_hash, NEW, 2), roots.order(key_hash, NEW, 2, nonce="0b" * 16)
    assert roots.sign(order, "root-1") == ""
    assert roots.sign(other, "root-2") == "CEREMONY_RUNNING"
    assert roots.sign(order, "root-2") == "CEREMONY_STALE", "it forgets the one that has signed"
    assert roots.cancel(order) == ""
    assert roots.sign(order, "root-1", "root-2") == "CEREMONY_STALE"
    assert roots.cancel(order, "root-1") == "CEREMONY_STALE"
    roots.give(other)
    assert roots.sign(other, "root-1", "root-2", "root-3") == "CEREMONY_STALE", "it is complete"
    settle(world)
    assert roots.newest(key_hash).number == 1
    assert roots.sign(other, "root-1", "root-2", "root-3") == "CEREMONY_STALE"
    assert roots.cancel(other) == "CEREMONY_STALE", "it is done"
    assert roots.sign(changed(order, nonce="0c" * 16), "root-1") == "GENERATION_MISMATCH"


@pytest.mark.spec("HND-14")
def test_no_other_order_goes_by_the_nonce_of_one_that_was_stopped() -> None:
    _, key_hash, roots = ordered()
    looked_at = roots.order(key_hash, NEW, 2)
    assert roots.sign(looked_at, "root-1") == ""
    assert roots.cancel(looked_at, "root-1") == ""
    put_in_its_place = roots.order(key_hash, (4, 5), 1, nonce=looked_at.nonce)
    assert roots.sign(put_in_its_place, "root-1") == "CEREMONY_STALE"
    assert roots.sign(roots.order(key_hash, (4, 5), 1), "root-1") == ""


@pytest.mark.spec("HND-15")
@pytest.mark.parametrize("rounds", [0, 2, 4])
def test_one_root_stops_an_order_and_the_old_shares_serve_on(rounds: int) -> None:
    world, key_hash, roots = ordered()
    old = shares(world, key_hash)
    order = roots.give(roots.order(key_hash, NEW, 2))
    settle(world, rounds)
    assert roots.cancel(order) == ""
    settle(world)
    assert roots.newest(key_hash).number == 0
    assert shares(world, key_hash) == old
    assert not any(list(world.store(party).scan(HANDOVER)) for party in world.network.nodes if "custodian" in party)
    world.run(world["custodian/1"], Refresh(PERIOD))
    settle(world)
    assert roots.newest(key_hash).number == 1
    assert roots.newest(key_hash).members == tuple(roots.member(index).public for index in (1, 2, 3))
    assert not list(world.store("custodian/4").scan(SUCCESSOR)), "what never counted is gone"


@pytest.mark.spec("HND-15")
def test_an_order_that_a_refresh_came_before_leaves_nobody_in_office() -> None:
    world, key_hash, roots = outrun()
    assert roots.newest(key_hash).members == tuple(roots.member(index).public for index in (1, 2, 3))
    for party in ("log", "relay", "custodian/1"):
        assert dict(roots.ledger.handovers.custodians(world.store(party))) == dict(world.genesis.custodian_keys)
        assert not roots.ledger.handovers.names(world.store(party), roots.custodian(4).public)
        assert not list(world.store(party).scan(BY_COMMITTEE))
    again = HandoverProposal(1, roots.newest(key_hash).hash, *roots.order(key_hash, (1, 2, 3), 2).committee, bytes(16))
    assert roots.log(EntryType.HANDOVER_PROPOSAL, again.encode(), roots.custodian(4)) == "ENTRY_REFUSED"


@pytest.mark.spec("HND-13")
def test_an_order_waits_for_its_time_and_one_that_is_logged_too_late_has_none() -> None:
    delay = 60 * MINUTE
    world = World(terms=replace(SHORT, effect_delay=delay), start=START)
    world.make_committee_key()
    for index in (4, 5):
        world.enlist(index)
    roots = Roots(world)
    logged = roots.ledger.committee_key(world.store("log"), world.genesis.policy.hash, PERIOD)
    assert logged is not None
    key_hash = logged.key.hash
    late = roots.order(key_hash, NEW, 2, effective_at=world.now + delay - world.genesis.skew_ms - MINUTE)
    assert roots.sign(late, "root-1") == "NOT_IN_EFFECT"
    never = roots.order(key_hash, NEW, 2, effective_at=world.genesis.policy.retire_at(PERIOD))
    assert roots.sign(never, "root-1") == "PERIOD_RETIRED"
    order = roots.give(roots.order(key_hash, NEW, 2, effective_at=world.now + delay))
    settle(world)
    early = HandoverProposal(1, roots.newest(key_hash).hash, *order.committee, bytes(16))
    assert roots.log(EntryType.HANDOVER_PROPOSAL, early.encode(), roots.custodian(1)) == "NOT_IN_EFFECT"
    same = replace(early, members=roots.newest(key_hash).members)
    assert roots.log(EntryType.HANDOVER_PROPOSAL, same.encode(), roots.custodian(1)) == "COMMITTEE_UNAUTHORISED"
    world.advance(delay - world.genesis.skew_ms)
    settle(world)
    assert roots.newest(key_hash).number == 0
    world.advance(world.genesis.skew_ms)
    settle(world)
    assert roots.newest(key_hash).number == 1


def test_a_follower_who_was_there_takes_no_order_that_the_log_backdates() -> None:
    world, key_hash, roots = ordered()
    order = roots.order(key_hash, NEW, 2, effective_at=world.now - 2 * world.genesis.skew_ms)
    payload, submitter = roots.envelope(order, "root-1", "root-2"), roots.keys["root-2"].public
    handovers, newest = roots.ledger.handovers, roots.newest(key_hash)
    with pytest.raises(RefusedError, match="NOT_IN_EFFECT"):
        handovers.file(Draft(world.store("relay")), payload, submitter, 99, newest, int(world.now))
    assert handovers.file(Draft(world.store("relay")), payload, submitter, 99, newest, 0), "who comes later cannot tell"


@pytest.mark.parametrize("scheme", ["pq", "hybrid-ed25519"])
def test_no_order_moves_shares_that_lie_in_the_capsules(scheme: SchemeName) -> None:
    world = World(terms=replace(SHORT, scheme=scheme), start=START)
    world.make_committee_key()
    roots = Roots(world)
    logged = roots.ledger.committee_key(world.store("log"), world.genesis.policy.hash, PERIOD)
    assert logged is not None
    assert roots.sign(roots.order(logged.key.hash, (1, 2), 2), "root-1") == "SUITE_MISMATCH"


def test_somebody_new_who_is_late_is_waited_for_and_asked_again() -> None:
    world, key_hash, roots = ordered()
    world.network.down.add(Party("custodian/5"))
    roots.give(roots.order(key_hash, NEW, 2))
    settle(world, 4)
    world.advance(61_000)
    settle(world, 4)
    assert not list(world.store("custodian/1").scan(HANDOVER)), "who is silent ends it"
    world.network.down.clear()
    world.advance(10 * MINUTE)
    settle(world)
    assert roots.newest(key_hash).number == 1


def test_a_dealing_that_comes_too_late_holds_nothing_up_and_one_that_comes_too_early_waits() -> None:
    world, key_hash, roots = ordered()
    roots.give(roots.order(key_hash, NEW, 2))
    settle(world)
    data = world.store("log").records("log/leaves", start=0, limit=10_000)
    proposals = [entry for entry in map(Entry.decode, data) if entry.type is EntryType.HANDOVER_PROPOSAL]
    late = DeliverDealing(HandoverProposal.decode(proposals[0].payload).hash, 7, bytes(48))
    assert world.ask("custodian/4", late, "custodian/1") == Done()
    early = DeliverDealing(bytes(32), 7, bytes(48))
    for sender in ("custodian/5", "custodian/1"):
        with pytest.raises(BehindError):
            world.ask("custodian/4", early, sender)
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        world.ask("custodian/4", early, "custodian/9")


# -- under a warrant --------------------------------------------------------------------------


def executed(at: Scene) -> list[str]:
    at.world.run(at.world["agency/police"], Execute(at.warrant_id))
    at.settle()
    opened = at.world.run(at.world["agency/police"], GetOpened(at.warrant_id, 0, 100))
    return sorted(item.text for item in opened.items if not item.reason)


def handed(at: Scene, to: tuple[int, ...] = NEW, threshold: int = 2) -> bytes:
    world, policy = at.world, at.world.genesis.policy
    for index in to:
        if index > policy.n:
            world.enlist(index)
    roots = Roots(world)
    logged = roots.ledger.committee_key(world.store("log"), policy.hash, policy.period_of(policy.epoch_of(at.start)))
    assert logged is not None
    roots.give(roots.order(logged.key.hash, to, threshold))
    at.settle(12)
    assert roots.newest(logged.key.hash).number == 1
    at.pass_time(2 * MINUTE)  # who has just come has just seen the seal
    return logged.key.hash


@pytest.fixture(name="ready")
def _ready() -> Iterator[Scene]:
    at = scene().rewind("ready")
    yield at
    for party in [party for party in at.world.network.nodes if party in ("custodian/4", "custodian/5")]:
        del at.world.network.nodes[party]


@pytest.mark.spec("HND-16")
def test_an_agency_that_asked_the_old_members_goes_to_the_new_ones_and_blames_nobody(ready: Scene) -> None:
    world = ready.world
    world.network.down |= {Party("custodian/2"), Party("custodian/3")}
    assert executed(ready) == [], "one share is too few"
    world.network.down.clear()
    handed(ready)
    world.network.down |= {Party("custodian/1"), Party("custodian/2")}
    assert executed(ready) == ["one", "three", "two"]
    (request,) = world.run(world["agency/police"], GetReport(ready.warrant_id)).requests
    assert request.culprits == ()
    assert {one.custodian for one in request.custodians} == {"custodian/3", "custodian/4", "custodian/5"}


def test_one_of_the_new_holders_opens_where_one_is_enough_and_a_court_is_shown_by_whose_order(ready: Scene) -> None:
    world = ready.world
    handed(ready, to=(5, 4), threshold=1)
    world.network.down.add(Party("custodian/5"))
    assert executed(ready) == ["one", "three", "two"]
    (request,) = world.run(world["agency/police"], GetReport(ready.warrant_id)).requests
    assert (request.threshold, request.reason) == (1, "")
    world.network.down.clear()
    bundle = bundle_of(ready)
    proved = verified(ready, bundle)
    assert sorted(said.text for said in proved.opened) == ["one", "three", "two"]
    assert proved.custodians == {2}
    ((asked,), without) = bundle.requests, [one for one in bundle.entries
                                           if Entry.decode(one).type is not EntryType.HANDOVER_ORDER]  # fmt: skip
    assert asked.shares.threshold == 1
    assert len(without) < len(bundle.entries)
    follower = MemoryStore()
    draft = Draft(follower)
    for data in without:
        Roots(world).ledger.follow(draft, data, world.now)
    assert Roots(world).ledger.generation_by_hash(draft, asked.shares.hash) is None, "nobody takes it without the order"


def test_whoever_has_passed_its_share_on_and_whoever_never_had_one_say_so_by_name(ready: Scene) -> None:
    key_hash = handed(ready)
    world = ready.world
    assert ready.why_not(custodian=1) == "GENERATION_MISMATCH"
    assert ready.release(custodian=4).reason in ("", "INTENT_PENDING")
    world.enlist(6)
    for _ in range(2):
        world.settle()
    assert load_holding(world.store("custodian/6"), key_hash) is None
    assert ready.why_not(custodian=6) == "COMMITTEE_NOT_MINE"
    del world.network.nodes[Party("custodian/6")]
