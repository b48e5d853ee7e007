"""Production: exactly the retained items in scope, and nothing without a sealed, logged, active warrant (WAR-25).

The checks are CUST-3 to CUST-8, which custodians run from the same module; here the relay runs them.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.label import Label
from escrow.capsule.receipt import Receipt, ingest_leaf, verify_receipt
from escrow.crypto.sign import SigningKey
from escrow.errors import BehindError, EscrowError, Reason
from escrow.ids import Millis
from escrow.roles.calls import Fetch, Produce, Produced
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.roles.warrant_checks import (
    Clock,
    SealedWarrant,
    check_both_locks,
    check_payload,
    check_scope,
    check_seal,
    check_status,
    check_time,
    check_warrant,
)
from escrow.tlog.entry import EntryType
from escrow.tlog.merkle import leaf_hash, verify_inclusion
from escrow.warrant import dsse, strict
from escrow.warrant.documents import (
    FIELDS,
    PAYLOAD_TYPE,
    EpochRange,
    Target,
    WarrantPayload,
    Window,
    recipient_statement,
)
from escrow.warrant.item import Item
from escrow.warrant.orders import Order
from escrow.warrant.sealing import field_root, make_leaf, seal_tag
from escrow.warrant.table import Event
from escrow.world.founding import APPROVERS, ISSUERS
from tests.core.roles.test_relay import Scene, changed, scene
from tests.core.roles.town import DAY, HOUR, MINUTE, Phone, Town

SALT = b"salt" * 8
LOCKS = (ISSUERS[0], APPROVERS[0])
DELAY = 60
CHUNK = 6 * HOUR


def payload(town: Town, target: Phone, **changes: Any) -> WarrantPayload:
    """A warrant on what ``target`` sent during three days from the present one on."""
    policy = town.genesis.policy
    epoch = policy.epoch_of(town.now)
    agency = SigningKey.from_seed(hashlib.sha256(b"agency").digest())
    names: dict[str, Any] = {
        "warrant_id": "11" * 16,
        "authority": town.key("authority").public.hex(),
        "instrument_sha256": "22" * 32,
        "policy": policy.hash.hex(),
        "targets": (Target(account=target.account.hex(), device=None),),
        "direction": "SENT_BY",
        "conv_tags": None,
        "epochs": (EpochRange(policy=policy.hash.hex(), first=epoch, end=epoch + 3),),
        "message_window": Window(start=policy.epoch_start(epoch), end=policy.epoch_start(epoch + 3)),
        "kind": "HISTORICAL",
        "suites": (1,),
        "not_before": town.now,
        "not_after": town.now + 30 * DAY,
        "activation_delay_s": DELAY,
        "max_capsules": 100,
        "max_identity_keys": 0,
        "request_key": agency.public.hex(),
        "recipient_hpke_key": "33" * 1216,
        "recipient_pop": agency.sign(recipient_statement(b"\x11" * 16, b"\x33" * 1216)).hex(),
        "urgent": False,
        "approve_by": 0,
        "nondisclosure_until": town.now + 60 * DAY,
        "supersedes": None,
        "log_origin": town.genesis.log.origin,
        "salts": {name: hashlib.sha256(name.encode()).hexdigest()[:32] for name in FIELDS},
    }
    return WarrantPayload(**{**names, **changes})


def locked(town: Town, warrant: WarrantPayload, *people: str) -> bytes:
    body = strict.encode(warrant)
    signatures = tuple(dsse.sign(PAYLOAD_TYPE, body, town.person(name)) for name in people)
    return dsse.Envelope(PAYLOAD_TYPE, body, signatures).encode()


def seal(town: Town, warrant: WarrantPayload, envelope: bytes, salt: bytes = SALT) -> None:
    leaf = make_leaf(warrant, envelope, salt)
    assert town.append(town.entry("authority", EntryType.WARRANT_SEALED, leaf.encode())) == ("",)
    town.tick("relay")


def produce(town: Town, envelope: bytes, start: int = 0, salt: bytes = SALT) -> Produced:
    reply = town.ask("relay", Produce(envelope, salt, start), "agency/north")
    assert isinstance(reply, Produced)
    return reply


def refusal(town: Town, envelope: bytes, salt: bytes = SALT) -> Reason:
    with pytest.raises(EscrowError) as caught:
        produce(town, envelope, salt=salt)
    return caught.value.reason


def warranted(at: Scene, **changes: Any) -> bytes:
    """A sealed warrant whose delay is over."""
    warrant = payload(at.town, at.alice, **changes)
    envelope = locked(at.town, warrant, *LOCKS)
    seal(at.town, warrant, envelope)
    at.town.advance(DELAY * 1000)
    return envelope


def say(at: Scene, sender: Phone, *peers: Phone) -> bytes:
    """One message of the epoch of now; its receipt."""
    route = sender.route(*peers)
    sender.ask(route)
    (result,) = sender.send(at.key, route, *peers).items
    assert not result.reason
    return result.receipt


# -- what is produced -----------------------------------------------------------------------------


def check_item(at: Scene, encoded: bytes) -> Item:
    """What a custodian will ask of an item, CUST-9."""
    item = Item.decode(encoded)
    relay = at.town.genesis.relay.public
    receipt, _ = verify_receipt(item.receipt, item.path, item.frame, item.relay_sig, relay)
    root = Follower(at.town.genesis).root_covering(at.town.store("relay"), relay, receipt.ingest_seq)
    assert root is not None
    assert (item.root_index, item.root_size) == (root.index, root.size)
    leaf = leaf_hash(ingest_leaf(item.receipt))
    verify_inclusion(leaf, receipt.ingest_seq, root.size, item.ingest_path, root.root)
    return item


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 1)]), st.integers(0, DAY)), max_size=6),
    st.integers(0, 11),
    st.integers(1, 12),
    st.sampled_from(["SENT_BY", "CONVERSATION_OF"]),
)
def test_it_hands_over_exactly_what_is_in_scope(
    said: list[tuple[tuple[int, int], int]], begin: int, length: int, direction: str
) -> None:
    at = scene()
    phones = [at.alice, at.bob, Phone(at.town, "carol").register()]
    policy = at.town.genesis.policy
    origin = policy.epoch_start(at.route.epoch)
    start, end = origin + begin * CHUNK, origin + (begin + length) * CHUNK
    expected = []
    for (sender, peer), pause in said:
        receipt = say(at, phones[sender], phones[peer])
        concerned = sender == 0 or (direction == "CONVERSATION_OF" and peer == 0)
        if concerned and start <= Receipt.decode(receipt).ingest_time < end:
            expected.append(receipt)
        at.town.advance(pause)
    first, last = max(0, (start - DAY) // DAY), (end + DAY - 1) // DAY
    epochs = (EpochRange(policy=policy.hash.hex(), first=max(first, start // DAY - 1), end=last),)
    window = Window(start=start, end=end)
    envelope = warranted(at, message_window=window, epochs=epochs, direction=direction, not_after=at.town.now + 9 * DAY)
    items = [check_item(at, one) for one in produce(at.town, envelope).items]
    assert [item.receipt for item in items] == expected
    for item in items:
        assert (item.roster_path is not None) == (direction == "CONVERSATION_OF")
        if item.roster_path is not None:
            assert item.roster_path.member(Label.decode(item.label).roster_root) == at.alice.account


def test_many_items_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escrow.roles.relay.producing.PAGE", 3)
    at = scene()
    receipts = [say(at, at.alice, at.bob) for _ in range(8)]
    envelope = warranted(at)
    found, start = [], 0
    while True:
        page = produce(at.town, envelope, start)
        found += [Item.decode(one).receipt for one in page.items]
        start = page.next
        if not start:
            break
    assert found == receipts


def test_what_is_gone_is_not_produced() -> None:
    at = scene(relay_retention=0)
    say(at, at.alice, at.bob)
    envelope = warranted(at)
    assert len(produce(at.town, envelope).items) == 1, "undelivered items are still here"
    at.bob.ask(Fetch(1, 1))
    assert refusal(at.town, envelope) is Reason.NOT_RETAINED


def test_a_live_chain_is_produced_when_its_epoch_has_closed() -> None:
    at = scene(n_max=3)
    say(at, at.alice, at.bob)
    policy = at.town.genesis.policy
    envelope = warranted(at, nondisclosure_until=at.town.now + 60 * DAY)
    assert produce(at.town, envelope).items == ()
    at.town.advance(policy.epoch_end(at.route.epoch) + at.town.genesis.grace_ms - at.town.now)
    assert len(produce(at.town, envelope).items) == 1


def test_a_prospective_warrant_opens_nothing_from_before_its_activation() -> None:
    at = scene()
    say(at, at.alice, at.bob)
    envelope = warranted(at, kind="PROSPECTIVE")
    assert produce(at.town, envelope).items == ()
    later = say(at, at.alice, at.bob)
    assert [Item.decode(one).receipt for one in produce(at.town, envelope).items] == [later]


# -- what stops it --------------------------------------------------------------------------------


def test_a_warrant_must_be_sealed_first_and_as_it_is() -> None:
    at = scene()
    warrant = payload(at.town, at.alice)
    envelope = locked(at.town, warrant, *LOCKS)
    assert refusal(at.town, envelope) is Reason.SEAL_NOT_LOGGED
    seal(at.town, warrant, envelope)
    other = locked(at.town, changed(warrant, max_capsules=99), *LOCKS)
    assert refusal(at.town, other) is Reason.SEAL_MISMATCH
    assert refusal(at.town, envelope, salt=bytes(32)) is Reason.SEAL_MISMATCH
    seal(at.town, warrant, envelope, salt=b"again..." * 4)
    assert refusal(at.town, envelope, salt=b"again..." * 4) is Reason.SEAL_NOT_FIRST
    at.town.advance(DELAY * 1000)
    assert produce(at.town, envelope).items == ()


BAD_LOCKS: dict[tuple[str, ...], Reason] = {
    (ISSUERS[0],): Reason.LOCKS_INCOMPLETE,
    (APPROVERS[0],): Reason.LOCKS_INCOMPLETE,
    ISSUERS: Reason.LOCKS_INCOMPLETE,
    (ISSUERS[0], ISSUERS[0]): Reason.LOCKS_INCOMPLETE,
    (): Reason.LOCKS_INCOMPLETE,
}


@pytest.mark.parametrize("people", BAD_LOCKS)
def test_a_sealed_warrant_without_both_locks_opens_nothing(people: tuple[str, ...]) -> None:
    at = scene()
    warrant = payload(at.town, at.alice)
    envelope = locked(at.town, warrant, *people)
    seal(at.town, warrant, envelope)
    assert refusal(at.town, envelope) is BAD_LOCKS[people]


BAD_PAYLOADS: dict[str, tuple[Callable[[Town], dict[str, Any]], Reason]] = {
    "another policy": (lambda _: {"policy": "44" * 32}, Reason.POLICY_UNAUTHORISED),
    "an empty window": (lambda town: {"message_window": Window(start=town.now, end=town.now)}, Reason.RANGE_INVALID),
    "too short a delay": (lambda _: {"activation_delay_s": 1}, Reason.RANGE_INVALID),
    "an unproved recipient": (lambda _: {"recipient_pop": "55" * 64}, Reason.RECIPIENT_KEY_INVALID),
    "another log": (lambda _: {"log_origin": "elsewhere"}, Reason.SEAL_NOT_LOGGED),
    "an office as its applicant": (lambda town: {"request_key": town.genesis.relay.key}, Reason.SEPARATION_OF_DUTIES),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_PAYLOADS)
def test_a_sealed_warrant_that_says_what_it_must_not_opens_nothing(name: str) -> None:
    at = scene()
    changes, reason = BAD_PAYLOADS[name]
    warrant = payload(at.town, at.alice, **changes(at.town))
    envelope = locked(at.town, warrant, *LOCKS)
    seal(at.town, warrant, envelope)
    at.town.advance(DELAY * 1000)
    assert refusal(at.town, envelope) is reason


def test_a_warrant_opens_from_its_activation_to_its_end() -> None:
    at = scene()
    say(at, at.alice, at.bob)
    warrant = payload(at.town, at.alice, not_after=at.town.now + DAY)
    envelope = locked(at.town, warrant, *LOCKS)
    seal(at.town, warrant, envelope)
    assert refusal(at.town, envelope) is Reason.NOT_YET_ACTIVE
    at.town.advance(DELAY * 1000 - 1)
    assert refusal(at.town, envelope) is Reason.NOT_YET_ACTIVE
    at.town.advance(1)
    assert len(produce(at.town, envelope).items) == 1
    at.town.advance(warrant.not_after - at.town.now - 1)
    assert len(produce(at.town, envelope).items) == 1
    at.town.advance(1)
    assert refusal(at.town, envelope) is Reason.EXPIRED


def order(town: Town, kind: EntryType, *people: str) -> None:
    signed = Order.signed(kind, seal_tag(b"\x11" * 16), *(town.person(name) for name in people))
    assert town.append(town.entry("authority", kind, signed.encode())) == ("",)
    town.tick("relay")


@pytest.mark.parametrize(
    ("kind", "people", "reason"),
    [
        (EntryType.CANCELLATION, LOCKS[:1], Reason.CANCELLED),
        (EntryType.CANCELLATION, LOCKS[1:], Reason.CANCELLED),
        (EntryType.REFUSAL, LOCKS[1:], Reason.REFUSED),
        (EntryType.ATTAINMENT, LOCKS[:1], Reason.ATTAINED),
        (EntryType.SUSPENSION, LOCKS[:1], Reason.SUSPENDED),
    ],
)
def test_an_order_stops_a_warrant_and_only_a_suspension_ends(
    kind: EntryType, people: tuple[str, ...], reason: Reason
) -> None:
    at = scene()
    envelope = warranted(at)
    produce(at.town, envelope)
    order(at.town, kind, *people)
    assert refusal(at.town, envelope) is reason
    order(at.town, EntryType.RESUMPTION, *LOCKS)
    if reason is Reason.SUSPENDED:
        produce(at.town, envelope)
        order(at.town, kind, LOCKS[1])
        shown_again = Order.signed(EntryType.RESUMPTION, seal_tag(b"\x11" * 16), *map(at.town.person, LOCKS))
        replayed = at.town.entry("custodian/1", EntryType.RESUMPTION, shown_again.encode())
        assert at.town.append(replayed) == ("ILLEGAL_STEP",), "a custodian cannot undo it with the old resumption"
    assert refusal(at.town, envelope) is reason


def test_a_relay_whose_view_is_frozen_produces_nothing() -> None:
    at = scene()
    envelope = warranted(at)
    at.town.take_down("log")
    at.town.advance(20 * MINUTE)
    assert refusal(at.town, envelope) is Reason.LOG_STALE


# -- the checks themselves ------------------------------------------------------------------------


@dataclass
class Checks:
    """A sealed warrant before the checks, on a relay's view."""

    at: Scene
    follower: Follower
    view: Draft
    warrant: SealedWarrant

    @classmethod
    def of(cls, people: tuple[str, ...] = LOCKS, **changes: Any) -> "Checks":
        at = scene()
        warrant = payload(at.town, at.alice, **changes)
        envelope = locked(at.town, warrant, *people)
        seal(at.town, warrant, envelope)
        at.town.advance(DELAY * 1000)
        at.town.catch_up("relay")
        follower, view = Follower(at.town.genesis), Draft(at.town.store("relay"))
        head = follower.head(view)
        assert head is not None
        return cls(at, follower, view, check_warrant(follower, view, envelope, SALT, at.town.now, head))

    def time(self, low: int, high: int, expires: int | None = None) -> Reason | None:
        try:
            check_time(self.follower, self.view, self.warrant, Clock(low, high), expires)
        except EscrowError as error:
            return error.reason
        return None


