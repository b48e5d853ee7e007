"""The relay's promise: every receipt is under a logged root in time, and no receipt is older than it says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.receipt import Receipt, ingest_leaf
from escrow.errors import EscrowError, Reason
from escrow.ids import Millis, Party
from escrow.roles.calls import Append, Appended, AppendResult, Call, Fetch, GetIngestPaths, Produce, Reply
from escrow.roles.follower import Follower
from escrow.roles.ledger import LEAVES
from escrow.roles.machine import Draft
from escrow.roles.relay import Relay
from escrow.roles.relay.ingest import TREE
from escrow.tlog.merkle import leaf_hash, verify_inclusion
from tests.core.roles.test_relay import Scene, result_of, scene
from tests.core.roles.town import HOUR, MINUTE, TERMS, Phone, Town


def relay_of(town: Town) -> Relay:
    return Relay(town.genesis, town.key("relay"))


def due(at: Scene) -> Millis | None:
    return relay_of(at.town).next_due(Draft(at.town.store("relay")))


def logged(at: Scene) -> int:
    root = Follower(at.town.genesis).newest_root(at.town.store("relay"), at.town.genesis.relay.public)
    return root.size if root else 0


def say(at: Scene, count: int = 1) -> list[bytes]:
    """Send some messages in the epoch of now; their receipts."""
    route = at.alice.route(at.bob)
    at.alice.ask(route)
    return [result_of(at.alice.send(at.key, route, at.bob)).receipt for _ in range(count)]


def test_a_root_is_due_one_cadence_after_the_oldest_receipt_and_logged_by_then() -> None:
    at = scene()
    assert due(at) is None
    say(at)
    first = at.town.now
    at.town.advance(10 * MINUTE)
    say(at)
    assert due(at) == first + TERMS.ingest_cadence
    at.town.tick("relay")
    assert logged(at) == 0, "not before it is due"
    at.town.advance(TERMS.ingest_cadence - 10 * MINUTE)
    at.town.tick("relay")
    assert logged(at) == 2
    assert due(at) is None
    size = at.town.store("log").length(LEAVES)
    at.town.tick("relay")
    assert at.town.store("log").length(LEAVES) == size, "and only once"


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3 * HOUR), st.booleans()), min_size=1, max_size=6))
def test_every_receipt_lies_between_the_two_roots_around_it(steps: list[tuple[int, int, bool]]) -> None:
    at = scene()
    receipts: list[bytes] = []
    for count, pause, catch_up in steps:
        receipts += say(at, count)
        at.town.advance(pause)
        if catch_up:
            at.town.catch_up("relay")
        else:
            at.town.tick("relay")
    at.town.catch_up("relay")
    follower, view, relay = Follower(at.town.genesis), at.town.store("relay"), at.town.genesis.relay.public
    for encoded in receipts:
        receipt = Receipt.decode(encoded)
        root = follower.root_covering(view, relay, receipt.ingest_seq)
        assert root is not None
        assert root.after_ms < receipt.ingest_time <= root.time_ms
        path = TREE.inclusion(view, receipt.ingest_seq, root.size)
        verify_inclusion(leaf_hash(ingest_leaf(encoded)), receipt.ingest_seq, root.size, path, root.root)


@pytest.mark.spec("RLY-13")
def test_a_relay_that_broke_its_promise_takes_no_more_escrowed_items_until_it_has_kept_it() -> None:
    at = scene()
    say(at)
    at.town.advance(TERMS.most_inclusion_delay + 1)
    at.town.take_down("log")
    letter = at.letter().item()
    with pytest.raises(EscrowError) as caught:
        at.alice.submit(letter)
    assert caught.value.reason is Reason.INGEST_BLOCKED
    assert at.alice.submit(at.alice.plain(at.bob)).items[0].reason == "", "others are not held up"
    at.town.take_down()
    assert at.alice.submit(letter).items[0].reason == ""


@pytest.mark.spec("RLY-13")
def test_where_the_log_refuses_its_roots_each_item_is_refused_by_name() -> None:
    at = scene()
    say(at)

    def refuse(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        return Appended((AppendResult(0, "ENTRY_REFUSED"),)) if isinstance(call, Append) else reply

    def withhold(_origin: Party, to: Party, call: Call) -> Call:
        return Append(()) if isinstance(call, Append) and to == "log" else call

    at.town.network.on_reply, at.town.network.on_call = refuse, withhold
    at.town.advance(TERMS.most_inclusion_delay + 1)
    items = (at.letter().item(), at.alice.plain(at.bob))
    assert [one.reason for one in at.alice.submit(*items).items] == ["INGEST_BLOCKED", ""]
    at.town.network.on_reply = lambda *parts: parts[-1]
    at.town.network.on_call = lambda *parts: parts[-1]
    at.town.tick("relay")
    assert at.alice.submit(items[0]).items[0].reason == "", "the next root covers what was refused"


def test_a_root_whose_answer_is_lost_is_delivered_again_and_logged_once() -> None:
    at = scene()
    say(at, 2)
    at.town.take_down("log")
    at.town.advance(TERMS.ingest_cadence)
    at.town.tick("relay")
    say(at)
    at.town.tick("relay")
    at.town.take_down()
    at.town.catch_up("relay")
    at.town.catch_up("relay")
    assert logged(at) == 3


def test_what_is_kept_is_forgotten_after_delivery_and_retention() -> None:
    at = scene(relay_retention=HOUR)
    (receipt,) = say(at)
    key = b"item/" + Receipt.decode(receipt).ingest_seq.to_bytes(8, "big")
    store = at.town.store("relay")
    at.town.advance(5 * HOUR)
    at.town.tick("relay")
    assert store.get(key) is not None, "not before it is delivered"
    fetch(at.bob, 1)
    at.town.advance(HOUR - 1)
    at.town.tick("relay")
    assert store.get(key) is not None
    say(at)
    fetch(at.bob, 2)
    at.town.advance(1)
    at.town.tick("relay")
    assert store.get(key) is None
    assert len(list(store.scan(b"item/"))) == 1, "each has its own time"
    at.town.advance(HOUR)
    at.town.tick("relay")
    assert not list(store.scan(b"about/"))
    assert not list(store.scan(b"expires/"))


def test_without_retention_nothing_outlives_delivery() -> None:
    at = scene(relay_retention=0)
    say(at)
    fetch(at.bob, 1)
    assert not list(at.town.store("relay").scan(b"item/"))


def fetch(phone: Phone, start: int) -> None:
    phone.ask(Fetch(start, 10))


def test_nothing_is_produced_without_a_warrant() -> None:
    at = scene()
    say(at)
    for dsse in (b"", b"{}"):
        with pytest.raises(EscrowError) as caught:
            at.town.ask("relay", Produce(dsse, bytes(32), 0), "agency/north")
        assert caught.value.reason is Reason.SEAL_MISMATCH
    with pytest.raises(EscrowError) as caught:
        at.town.ask("relay", Produce(b"", bytes(32), 0), at.alice.party)
    assert caught.value.reason is Reason.PERMISSION_DENIED


# -- paths for whoever holds a receipt --------------------------------------------------------------------


@pytest.mark.spec("RLY-14")
@settings(max_examples=25)
@given(st.data())
def test_every_receipt_can_be_shown_under_every_tree_that_covers_it(data: st.DataObject) -> None:
    at = scene()
    receipts = say(at, 7)
    size = data.draw(st.integers(1, 7))
    places = tuple(data.draw(st.lists(st.integers(0, size - 1), max_size=9)))
    reply = at.alice.ask(GetIngestPaths(size, places))
    root = TREE.root(at.town.store("relay"), size)
    for place, path in zip(places, reply.paths, strict=True):
        hashes = [path[start : start + 32] for start in range(0, len(path), 32)]
        verify_inclusion(leaf_hash(ingest_leaf(receipts[place])), place, size, hashes, root)


@pytest.mark.spec("RLY-14")
@pytest.mark.parametrize(
    ("size", "places", "reason"),
    [
        (0, (), "NOT_FOUND"),
        (3, (0,), "NOT_FOUND"),
        (1 << 63, (0,), "NOT_FOUND"),
        (2, (2,), "NOT_LOGGED"),
        (1, (0, 1), "NOT_LOGGED"),
        (2, ((1 << 64) - 1,), "NOT_LOGGED"),
        (2, (0,) * 257, "TOO_LARGE"),
    ],
)
def test_what_was_never_in_the_tree_is_not_shown(size: int, places: tuple[int, ...], reason: str) -> None:
    at = scene()
    say(at, 2)
    with pytest.raises(EscrowError, match=reason):
        at.alice.ask(GetIngestPaths(size, places))


@pytest.mark.spec("RLY-14")
def test_only_devices_are_shown_where_receipts_stand() -> None:
    at = scene()
    say(at)
    with pytest.raises(EscrowError) as caught:
        at.town.ask("relay", GetIngestPaths(1, (0,)))
    assert caught.value.reason in {Reason.UNAUTHENTICATED, Reason.PERMISSION_DENIED}
