"""The relay's checks: every reason is provoked, and every refusal leaves the relay as it was."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.envelope import verify_env_path
from escrow.capsule.header import ContentClass, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import verify_receipt
from escrow.committee.documents import CommitteeKey
from escrow.crypto.sign import SigningKey
from escrow.e2ee.bundle import make_prekeys
from escrow.encoding import number
from escrow.errors import EscrowError, Reason
from escrow.ids import DeviceNo, Party
from escrow.roles.callers import device_party
from escrow.roles.calls import (
    Append,
    DeviceEnvelope,
    Enroll,
    Fetch,
    GetBundle,
    GetHead,
    ItemResult,
    Lookup,
    PlainSend,
    PrekeyStock,
    RegisterRoute,
    Submission,
    Submit,
)
from escrow.roles.relay import Relay
from tests.core.roles.town import DAY, HOUR, MINUTE, START, TERMS, Letter, Phone, Town

FIELDS = Label.__struct_fields__


@dataclass
class Scene:
    """Alice and Bob, registered, with a route between them and a committee key in force."""

    town: Town
    alice: Phone
    bob: Phone
    key: CommitteeKey
    route: RegisterRoute

    def letter(self, **changes: Any) -> Letter:
        return self.alice.draft(self.key, self.alice.label(self.key, self.route, **changes), (self.bob,))

    def state(self) -> tuple[dict[bytes, bytes], dict[str, list[bytes]]]:
        """What the relay keeps, but for its view of the log and how far it has logged: it may catch up at any time."""
        values, streams = self.town.store("relay").snapshot()
        own = {key: value for key, value in values.items() if not key.startswith((b"log/", b"outbox", b"ingest-"))}
        return own, {name: records for name, records in streams.items() if not name.startswith("log/")}

    def refused(self, item: Submission, phone: Phone | None = None) -> str:
        """The reason for which the relay refuses an item, after checking that nothing has changed."""
        before = self.state()
        (result,) = (phone or self.alice).submit(item).items
        if result.reason:
            assert self.state() == before
            assert result == ItemResult(result.reason)
        return result.reason


def scene(n_max: int = 1, start: int = START, **terms: Any) -> Scene:
    town = Town(replace(TERMS, **terms), n_max, start)
    key = town.committee()
    alice, bob = Phone(town, "alice").register(), Phone(town, "bob").register()
    route = alice.route(bob)
    alice.ask(route)
    return Scene(town, alice, bob, key, route)


def result_of(reply: Any) -> ItemResult:
    (result,) = reply.items
    assert isinstance(result, ItemResult)
    assert not result.reason
    return result


# -- what is right is taken -----------------------------------------------------------------------


def test_an_honest_message_is_signed_for_and_delivered_as_it_was_sent() -> None:
    at = scene()
    letter = at.letter()
    result = result_of(at.alice.submit(letter.item()))
    relay = at.town.genesis.relay.public
    receipt, frame = verify_receipt(result.receipt, result.path, result.frame, result.relay_sig, relay)
    assert receipt.submit_hash == letter.signed.hash
    assert (receipt.sender_account, receipt.sender_device) == (at.alice.account, 1)
    assert (receipt.epoch, receipt.ingest_time) == (at.route.epoch, at.town.now)
    assert frame.include_by == at.town.now + at.town.genesis.mmd_ms
    (delivery,) = at.bob.ask(Fetch(0, 10)).items
    got = delivery.escrow
    assert (got.label, got.capsule, got.body) == (letter.label, letter.capsule, letter.body)
    assert (got.receipt, got.path, got.frame, got.relay_sig) == msgspec.structs.astuple(result)[1:]
    verify_env_path((at.bob.account, 1, got.envelope), got.env_path, got.env_root)
    assert got.env_root == letter.signed.env_root


def test_a_plain_message_is_delivered_and_nothing_of_the_escrow_is_in_it() -> None:
    at = scene()
    assert at.alice.submit(at.alice.plain(at.bob)).items == (ItemResult(""),)
    (delivery,) = at.bob.ask(Fetch(0, 10)).items
    assert delivery.escrow is None
    assert (delivery.plain.sender_account, delivery.plain.envelope) == (at.alice.account, b"hello")


def test_one_answer_holds_no_more_than_a_message_may() -> None:
    at = scene()
    for n in range(70):
        envelopes = (DeviceEnvelope(at.bob.account, 1, bytes(70_000)),)
        assert at.refused(Submission(bytes([n]) * 16, None, PlainSend(envelopes))) == ""
    assert 50 < len(at.bob.ask(Fetch(0, 256)).items) < 60


def test_a_mailbox_keeps_what_is_not_acknowledged() -> None:
    at = scene()
    for n in range(5):
        at.alice.submit(at.alice.plain(at.bob, idempotency=bytes([n]) * 16))
    assert [one.number for one in at.bob.ask(Fetch(0, 3)).items] == [0, 1, 2]
    assert [one.number for one in at.bob.ask(Fetch(0, 9)).items] == [0, 1, 2, 3, 4]
    assert [one.number for one in at.bob.ask(Fetch(2, 9)).items] == [2, 3, 4]
    assert [one.number for one in at.bob.ask(Fetch(0, 9)).items] == [2, 3, 4]
    assert at.bob.ask(Fetch(5, 9)).items == ()
    assert at.alice.ask(Fetch(0, 9)).items == ()


# -- step by step ---------------------------------------------------------------------------------


@pytest.mark.spec("RLY-1")
@pytest.mark.parametrize("caller", ["person/mallory", "device/00/1", "device/zz/1", "agency/x", "relay", "device"])
def test_only_devices_submit(caller: str) -> None:
    at = scene()
    for call in (Submit((at.letter().item(),)), Fetch(0, 1), at.route, at.alice.enrolment(), GetBundle(bytes(32), 1)):
        with pytest.raises(EscrowError) as caught:
            at.town.ask("relay", call, caller)
        assert caught.value.reason is Reason.UNAUTHENTICATED


def sent(letter: Letter, **changes: Any) -> Submission:
    """The item with parts replaced after it was signed."""
    item = letter.item()
    assert item.escrow is not None
    return msgspec.structs.replace(item, escrow=msgspec.structs.replace(item.escrow, **changes))


def signed_anew(letter: Letter) -> Submission:
    """Label and capsule put in order again after the label was changed."""
    return replace(letter, label_hash=label_hash(letter.label), cap_hash=cap_hash(1, letter.capsule)).item()


REFUSALS: dict[str, tuple[Callable[[Scene], Submission], str]] = {
    "two kinds in one": (lambda at: msgspec.structs.replace(at.letter().item(), plain=at.alice.plain(at.bob).plain),
                         "MODE_MISMATCH"),
    "of no kind": (lambda _: Submission(b"k" * 16, None, None), "MODE_MISMATCH"),
    "a short idempotency key": (lambda at: replace_key(at.letter().item(), b"short"), "MALFORMED"),
    "a cut label": (lambda at: sent(at.letter(), label=at.letter().label[:-1]), "MALFORMED"),
    "a cut body": (lambda at: sent(at.letter(), body=b"body"), "MALFORMED"),
    "a huge body": (lambda at: sent(at.letter(), body=bytes(70_000)), "TOO_LARGE"),
    "a huge capsule": (lambda at: sent(at.letter(), capsule=bytes(70_000)), "TOO_LARGE"),
    "a huge envelope": (lambda at: sent(at.letter(), envelopes=(DeviceEnvelope(at.bob.account, 1, bytes(90_000)),)),
                        "TOO_LARGE"),
    "two envelopes for one device": (lambda at: sent(at.letter(), envelopes=at.letter().envelopes * 2), "MALFORMED"),
    "an envelope for no account": (lambda at: sent(at.letter(), envelopes=(DeviceEnvelope(b"", 1, b""),)), "MALFORMED"),
    "a cut signature": (lambda at: sent(at.letter(), device_sig=b"sig"), "MALFORMED"),
    "index 0 without a label": (lambda at: sent(at.letter(), label=b""), "CHAIN_START"),
    "index 0 without a capsule": (lambda at: sent(at.letter(), capsule=b""), "CHAIN_START"),
    "index 1 with a label": (lambda at: replace(at.letter(), index=1).item(), "CHAIN_START"),
    "index 1 of nothing": (lambda at: at.letter().later(1).item(), "CHAIN_UNKNOWN"),
    "another label": (lambda at: sent(at.letter(), label=at.letter().label), "HEADER_MISMATCH"),
    "another capsule": (lambda at: sent(at.letter(), capsule=bytes(160)), "HEADER_MISMATCH"),
    "another policy": (lambda at: at.letter(policy_hash=b"p" * 32).item(), "POLICY_STALE"),
    "another committee": (lambda at: at.letter(committee_key_hash=b"k" * 32).item(), "COMMITTEE_UNAUTHORISED"),
    "an epoch of another period": (lambda at: at.letter(epoch=36_500).item(), "COMMITTEE_UNAUTHORISED"),
    "another account": (lambda at: at.letter(sender_account=at.bob.account).item(), "SENDER_MISMATCH"),
    "another device": (lambda at: at.letter(sender_device=2).item(), "SENDER_MISMATCH"),
    "an unregistered tag": (lambda at: at.letter(conv_tag=b"c" * 32).item(), "CONV_TAG"),
    "the tag of another epoch": (lambda at: at.letter(epoch=at.route.epoch + 1).item(), "CONV_TAG"),
    "another roster": (lambda at: at.letter(roster_root=b"r" * 32).item(), "ROSTER_ROOT"),
    "an unregistered roster version": (lambda at: at.letter(roster_version=7).item(), "ROSTER_ROOT"),
    "a longer chain than allowed": (lambda at: at.letter(n_max=2).item(), "CHAIN_LIMIT"),
    "nobody addressed": (lambda at: replace(at.letter(), envelopes=()).item(), "RECIPIENTS_MISMATCH"),
    "a stranger addressed": (lambda at: replace(at.letter(), envelopes=(
        *at.letter().envelopes, DeviceEnvelope(b"s" * 32, 1, b""))).item(), "RECIPIENTS_MISMATCH"),
    "another device of the peer": (lambda at: replace(at.letter(), envelopes=(
        DeviceEnvelope(at.bob.account, 2, b""),)).item(), "RECIPIENTS_MISMATCH"),
    "a repetition for nobody": (lambda at: replace(at.letter(), kind=ContentClass.RETRY, envelopes=()).item(),
                                "RECIPIENTS_MISMATCH"),
    "another's signature": (lambda at: replace(at.letter(), signer=at.bob.keys.signing_key).item(),
                            "SIGNATURE_INVALID"),
    "an exchanged envelope": (lambda at: sent(at.letter(), envelopes=(DeviceEnvelope(at.bob.account, 1, b"other"),)),
                              "SIGNATURE_INVALID"),
    "a capsule that proves nothing": (lambda at: signed_anew(replace(at.letter(), capsule=b"\x01" * 160)),
                                      "CAPSULE_INVALID"),
    "the capsule of another label": (lambda at: signed_anew(replace(at.letter(), capsule=at.letter().capsule)),
                                     "CAPSULE_INVALID"),
    "a plain message to nobody": (lambda at: at.alice.plain(), "RECIPIENTS_MISMATCH"),
    "a plain message to a stranger": (lambda at: at.alice.plain(Phone(at.town, "nobody")), "RECIPIENTS_MISMATCH"),
}  # fmt: skip


def replace_key(item: Submission, key: bytes) -> Submission:
    return msgspec.structs.replace(item, idempotency_key=key)


@pytest.mark.spec("RLY-2")
@pytest.mark.spec("RLY-5")
@pytest.mark.spec("RLY-6")
@pytest.mark.spec("RLY-7")
@pytest.mark.spec("RLY-8")
@pytest.mark.spec("RLY-10")
@pytest.mark.spec("RLY-11")
@pytest.mark.spec("RLY-12")
@pytest.mark.parametrize("name", REFUSALS)
def test_it_refuses_with_its_reason_and_keeps_nothing(name: str) -> None:
    at = scene()
    make, reason = REFUSALS[name]
    assert at.refused(make(at)) == reason
    assert at.refused(at.letter().item()) == "", "and the honest one still passes"


@settings(max_examples=30)
@given(st.sampled_from([name for name in FIELDS if name not in ("chain_id", "chain_no")]), st.data())
def test_a_label_that_differs_in_any_field_is_refused(name: str, data: st.DataObject) -> None:
    at = shared_scene()
    honest = at.alice.label(at.key, at.route)
    value = getattr(honest, name)
    if isinstance(value, bytes):
        changed: Any = data.draw(st.binary(min_size=len(value), max_size=len(value)).filter(lambda one: one != value))
    else:
        most = {"suite": 1, "mode": 1, "n_max": 1024, "sender_device": 2**32 - 1}.get(name, 2**40)
        changed = data.draw(st.integers(0, most).filter(lambda one: one != value))
    label = msgspec.structs.replace(honest, **{name: changed})
    letter = replace(
        at.alice.draft(at.key, honest, (at.bob,)), label=label.encode(), label_hash=label_hash(label.encode())
    )
    assert at.refused(letter.item())


_shared: list[Scene] = []


def shared_scene() -> Scene:
    """One scene for properties whose every example is refused, hence leaves it as it was."""
    if not _shared:
        _shared.append(scene())
    return _shared[0]


@pytest.mark.spec("RLY-7")
def test_a_suite_that_is_not_the_committees_is_refused() -> None:
    at = scene()
    assert at.refused(at.letter(suite=2).item()) == "SUITE_MISMATCH"


@pytest.mark.spec("RLY-7")
def test_a_retired_committee_takes_nothing_more() -> None:
    at = scene(epoch_length=DAY, epochs_per_period=20_001, retention=11 * MINUTE)
    policy = at.town.genesis.policy
    at.town.advance(policy.retire_at(0) - at.town.now)
    assert at.refused(at.letter().item()) == "COMMITTEE_RETIRED"


@pytest.mark.spec("RLY-11")
def test_a_device_that_was_removed_sends_nothing_more() -> None:
    at = scene()
    other = Phone(at.town, "alice", DeviceNo(2))
    only_other = other.device_list(previous=at.alice.device_list())
    assert at.town.append(at.alice.list_entry(only_other)) == ("",)
    at.town.tick("relay")
    letter = at.letter()
    both = (*letter.envelopes, DeviceEnvelope(at.alice.account, 2, b""))
    assert at.refused(replace(letter, envelopes=both).item()) == "DEVICE_UNKNOWN"


def test_a_device_that_the_relay_has_not_heard_of_is_looked_up_once() -> None:
    at = scene()
    carol = Phone(at.town, "carol").register()
    assert at.refused(at.alice.plain(carol)) == ""


@pytest.mark.spec("RLY-4")
def test_too_many_items_in_a_second_are_refused_one_by_one() -> None:
    at = scene()
    at.town.network.nodes[Party("relay")].role = Relay(at.town.genesis, at.town.key("relay"), rate=2)
    items = [at.letter().item() for _ in range(3)]
    assert [one.reason for one in at.alice.submit(*items).items] == ["", "", "RATE_LIMITED"]
    at.town.advance(1000)
    assert at.refused(items[2]) == ""


@pytest.mark.spec("RLY-2")
def test_a_frame_holds_at_most_256_items() -> None:
    at = scene()
    with pytest.raises(EscrowError) as caught:
        at.alice.submit(*[at.alice.plain(at.bob)] * 257)
    assert caught.value.reason is Reason.TOO_LARGE


# -- chains ---------------------------------------------------------------------------------------


@pytest.mark.spec("RLY-6")
@pytest.mark.spec("RLY-9")
def test_a_chain_goes_on_under_the_label_it_began_with() -> None:
    at = scene(n_max=3)
    first = at.letter()
    assert at.refused(first.later(1).item()) == "CHAIN_UNKNOWN"
    assert at.refused(first.item()) == ""
    assert [at.refused(first.later(index).item()) for index in (2, 1)] == ["", ""]
    assert at.refused(first.later(3).item()) == "INDEX_RANGE"
    assert at.refused(first.later(1, idempotency=b"another key 16.."[:16]).item()) == "INDEX_REUSED"
    assert at.refused(replace(first.later(2), text=b"other").item()) == "INDEX_REUSED"
    mine = [(one.escrow.label, one.escrow.capsule) for one in at.bob.ask(Fetch(0, 9)).items]
    assert mine == [(first.label, first.capsule)] * 3


def test_nobody_goes_on_with_a_chain_of_another() -> None:
    at = scene(n_max=3)
    first = at.letter()
    at.alice.submit(first.item())
    at.bob.ask(at.bob.route(at.alice))
    theirs = replace(first.later(1), sender=at.bob)
    assert at.refused(theirs.item(), at.bob) == "SENDER_MISMATCH"


@pytest.mark.spec("RLY-9")
def test_a_chain_is_written_once() -> None:
    at = scene()
    first = at.letter()
    label = Label.decode(first.label)
    assert at.refused(first.item()) == ""
    again = replace(first, text=b"other text", idempotency=b"i" * 16)
    assert at.refused(again.item()) == "INDEX_REUSED"
    same_id = at.letter(chain_id=label.chain_id)
    assert at.refused(same_id.item()) == "CHAIN_REUSED"
    same_number = at.letter(chain_no=label.chain_no)
    assert at.refused(same_number.item()) == "CHAIN_REUSED"


@pytest.mark.spec("RLY-8")
def test_a_retry_starts_a_chain_of_one_and_may_go_to_some() -> None:
    at = scene(n_max=3)
    carol = Phone(at.town, "carol").register()
    route = at.alice.route(at.bob, carol)
    at.alice.ask(route)
    label = at.alice.label(at.key, route, n_max=1)
    retry = replace(at.alice.draft(at.key, label, (carol,)), kind=ContentClass.RETRY)
    assert at.refused(retry.item()) == ""
    too_long = at.alice.draft(at.key, at.alice.label(at.key, route), (carol,))
    assert at.refused(replace(too_long, kind=ContentClass.RETRY).item()) == "CHAIN_LIMIT"


@pytest.mark.spec("RLY-10")
def test_in_a_group_only_the_first_of_a_chain_needs_envelopes() -> None:
    at = scene(n_max=3)
    carol = Phone(at.town, "carol").register()
    route = at.alice.route(at.bob, carol)
    at.alice.ask(route)
    first = at.alice.draft(at.key, at.alice.label(at.key, route), (at.bob, carol))
    assert at.refused(replace(first, envelopes=()).item()) == "RECIPIENTS_MISMATCH"
    assert at.refused(first.item()) == ""
    assert at.refused(first.later(1, envelopes=first.envelopes[:1]).item()) == "RECIPIENTS_MISMATCH"
    assert at.refused(first.later(1, envelopes=()).item()) == ""
    for phone in (at.bob, carol):
        assert [one.escrow.envelope != b"" for one in phone.ask(Fetch(0, 9)).items] == [True, False]
    assert at.alice.ask(Fetch(0, 9)).items == ()


# -- sending again --------------------------------------------------------------------------------


def test_what_was_accepted_is_answered_as_it_was_even_when_epoch_and_roster_have_moved_on() -> None:
    at = scene()
    item = at.letter().item()
    first = at.alice.submit(item)
    at.town.advance(3 * DAY)
    before = at.state()
    assert at.alice.submit(item) == first
    assert at.state() == before
    fresh = at.alice.route(at.bob)
    at.alice.ask(fresh)
    mixed = at.alice.submit(item, at.alice.draft(at.key, at.alice.label(at.key, fresh), (at.bob,)).item(), item)
    assert mixed.items[0] == mixed.items[2] == first.items[0]
    assert mixed.items[1].frame != first.items[0].frame


def test_the_same_item_twice_in_a_frame_is_one_item_with_one_receipt() -> None:
    at = scene()
    item = at.letter().item()
    one, other = at.alice.submit(item, item).items
    assert one == other
    assert one.receipt
    assert len(at.bob.ask(Fetch(0, 9)).items) == 1


@pytest.mark.spec("RLY-3")
def test_one_idempotency_key_names_one_item() -> None:
    at = scene()
    first, second = (replace(at.letter(), idempotency=b"k" * 16).item() for _ in range(2))
    assert at.refused(first) == ""
    assert at.refused(second) == "IDEMPOTENCY_CONFLICT"
    assert at.refused(at.alice.plain(at.bob, idempotency=b"k" * 16)) == "IDEMPOTENCY_CONFLICT"
    assert at.refused(replace(at.letter(), idempotency=b"l" * 16).item()) == ""


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["good", "again", "bad", "plain"]), min_size=1, max_size=8))
def test_a_frame_signs_for_what_it_accepts_and_for_nothing_else(kinds: list[str]) -> None:
    at = scene()
    old = at.letter().item()
    old_result = result_of(at.alice.submit(old))
    items, good = [], 0
    for n, kind in enumerate(kinds):
        match kind:
            case "good":
                items.append(at.letter().item())
                good += 1
            case "again":
                items.append(old)
            case "bad":
                items.append(at.letter(roster_root=bytes(32)).item())
            case _:
                items.append(at.alice.plain(at.bob, idempotency=bytes([n]) * 16))
    results = at.alice.submit(*items).items
    relay = at.town.genesis.relay.public
    frames, seqs = set(), []
    for kind, result in zip(kinds, results, strict=True):
        if kind == "good":
            receipt, frame = verify_receipt(result.receipt, result.path, result.frame, result.relay_sig, relay)
            assert frame.count == good
            frames.add(result.frame)
            seqs.append(receipt.ingest_seq)
        else:
            assert result == {"again": old_result, "bad": ItemResult("ROSTER_ROOT"), "plain": ItemResult("")}[kind]
    assert len(frames) == (1 if good else 0)
    assert seqs == list(range(1, good + 1))
    for result in [one for kind, one in zip(kinds, results, strict=True) if kind == "good"]:
        for place in range(good):
            moved = place.to_bytes(4, "big") + result.path[4:]
            if moved != result.path:
                with pytest.raises(EscrowError):
                    verify_receipt(result.receipt, moved, result.frame, result.relay_sig, relay)


# -- time -----------------------------------------------------------------------------------------


@pytest.mark.spec("RLY-8")
@settings(max_examples=30)
@given(st.integers(-DAY, 2 * DAY))
def test_an_item_is_accepted_from_the_start_of_its_epoch_to_its_end_and_the_grace(offset: int) -> None:
    policy_start = START - START % DAY
    at = scene(start=policy_start + HOUR)
    at.town.clock._now = policy_start + offset
    in_time = 0 <= offset < DAY + at.town.genesis.grace_ms
    reason = "" if in_time else "EPOCH_FUTURE" if offset < 0 else "EPOCH_STALE"
    assert at.refused(at.letter().item()) == reason


@pytest.mark.spec("RLY-8")
def test_a_roster_that_was_replaced_takes_no_new_chain() -> None:
    at = scene(n_max=3)
    open_chain = at.letter()
    assert at.refused(open_chain.item()) == ""
    at.alice.ask(at.alice.route(at.bob, version=1))
    assert at.refused(at.letter().item()) == "ROSTER_STALE"
    assert at.refused(open_chain.later(1).item()) == "", "an open chain may go on for a while"
    at.town.advance(at.town.genesis.grace_ms)
    assert at.refused(open_chain.later(2).item()) == "ROSTER_STALE"


def test_times_of_receipts_never_go_back() -> None:
    at = scene()
    times = []
    for step in (0, 5000, -9000, 1):
        at.town.clock._now += step
        result = result_of(at.alice.send(at.key, at.route, at.bob))
        times.append(number(result.receipt[-8:]))
    assert times == sorted(times)


# -- routes ---------------------------------------------------------------------------------------


def test_a_registration_may_be_repeated() -> None:
    at = scene()
    before = at.state()
    at.alice.ask(at.route)
    assert at.state() == before


ROUTES: dict[str, tuple[Callable[[Scene], RegisterRoute], Reason]] = {
    "of others": (lambda at: at.bob.route(Phone(at.town, "carol")), Reason.PERMISSION_DENIED),
    "under another policy": (lambda at: changed(at.route, policy_hash=bytes(32)), Reason.POLICY_STALE),
    "of a past epoch": (lambda at: changed(at.route, epoch=at.route.epoch - 2), Reason.EPOCH_STALE),
    "of a coming epoch": (lambda at: changed(at.route, epoch=at.route.epoch + 1), Reason.EPOCH_FUTURE),
    "with a tag that is taken": (lambda at: at.alice.route(Phone(at.town, "carol"), tag=at.route.conv_tag),
                                 Reason.CONV_TAG),
    "with another salt": (lambda at: changed(at.route, members=(
        changed(at.route.members[0], salt=bytes(32)), at.route.members[1])), Reason.CONV_TAG),
    "with itself alone": (lambda at: changed(at.route, members=at.route.members[:1]), Reason.MALFORMED),
    "with a member twice": (lambda at: changed(at.route, members=at.route.members[:1] * 2), Reason.MALFORMED),
    "in disorder": (lambda at: changed(at.route, members=at.route.members[::-1]), Reason.MALFORMED),
    "with a short tag": (lambda at: changed(at.route, conv_tag=b"tag"), Reason.MALFORMED),
}  # fmt: skip


def changed(call: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(call, **changes)


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_is_refused(name: str) -> None:
    at = scene()
    make, reason = ROUTES[name]
    before = at.state()
    with pytest.raises(EscrowError) as caught:
        at.alice.ask(make(at))
    assert caught.value.reason is reason
    assert at.state() == before


def test_a_route_does_not_go_back_to_an_older_roster() -> None:
    at = scene()
    at.alice.ask(at.alice.route(at.bob, version=2))
    with pytest.raises(EscrowError) as caught:
        at.alice.ask(at.alice.route(at.bob, version=1))
    assert caught.value.reason is Reason.ROSTER_STALE


# -- the directory --------------------------------------------------------------------------------


def test_a_name_is_found_and_each_one_time_key_is_handed_out_once() -> None:
    at = scene()
    enrolment = at.alice.enrolment(2)
    at.alice.ask(enrolment)
    assert at.bob.ask(Lookup("alice")).account == at.alice.account
    bundles = [at.bob.ask(GetBundle(at.alice.account, 1)) for _ in range(3)]
    assert {bundle.bundle for bundle in bundles} == {enrolment.bundle}
    assert {bundle.ec_key for bundle in bundles} == {*enrolment.ec_keys, b""}
    assert {bundle.kem_key for bundle in bundles} == {*enrolment.kem_keys, b""}
    at.alice.ask(enrolment)
    assert at.bob.ask(GetBundle(at.alice.account, 1)).ec_key == b"", "used keys do not come back"


def batch(phone: Phone, first: int, count: int = 3, **changes: Any) -> Enroll:
    """A bundle and one-time keys with the numbers from ``first`` on."""
    coins = hashlib.sha256(b"batch %d" % first).digest()
    _, made = make_prekeys(coins, phone.keys, count, phone.town.now, [(0, bytes(32))], first_number=first)
    enrolment: Enroll = changed(Enroll(phone.name, made.static, made.ec, made.kem), **changes)
    return enrolment


def handed_out(at: Scene, count: int = 9) -> list[tuple[bytes, bytes]]:
    """All one-time keys of alice, asked for by many."""
    bundles = [
        at.town.ask("relay", GetBundle(at.alice.account, 1), device_party(bytes([n]) * 32, 1)) for n in range(count)
    ]
    return [(one.ec_key, one.kem_key) for one in bundles if one.ec_key or one.kem_key]


@pytest.mark.spec("PRK-2")
def test_keys_with_higher_numbers_take_the_place_of_those_before_and_lower_ones_change_nothing() -> None:
    at = scene()
    first, second, third = (batch(at.alice, number) for number in (1, 4, 9))
    for call in (first, second):
        at.alice.ask(call)
    assert at.alice.ask(Fetch(0, 1)).prekeys == PrekeyStock(4, 4, 3, 3)
    before = at.state()
    for call in (first, second):
        at.alice.ask(call)
    assert at.state() == before
    assert handed_out(at) == list(zip(second.ec_keys, second.kem_keys, strict=True))
    at.alice.ask(changed(third, ec_keys=(), kem_keys=()))
    assert at.alice.ask(Fetch(0, 1)).prekeys == PrekeyStock(9, 4, 0, 0)
    at.alice.ask(third)
    assert handed_out(at) == list(zip(third.ec_keys, third.kem_keys, strict=True))
    for call in (first, second, third):
        at.alice.ask(call)
        assert handed_out(at) == [], "what was handed out stays gone"


@pytest.mark.spec("PRK-2")
def test_a_number_never_stands_for_two_keys() -> None:
    at = scene()
    at.alice.ask(batch(at.alice, 4))
    taken = batch(at.alice, 2, count=4)
    renumbered = make_prekeys(b"n" * 32, at.alice.keys, 0, at.town.now, [(0, bytes(32))], first_number=4)[1]
    for call, reason in (
        (changed(batch(at.alice, 4), bundle=renumbered.static), Reason.BUNDLE_INVALID),
        (changed(batch(at.alice, 9), ec_keys=taken.ec_keys, kem_keys=batch(at.alice, 9).kem_keys),
         Reason.BUNDLE_INVALID),
        (changed(batch(at.alice, 9), ec_keys=batch(at.alice, 9).ec_keys[::-1]), Reason.MALFORMED),
        (changed(batch(at.alice, 9), kem_keys=batch(at.alice, 9).kem_keys[:1] * 2), Reason.MALFORMED),
    ):  # fmt: skip
        before = at.state()
        with pytest.raises(EscrowError) as caught:
            at.alice.ask(call)
        assert caught.value.reason is reason
        assert at.state() == before


@pytest.mark.spec("PRK-1")
def test_one_time_keys_that_their_device_did_not_sign_or_that_expired_are_not_taken() -> None:
    at = scene()
    good, bobs = batch(at.alice, 1), batch(at.bob, 1)
    _, old = make_prekeys(b"o" * 32, at.alice.keys, 1, at.town.now, [], lifetime=0)
    for change in (
        {"ec_keys": bobs.ec_keys},
        {"kem_keys": bobs.kem_keys},
        {"ec_keys": good.kem_keys},
        {"kem_keys": good.ec_keys},
        {"ec_keys": (good.ec_keys[0][:-1],)},
        {"ec_keys": (b"",)},
        {"ec_keys": old.ec},
        {"kem_keys": old.kem},
        {"bundle": old.static},
    ):
        before = at.state()
        with pytest.raises(EscrowError) as caught:
            at.alice.ask(changed(good, **change))
        assert caught.value.reason is Reason.BUNDLE_INVALID
        assert at.state() == before
    at.alice.ask(good)


@pytest.mark.spec("PRK-3")
def test_one_time_keys_that_have_expired_are_passed_over() -> None:
    at = scene()
    long = batch(at.alice, 1, count=0)
    short = make_prekeys(b"s" * 32, at.alice.keys, 2, at.town.now, [], first_number=2, lifetime=HOUR)[1]
    fresh = make_prekeys(b"f" * 32, at.alice.keys, 1, at.town.now, [], first_number=4)[1]
    at.alice.ask(changed(long, ec_keys=short.ec + fresh.ec, kem_keys=short.kem + fresh.kem))
    at.town.advance(HOUR)
    assert handed_out(at) == [(fresh.ec[0], fresh.kem[0])]
    assert at.alice.ask(Fetch(0, 1)).prekeys == PrekeyStock(1, 2, 0, 0)


def test_what_is_kept_of_prekeys_does_not_grow_with_their_number() -> None:
    at = scene()

    def kept() -> int:
        places = (b"bundle/", b"prekey", b"share/")
        return sum(key.startswith(places) for key in at.state()[0])

    sizes = []
    for first in range(1, 30, 3):
        at.alice.ask(batch(at.alice, first))
        handed_out(at)
        at.town.advance(DAY)
        sizes.append(kept())
    assert len(set(sizes)) == 1


def test_whoever_has_published_nothing_is_told_so() -> None:
    at = scene()
    assert at.alice.ask(Fetch(0, 1)).prekeys is None


def test_enrolment_needs_a_logged_device_a_free_name_and_an_own_bundle() -> None:
    at = scene()
    carol = Phone(at.town, "carol")
    at.alice.ask(at.alice.enrolment())
    carols = carol.enrolment()
    lodger = Phone(at.town, "dave").register()
    moved = make_prekeys(b"k" * 32, changed(lodger.keys, device=DeviceNo(2)), 1, at.town.now, [])[1]
    posing = Enroll("dave", moved.static, (), ())
    for phone, call, reason in (
        (carol, carols, Reason.DEVICE_UNKNOWN),
        (at.bob, at.bob.enrolment(name="alice"), Reason.NAME_TAKEN),
        (at.bob, carols, Reason.BUNDLE_INVALID),
        (at.bob, changed(at.bob.enrolment(), bundle=at.bob.enrolment().bundle[:-1] + b"\xff"), Reason.BUNDLE_INVALID),
        (at.bob, at.bob.enrolment(name="b" * 65), Reason.TOO_LARGE),
        (lodger, posing, Reason.BUNDLE_INVALID),
        (at.bob, changed(at.bob.enrolment(), ec_keys=(b"",) * 1001), Reason.TOO_LARGE),
        (Phone(at.town, "bob", DeviceNo(2)), at.bob.enrolment(), Reason.DEVICE_UNKNOWN),
    ):
        before = at.state()
        with pytest.raises(EscrowError) as caught:
            phone.ask(call)
        assert caught.value.reason is reason
        assert at.state() == before
    for missing in (Lookup("carol"), GetBundle(carol.account, 1)):
        with pytest.raises(EscrowError) as caught:
            at.bob.ask(missing)
        assert caught.value.reason is Reason.NOT_FOUND


def test_enrolling_right_after_logging_works_at_once() -> None:
    at = scene()
    carol = Phone(at.town, "carol").register()
    carol.ask(carol.enrolment())
    assert at.bob.ask(Lookup("carol")).account == carol.account


def test_the_relay_answers_nothing_else() -> None:
    at = scene()
    for call in (GetHead(0, 0), Append(())):
        with pytest.raises(EscrowError) as caught:
            at.alice.ask(call)
        assert caught.value.reason is Reason.PERMISSION_DENIED


def test_a_stranger_with_the_right_name_but_no_key_is_nobody() -> None:
    """Whoever speaks as a device without being in its account's list signs in vain."""
    at = scene()
    ghost = Phone(at.town, "alice", DeviceNo(9))
    ghost.ask(ghost.route(at.bob))
    letter = ghost.draft(at.key, ghost.label(at.key, ghost.route(at.bob)), (at.bob, at.alice))
    assert at.refused(letter.item(), ghost) == "DEVICE_UNKNOWN"
    forged = replace(at.letter(), signer=SigningKey.from_seed(bytes(32)))
    assert at.refused(forged.item()) == "SIGNATURE_INVALID"