def test_neither_clock_alone_opens_early_or_late() -> None:
    checks = Checks.of()
    begin, end = checks.warrant.activation, checks.warrant.payload.not_after
    assert checks.time(begin, begin) is None
    assert checks.time(begin, end - 1) is None
    assert checks.time(begin - 1, begin - 1) is Reason.NOT_YET_ACTIVE
    assert checks.time(begin - 1, end + 9) is Reason.NOT_YET_ACTIVE
    assert checks.time(begin, end) is Reason.EXPIRED
    assert checks.time(begin, begin + 5, begin + 5) is Reason.REQUEST_EXPIRED
    with pytest.raises(BehindError):
        check_time(checks.follower, checks.view, checks.warrant, Clock(begin - 1, begin))


def test_an_urgent_warrant_opens_with_one_lock_until_its_approval_is_due() -> None:
    at = scene()
    due = at.town.now + DAY
    checks = Checks.of(LOCKS[:1], urgent=True, approve_by=due)
    begin = checks.warrant.activation
    assert checks.time(begin, due - 1) is None
    assert checks.time(begin, due) is Reason.APPROVAL_MISSING
    order(checks.at.town, EntryType.APPROVAL, LOCKS[1])
    approved = replace(checks, view=Draft(checks.at.town.store("relay")))
    assert approved.time(begin, due) is None


