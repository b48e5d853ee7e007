"""Following the log: what is believed, what is ignored, and what stops everything."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.receipt import IngestRoot
from escrow.errors import BehindError, EscrowError, IntegrityError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.calls import Call, GetUpdate, Lookup, Reply, Update
from escrow.roles.follower import Follower, leaf_of
from escrow.roles.machine import Draft
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import EMPTY_ROOT, root_of
from escrow.warrant.orders import Order
from escrow.warrant.release import ReleaseIntent
from escrow.warrant.sealing import SealedLeaf, WarrantClass
from escrow.warrant.table import Event
from escrow.world.founding import APPROVERS, ISSUERS
from escrow.world.loop import complete
from tests.core.roles.town import DAY, MINUTE, Phone, Town, committee_documents

TAG = b"t" * 32


def watched() -> tuple[Town, Follower]:
    town = Town()
    town.watcher()
    return town, Follower(town.genesis)


def view(town: Town) -> Draft:
    return Draft(town.store("watcher"))


def leaf(town: Town, commit: bytes = b"c" * 32, authority: str = "authority") -> SealedLeaf:
    policy = town.genesis.policy.hash
    return SealedLeaf(TAG, commit, town.key(authority).public, WarrantClass.HISTORICAL, 2, False, 0, 1, policy, 60)


def root(town: Town, size: int, time: int, relay: str = "relay") -> bytes:
    return IngestRoot(town.key(relay).public, size, bytes(32), time).encode()


def dkg(town: Town, n: int) -> bytes:
    return town.entry("custodian/1", EntryType.DKG_COMMIT, b"%d" % n)


# -- what it holds ------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_a_follower_holds_every_entry_in_order_and_a_head_over_them(batches: list[int]) -> None:
    town, follower = watched()
    logged = []
    for number, batch in enumerate(batches):
        entries = [dkg(town, 10 * number + n) for n in range(batch)]
        town.append(*entries)
        logged += entries
        town.catch_up("watcher")
        assert follower.size(view(town)) == len(logged) + 1
        assert [leaf_of(view(town), n + 1) for n in range(len(logged))] == logged
        head = follower.head(view(town))
        assert head is not None
        assert (head.size, head.root) == (len(logged) + 1, root_of([leaf_of(view(town), 0), *logged]))
    with pytest.raises(RefusedError):
        leaf_of(view(town), len(logged) + 1)


def test_a_long_log_is_followed_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escrow.roles.follower.LIMIT", 3)
    town, follower = watched()
    town.append(*(dkg(town, n) for n in range(20)))
    town.catch_up("watcher")
    assert follower.size(view(town)) == 21
    assert town.store("watcher").length("seen") == 21


def test_device_lists_are_followed_as_a_chain_and_found_as_of_a_position() -> None:
    town, follower = watched()
    alice = Phone(town, "alice")
    first = alice.device_list()
    second = alice.device_list(previous=first)
    town.append(alice.list_entry(first))
    town.append(dkg(town, 1))
    town.append(alice.list_entry(second))
    town.catch_up("watcher")
    assert follower.device_list(view(town), alice.account) == second
    assert [follower.device_list(view(town), alice.account, before=index) for index in range(5)] == [
        None,
        None,
        first,
        first,
        second,
    ]
    assert follower.device_list(view(town), bytes(32)) is None


def test_the_first_certified_committee_key_counts() -> None:
    town, follower = watched()
    key = town.committee()
    policy = town.genesis.policy
    period = policy.period_of(policy.epoch_of(town.now))
    town.catch_up("watcher")
    logged = follower.committee_key(view(town), policy.hash, period)
    assert logged is not None
    assert logged == follower.committee_key_by_hash(view(town), key.hash)
    assert (logged.key, logged.period, logged.index) == (key, period, 3)
    generation = follower.generation(view(town), key.hash)
    assert generation is not None
    assert generation.committee_key_hash == key.hash
    assert follower.proposal(view(town), key.proposal_hash) is not None
    assert follower.committee_key(view(town), policy.hash, period + 1) is None
    assert follower.committee_key_by_hash(view(town), bytes(32)) is None
    assert follower.generation(view(town), bytes(32)) is None
    assert follower.proposal(view(town), bytes(32)) is None


def test_only_the_first_seal_of_a_tag_counts_and_orders_follow_in_log_order() -> None:
    town, follower = watched()
    town.append(town.entry("authority", EntryType.WARRANT_SEALED, leaf(town).encode()))
    town.catch_up("watcher")
    first_seen = town.now - town.now % 1000
    town.advance(2 * DAY)
    judge, commissioner = (town.person(name) for name in (ISSUERS[0], APPROVERS[0]))
    suspended = Order.signed(EntryType.SUSPENSION, TAG, judge)
    resumed = Order.signed(EntryType.RESUMPTION, TAG, judge, commissioner)
    half = Order.signed(EntryType.RESUMPTION, TAG, judge)
    intent = ReleaseIntent(TAG, town.key("custodian/2").public, bytes(32), 0, bytes(32), bytes(32), 1, bytes(64))
    posing = replace(intent, custodian=town.key("custodian/1").public)
    reasons = town.append(
        town.entry("authority", EntryType.WARRANT_SEALED, leaf(town, b"d" * 32).encode()),
        town.entry("authority", EntryType.WARRANT_SEALED, leaf(town, b"d" * 32, "relay").encode()),
        town.entry("authority", EntryType.SUSPENSION, suspended.encode()),
        town.entry("authority", EntryType.RESUMPTION, half.encode()),
        town.entry("authority", EntryType.CANCELLATION, suspended.encode()),
        town.entry("custodian/1", EntryType.RESUMPTION, resumed.encode()),
        town.entry("custodian/2", EntryType.RELEASE_INTENT, intent.encode()),
        town.entry("custodian/2", EntryType.RELEASE_INTENT, posing.encode()),
    )
    assert reasons == ("", "ENTRY_REFUSED", "", "LOCKS_INCOMPLETE", "ENTRY_REFUSED", "", "", "ENTRY_REFUSED")
    town.catch_up("watcher")
    seal = follower.seal(view(town), TAG)
    assert seal is not None
    assert (seal.leaf.commit, seal.covered_ms, seal.index) == (b"c" * 32, first_seen, 1)
    assert [one.leaf.commit for one in follower.seals(view(town), TAG)] == [b"c" * 32, b"d" * 32]
    assert [one.event for one in follower.orders(view(town), TAG)] == [Event.SUSPEND, Event.RESUME]
    assert [one.intent for one in follower.intents(view(town), TAG)] == [intent]
    assert follower.seal(view(town), bytes(32)) is None


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=8), st.integers(0, 30))
def test_ingest_roots_grow_in_size_and_time_and_each_receipt_has_its_first_root(
    tried: list[tuple[int, int]], seq: int
) -> None:
    town, follower = watched()
    taken: list[tuple[int, int]] = []
    for size, time in tried:
        grows = not taken or (size > taken[-1][0] and time > taken[-1][1])
        expected = "" if grows or (size, time) in taken else "RECEIPT_INVALID"
        assert town.append(town.entry("relay", EntryType.INGEST_ROOT, root(town, size, time))) == (expected,)
        if grows:
            taken.append((size, time))
    town.catch_up("watcher")
    relay = town.genesis.relay.public
    newest = follower.newest_root(view(town), relay)
    assert newest is not None
    assert (newest.size, newest.time_ms) == taken[-1]
    covering = [pair for pair in taken if pair[0] > seq]
    found = follower.root_covering(view(town), relay, seq)
    if not covering:
        assert found is None
        return
    assert found is not None
    before = taken.index(covering[0])
    assert (found.size, found.time_ms) == covering[0]
    assert found.after_ms == (taken[before - 1][1] if before else -1)


def test_a_relay_logs_roots_for_itself_alone() -> None:
    town, _ = watched()
    assert town.append(town.entry("relay", EntryType.INGEST_ROOT, root(town, 1, 1, "authority"))) == ("ENTRY_REFUSED",)


# -- a log that lies ------------------------------------------------------------------------------


class Forger:
    """A log without scruples: it shows any leaves, and its witnesses (all corrupt) sign them."""

    def __init__(self, town: Town) -> None:
        self.town = town

    def note(self, leaves: list[bytes], witnesses: int = 3) -> bytes:
        genesis = self.town.genesis
        stated = Checkpoint(genesis.log.origin, len(leaves), root_of(leaves) if leaves else EMPTY_ROOT)
        note = checkpoint.sign(stated, genesis.log_key.name, self.town.key("log"))
        for n, key in list(enumerate(genesis.witness_rule.witnesses, 1))[:witnesses]:
            line = cosignature.sign(stated.text(), key.name, self.town.key(f"witness/{n}"), self.town.now // 1000)
            note = cosignature.attach(note, line, key)
        return note

    def serve(self, answer: Callable[[GetUpdate], Update]) -> None:
        def forge(_origin: Party, to: Party, call: Call, reply: Reply) -> Reply:
            return answer(call) if to == "log" and isinstance(call, GetUpdate) else reply

        self.town.network.on_reply = forge


def test_entries_that_do_not_count_are_kept_as_leaves_and_ignored() -> None:
    town, follower = watched()
    forger, alice = Forger(town), Phone(town, "alice")
    first = alice.device_list()
    other, _ = committee_documents(town.genesis, town.founding, 7)
    origin = town.genesis.log.origin
    leaves = [
        b"noise",
        Entry.make(EntryType.WARRANT_SEALED, leaf(town).encode(), alice.account_key, origin),
        alice.list_entry(first)[:-1] + b"\xff",
        alice.list_entry(alice.device_list(previous=first)),
        town.entry("custodian/1", EntryType.COMMITTEE_KEY, other.encode()),
        alice.list_entry(first),
    ]
    forger.serve(lambda _: Update(0, tuple(leaves), forger.note(leaves), ()))
    town.catch_up("watcher")
    assert follower.size(view(town)) == len(leaves)
    assert town.store("watcher").length("seen") == 1
    assert follower.device_list(view(town), alice.account) == first
    assert follower.seal(view(town), TAG) is None


FORGERIES: dict[str, tuple[Callable[[Forger, list[bytes]], Update], Reason]] = {
    "a fork": (
        lambda forger, held: Update(len(held), (b"x",), forger.note([b"other", *held[1:], b"x"]), ()),
        Reason.LOG_INCONSISTENT,
    ),
    "another tree of the same size": (
        lambda forger, held: Update(len(held), (), forger.note([b"other", *held[1:]]), ()),
        Reason.LOG_INCONSISTENT,
    ),
    "a shrunken log": (
        lambda forger, held: Update(len(held), (), forger.note(held[:1]), ()),
        Reason.LOG_INCONSISTENT,
    ),
    "an entry that was not signed for": (
        lambda forger, held: Update(len(held), (b"y",), forger.note([*held, b"x"]), ()),
        Reason.LOG_INCONSISTENT,
    ),
    "entries kept back": (
        lambda forger, held: Update(len(held), (), forger.note([*held, b"x"]), ()),
        Reason.LOG_STALE,
    ),
    "too few witnesses": (
        lambda forger, held: Update(len(held), (b"x",), forger.note([*held, b"x"], 2), ()),
        Reason.QUORUM_MISSING,
    ),
    "no note": (lambda _, held: Update(len(held), (b"x",), b"", ()), Reason.MALFORMED),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_lie_is_refused_and_leaves_everything_as_it_was(name: str) -> None:
    town, follower = watched()
    forge, reason = FORGERIES[name]
    town.append(dkg(town, 1))
    town.catch_up("watcher")
    held = [leaf_of(view(town), n) for n in range(2)]
    before = follower.head(view(town))
    forger = Forger(town)
    forger.serve(lambda _: forge(forger, held))
    with pytest.raises(EscrowError) as caught:
        town.catch_up("watcher")
    assert caught.value.reason is reason
    assert isinstance(caught.value, IntegrityError) == (reason is Reason.LOG_INCONSISTENT)
    assert (follower.head(view(town)), follower.size(view(town))) == (before, 2)
    town.network.on_reply = lambda *parts: parts[-1]
    town.append(dkg(town, 2))
    town.catch_up("watcher")
    assert follower.size(view(town)) == 3


def test_an_answer_that_comes_twice_is_taken_once() -> None:
    town, follower = watched()
    first = town.ask("log", GetUpdate(0, town.now - MINUTE, 10))
    town.append(dkg(town, 1))
    town.catch_up("watcher")
    forger = Forger(town)
    forger.serve(lambda _: first)
    town.catch_up("watcher")
    assert follower.size(view(town)) == 2


# -- how fresh ------------------------------------------------------------------------------------


def refusal(node: Node, town: Town, now: int) -> Reason | None:
    try:
        Follower(town.genesis).require_fresh(Draft(town.store(node.party)), Millis(now))
    except EscrowError as error:
        return error.reason
    return None


def test_a_view_is_acted_on_while_it_is_fresh_and_the_clock_agrees() -> None:
    town = Town()
    node = town.watcher()
    assert refusal(node, town, town.now) is Reason.LOG_STALE
    town.catch_up("watcher")
    seen = town.now - town.now % 1000
    fresh, skew = town.genesis.fresh_ms, town.genesis.skew_ms
    ages = {0: None, skew: None, skew + 1: Reason.CLOCK_SKEW, fresh: Reason.CLOCK_SKEW, fresh + 1: Reason.LOG_STALE}
    assert {age: refusal(node, town, seen + age) for age in ages} == ages
    assert refusal(node, town, seen - skew) is None
    assert refusal(node, town, seen - skew - 1) is Reason.CLOCK_SKEW


def test_a_stale_view_catches_up_by_itself() -> None:
    town = Town()
    node = town.watcher()
    town.advance(DAY)
    complete(node.ask(Party("person/onlooker"), Lookup("")))
    assert refusal(node, town, town.now) is None


def test_a_frozen_view_stays_refused_while_the_log_is_out_of_reach() -> None:
    town = Town()
    node = town.watcher()
    town.catch_up("watcher")
    town.advance(DAY)
    town.network.down.add(Party("log"))
    with pytest.raises(BehindError) as caught:
        complete(node.ask(Party("person/onlooker"), Lookup("")))
    assert caught.value.reason is Reason.LOG_STALE