def test_an_order_received_directly_binds_like_a_logged_one() -> None:
    checks = Checks.of()
    check_status(checks.follower, checks.view, checks.warrant, Clock(0, 0), [Event.SUSPEND, Event.RESUME])
    for events, reason in (([Event.CANCEL, Event.RESUME], Reason.CANCELLED), ([Event.SUSPEND], Reason.SUSPENDED)):
        with pytest.raises(EscrowError) as caught:
            check_status(checks.follower, checks.view, checks.warrant, Clock(0, 0), events)
        assert caught.value.reason is reason


def test_a_seal_is_found_by_its_tag_alone() -> None:
    checks = Checks.of()
    warrant = checks.warrant.payload
    with pytest.raises(EscrowError) as caught:
        check_seal(checks.follower, checks.view, bytes(32), SALT, b"", field_root(warrant))
    assert caught.value.reason is Reason.SEAL_NOT_LOGGED
    with pytest.raises(EscrowError) as caught:
        check_seal(checks.follower, checks.view, checks.warrant.tag, SALT, b"", field_root(warrant))
    assert caught.value.reason is Reason.SEAL_MISMATCH


def test_a_warrant_under_the_tag_of_another_opens_nothing() -> None:
    """Seal and locks hold for the bytes; the tag must be the one of the warrant inside."""
    checks = Checks.of()
    genesis, warrant = checks.at.town.genesis, checks.warrant
    envelope = locked(checks.at.town, warrant.payload, *LOCKS)
    locks = check_both_locks(genesis, warrant.seal, envelope)
    with pytest.raises(EscrowError) as caught:
        check_payload(genesis, warrant.seal, locks, SALT, envelope, bytes(32))
    assert caught.value.reason is Reason.SEAL_MISMATCH


def test_a_warrant_on_conversations_needs_the_target_in_the_roster() -> None:
    checks = Checks.of(direction="CONVERSATION_OF")
    label = checks.at.alice.label(checks.at.key, checks.at.route)
    clock = Clock(checks.at.town.now, checks.at.town.now)
    with pytest.raises(EscrowError) as caught:
        check_scope(checks.at.town.genesis, checks.warrant, clock, label, Millis(checks.at.town.now))
    assert caught.value.reason is Reason.ROSTER_PATH
