"""What a device refuses or keeps for later, one lie at a time: the reason, who is named, and what stays as it was."""

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.body import Body, body_id
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import Receipt
from escrow.capsule.submission import SignedContent
from escrow.crypto.sign import SigningKey
from escrow.e2ee.content import Retry, Text, encode_content
from escrow.e2ee.keys import Identity, IdentityKeys
from escrow.e2ee.plain import Plain
from escrow.e2ee.session import seal
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import Call, Delivery, EscrowDelivery, Fetch, Fetched, GetRecord, PlainDelivery, Reply
from escrow.roles.device import retrying
from escrow.roles.device.settling import KEPT
from escrow.roles.device.signers import signer
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.roles.lightview import LightView
from escrow.roles.machine import Todo
from escrow.secret import Secret
from escrow.world.loop import complete
from tests.core.roles.phones import BY_HAND, Lie, Phones, flipped, friends, phones

SAID_AGAIN = encode_content(Retry(bytes(32), bytes(32), Text("never asked for")))
RELAY, SENDER, NOBODY = ("relay",), ("sender",), ()
STRANGER = SigningKey.from_seed(bytes(32))
OWN_BUSINESS = (b"me", b"alarm/", b"outbox", b"view/")
"""What a refusal before the envelope is opened may touch: the mailbox's number, the alarm, the next question."""
OPENED = (*OWN_BUSINESS, b"session/", b"settled")
"""And after: the ratchet has moved on, and the item is not looked at again."""


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    yield at
    at.reset()


def part(**changes: bytes) -> Lie:
    """The relay delivers other bytes than it took."""
    return Lie(delivery=lambda one: msgspec.structs.replace(one, **changes))


def changed_part(name: str, place: int = -1) -> Lie:
    return Lie(delivery=lambda one: msgspec.structs.replace(one, **{name: flipped(getattr(one, name), place)}))


def cut_part(name: str) -> Lie:
    return Lie(delivery=lambda one: msgspec.structs.replace(one, **{name: getattr(one, name)[:-1]}))


def other_body(**changes: bytes) -> Lie:
    """The sender signs for a body that its key does not open."""
    return Lie(body=lambda body: msgspec.structs.replace(Body.decode(body), **changes).encode())


def test_what_nobody_has_touched_is_shown(at: Phones) -> None:
    at.deliver("bob", at.craft("as it was"))
    assert at.texts("bob")[-1] == "as it was"
    assert at.alarms("bob") == []


BEFORE_OPENING = [
    # 1: form
    (cut_part("label"), "MALFORMED", NOBODY),
    (part(label=b""), "MALFORMED", NOBODY),
    (changed_part("label", 35), "MALFORMED", NOBODY),
    (cut_part("body"), "MALFORMED", NOBODY),
    (part(body=bytes(1 << 17)), "TOO_LARGE", NOBODY),
    (cut_part("receipt"), "MALFORMED", NOBODY),
    (cut_part("frame"), "MALFORMED", NOBODY),
    (cut_part("path"), "MALFORMED", NOBODY),
    (cut_part("env_path"), "MALFORMED", NOBODY),
    # 2: the receipt
    (Lie(relay_key=STRANGER), "RECEIPT_INVALID", RELAY),
    (Lie(include_by=1), "RECEIPT_INVALID", RELAY),
    (changed_part("receipt"), "RECEIPT_INVALID", RELAY),
    (changed_part("frame"), "RECEIPT_INVALID", RELAY),
    (changed_part("relay_sig"), "RECEIPT_INVALID", RELAY),
    (changed_part("path", 0), "RECEIPT_INVALID", RELAY),
    (Lie(receipt={"conv_tag": bytes(32)}), "RECEIPT_INVALID", RELAY),
    (Lie(receipt={"sender_device": 2}), "RECEIPT_INVALID", RELAY),
    # 3: what was signed for
    (changed_part("label"), "MALFORMED", NOBODY),
    (changed_part("label", 60), "RELAY_SUBSTITUTED", RELAY),
    (changed_part("capsule"), "RELAY_SUBSTITUTED", RELAY),
    (changed_part("body"), "RELAY_SUBSTITUTED", RELAY),
    (changed_part("env_root"), "RELAY_SUBSTITUTED", RELAY),
    (changed_part("envelope"), "RELAY_SUBSTITUTED", RELAY),
    (changed_part("env_path", 3), "RELAY_SUBSTITUTED", RELAY),
    # 4: who signed
    (Lie(signature=flipped), "SIGNATURE_INVALID", RELAY),
    (Lie(signature=lambda _: b""), "SIGNATURE_INVALID", RELAY),
]


@pytest.mark.spec("RCV-1")
@pytest.mark.spec("RCV-2")
@pytest.mark.spec("RCV-3")
@pytest.mark.spec("RCV-4")
@pytest.mark.parametrize(("lie", "reason", "culprits"), BEFORE_OPENING)
def test_what_the_relay_cannot_account_for_is_refused_and_consumes_nothing(
    at: Phones, lie: Lie, reason: str, culprits: tuple[str, ...]
) -> None:
    before = at.state("bob", *OWN_BUSINESS)
    at.deliver("bob", at.craft(lie=lie))
    at.sync("bob")  # before it names anybody for a signature, it asks the log whether it has missed a new key
    assert at.alarms("bob") == [(reason, culprits)]
    assert at.state("bob", *OWN_BUSINESS) == before
    at.deliver("bob", at.craft("the next one"))
    assert at.texts("bob")[-1] == "the next one"


AFTER_OPENING = [
    # 6: pins, and the envelope against the signature
    (Lie(content={"mode": PLAIN}), "MODE_MISMATCH", NOBODY),
    (Lie(content={"body_id": bytes(32)}), "SENDER_INCONSISTENT", SENDER),
    (Lie(content={"label_hash": bytes(32)}), "SENDER_INCONSISTENT", SENDER),
    (Lie(content={"cap_hash": bytes(32)}), "SENDER_INCONSISTENT", SENDER),
    (Lie(content={"index": 1, "seed": None}), "SENDER_INCONSISTENT", SENDER),
    (Lie(content={"genesis": b"no conversation"}), "SENDER_INCONSISTENT", SENDER),
    (Lie(header={"label_hash": bytes(32)}), "SENDER_INCONSISTENT", SENDER),
    (Lie(header={"cap_hash": bytes(32)}), "SENDER_INCONSISTENT", SENDER),
    (Lie(plaintext=lambda _: b"no envelope"), "SENDER_INCONSISTENT", SENDER),
    # 7: the label
    (Lie(label={"conv_tag": bytes(32)}), "CONV_TAG", SENDER),
    (Lie(label={"roster_root": bytes(32)}), "ROSTER_ROOT", SENDER),
    (Lie(label={"committee_key_hash": bytes(32)}), "COMMITTEE_UNAUTHORISED", NOBODY),
    (Lie(label={"n_max": 2}), "CHAIN_LIMIT", NOBODY),
    (Lie(receipt={"epoch": 1}), "EPOCH_STALE", RELAY),
    (Lie(receipt={"ingest_time": 0}), "EPOCH_STALE", RELAY),
    # 8: the capsule
    (Lie(capsule_seed=b"another seed, of 32 bytes length"), "CAPSULE_MISMATCH", SENDER),
    (Lie(content={"seed": Secret(bytes(64))}), "CAPSULE_MISMATCH", SENDER),
    (Lie(header={"index": 1}, content={"seed": None}), "INDEX_RANGE", NOBODY),
    # 9: the body
    (other_body(commitment=bytes(32)), "COMMITMENT_MISMATCH", SENDER),
    (other_body(ciphertext=bytes(80)), "BODY_INVALID", SENDER),
    (Lie(key=flipped), "COMMITMENT_MISMATCH", SENDER),
    # 10: what it says
    (Lie(padded=lambda padded: padded + bytes(1)), "CONTENT_INVALID", SENDER),
    (Lie(padded=lambda _: bytes(64)), "CONTENT_INVALID", SENDER),
    (Lie(header={"content_class": ContentClass.RETRY}), "CONTENT_INVALID", SENDER),
    (Lie(header={"content_class": ContentClass.RETRY}, padded=lambda _: SAID_AGAIN), "RETRY_UNSOLICITED", NOBODY),
    (Lie(padded=lambda _: SAID_AGAIN), "CONTENT_INVALID", SENDER),
    (Lie(header={"content_class": ContentClass.RETRY}, label={"n_max": 2}), "CHAIN_LIMIT", NOBODY),
    (Lie(header={"content_class": ContentClass.CONTROL}), "CONTENT_INVALID", SENDER),
]


@pytest.mark.spec("RCV-6")
@pytest.mark.spec("RCV-7")
@pytest.mark.spec("RCV-8")
@pytest.mark.spec("RCV-9")
@pytest.mark.spec("RCV-10")
@pytest.mark.spec("RCV-11")
@pytest.mark.parametrize(("lie", "reason", "culprits"), AFTER_OPENING)
def test_what_the_sender_cannot_account_for_is_refused_and_consumes_its_envelope_only(
    at: Phones, lie: Lie, reason: str, culprits: tuple[str, ...]
) -> None:
    before, said = at.state("bob", *OPENED), at.texts("bob")
    item = at.craft(lie=lie)
    at.deliver("bob", item, item)
    assert at.alarms("bob") == [(reason, culprits)], "once, although it came twice"
    assert at.state("bob", *OPENED) == before
    assert at.texts("bob") == said


@pytest.mark.spec("RCV-7")
def test_a_policy_that_nobody_authorised_is_refused_and_names_nobody(at: Phones) -> None:
    at.deliver("bob", at.craft(lie=Lie(policy_hash=bytes(32))))
    assert at.alarms("bob") == [("POLICY_UNAUTHORISED", NOBODY)]


@pytest.mark.spec("RCV-7")
def test_a_suite_that_is_not_the_committees_is_refused_and_names_nobody(at: Phones) -> None:
    at.deliver("bob", at.craft(lie=Lie(label={"suite": 2})))
    assert at.alarms("bob") == [("SUITE_MISMATCH", NOBODY)]


@pytest.mark.spec("RCV-9")
def test_a_chain_is_accepted_once(at: Phones) -> None:
    at.deliver("bob", at.craft("first", Lie(label={"chain_id": b"one chain only.."})))
    at.deliver("bob", at.craft("in between"))
    at.deliver("bob", at.craft("second", Lie(label={"chain_id": b"one chain only.."})))
    assert at.texts("bob")[-2:] == ["first", "in between"]
    assert at.alarms("bob") == [("INDEX_REUSED", NOBODY)]


DEFERRED = [
    (Lie(receipt={"ingest_time": 1_000_000_000_000 + 3 * 3_600_000}), "CLOCK_AHEAD"),
    (Lie(label={"sender_device": 2}), "DEVICE_UNKNOWN"),
    (Lie(envelope=lambda _: b"noise"), "ENVELOPE_INVALID"),
    (Lie(envelope=flipped), "ENVELOPE_INVALID"),
    (Lie(label={"roster_version": 1}), "ROSTER_UNKNOWN"),
    (Lie(label={"epoch": 40_000}), "COMMITTEE_UNKNOWN"),
]


@pytest.mark.spec("RCV-2")
@pytest.mark.spec("RCV-4")
@pytest.mark.spec("RCV-5")
@pytest.mark.spec("RCV-7")
@pytest.mark.parametrize(("lie", "reason"), DEFERRED)
def test_what_may_still_come_right_is_kept_and_blames_nobody(at: Phones, lie: Lie, reason: str) -> None:
    said = at.texts("bob")
    at.deliver("bob", at.craft(lie=lie))
    for _ in range(2):
        assert at.status("bob").deferred == (reason,)
        assert at.alarms("bob") == []
        at.sync("bob")
    assert at.texts("bob") == said


def test_a_message_from_the_future_is_shown_when_its_time_has_come(at: Phones) -> None:
    at.deliver("bob", at.craft("tomorrow", Lie(receipt={"ingest_time": at.world.now + 600_000})))
    assert at.status("bob").deferred == ("CLOCK_AHEAD",)
    at.world.advance(600_000)
    at.sync("bob")
    assert at.texts("bob")[-1] == "tomorrow"
    assert at.status("bob").deferred == ()


def test_a_message_that_waits_for_the_committee_key_is_opened_once_and_then_shown(at: Phones) -> None:
    key = next(key for key in at.state("bob") if key.startswith(b"view/record/\x00\x12"))
    values, streams = at.store("bob").snapshot()
    del values[key]
    at.store("bob").restore((values, streams))
    at.world.network.down.add(Party("log"))
    at.deliver("bob", at.craft("patient"))
    at.sync("bob")
    assert at.status("bob").deferred == ("COMMITTEE_UNKNOWN",)
    at.world.network.down.clear()
    at.sync("bob")
    assert at.texts("bob")[-1] == "patient"
    assert (at.status("bob").deferred, at.alarms("bob")) == ((), [])


# -- devices that come and go -------------------------------------------------------------------


def at_step_four(at: Phones, item: EscrowDelivery) -> str:
    """Whether the device takes the signer of an item for one of its time; what it asks meanwhile is answered.

    The items of this section are not from the sessions of the new keys: what gets through here does not open.
    """
    at.deliver("bob", item)
    at.sync("bob")
    reasons = [reason for reason, _ in at.accused("bob")] + list(at.status("bob").deferred)
    return "" if reasons == ["ENVELOPE_INVALID"] or not reasons else reasons[-1]


def signed_content(item: EscrowDelivery) -> SignedContent:
    label = Label.decode(item.label)
    header = Header.decode(Body.decode(item.body).header)
    capped = cap_hash(label.suite, item.capsule)
    return SignedContent(label_hash(item.label), capped, header.index, body_id(item.body), item.env_root)


def signed_with(keys: IdentityKeys, time: int = -1, **label: int) -> Lie:
    return Lie(device_key=keys.signing_key, receipt={"ingest_time": time} if time >= 0 else {}, label=label)


LATER = 40 * 60_000
"""More than any doubt about when a list was logged."""


@pytest.mark.spec("RCV-4")
def test_mail_that_was_accepted_before_a_device_left_is_shown_after_it(at: Phones) -> None:
    """MSG-14, MSG-15: a removal later on takes nothing back."""
    item = at.craft("from my old phone")
    at.world.advance(LATER)
    at.relist("alice", at.new_keys("alice", 2))
    at.sync("bob")
    at.deliver("bob", item)
    at.sync("bob")
    assert at.texts("bob")[-1] == "from my old phone"
    assert (at.status("bob").deferred, at.accused("bob")) == ((), [])


@pytest.mark.spec("RCV-4")
@pytest.mark.parametrize("known", [True, False])
def test_a_device_that_was_removed_signs_nothing_more(at: Phones, *, known: bool) -> None:
    """Also not where the relay lets it, and whether or not the receiver has heard of the removal."""
    at.relist("alice", at.new_keys("alice", 2))
    if known:
        at.world.advance(LATER)
        at.send("bob", "carol", "this brings a newer head")
    at.world.advance(LATER)
    said = at.texts("bob")
    assert at_step_four(at, at.craft("from a stolen phone")) == "DEVICE_UNKNOWN"
    assert at.accused("bob") == []
    assert at.texts("bob") == said


@pytest.mark.spec("RCV-4")
@pytest.mark.parametrize("removed", [True, False])
def test_who_meets_an_account_after_a_removal_is_not_taken_in_by_the_removed_device(
    at: Phones, *, removed: bool
) -> None:
    """Carol has never heard of alice, but her own past tells her how old the removal is."""
    if removed:
        at.relist("alice", at.new_keys("alice", 2))
    at.world.advance(LATER)
    at.send("carol", "bob", "this brings a head")
    at.world.advance(3 * LATER)
    item = at.craft()
    with nullcontext() if not removed else pytest.raises(DeferredError, match="DEVICE_UNKNOWN"):
        assert signer_for(at, "carol", item).account == at.me("alice").keys.account


def signer_for(at: Phones, name: str, item: EscrowDelivery) -> Identity:
    """Who signed, to somebody whom the item is not for; the log answers what is asked meanwhile."""
    receipt, light = Receipt.decode(item.receipt), LightView(at.world.genesis)
    for _ in range(3):
        draft = at.draft(name)
        try:
            return signer(draft, light, receipt, signed_content(item), item.device_sig, 0, at.world.now)[0]
        except DeferredError:
            at.store(name)._apply(draft.writes())
            complete(at.device(name).pump())
    return signer(at.draft(name), light, receipt, signed_content(item), item.device_sig, 0, at.world.now)[0]


@pytest.mark.spec("RCV-4")
@pytest.mark.parametrize(
    ("key", "time", "outcome"),
    [
        ("old", "before", ""),
        ("new", "after", ""),
        ("old", "after", "SIGNATURE_INVALID"),
        ("new", "before", "SIGNATURE_INVALID"),
    ],
)
def test_a_key_that_was_replaced_signs_nothing_more_and_the_new_one_nothing_earlier(
    at: Phones, key: str, time: str, outcome: str
) -> None:
    keys = {"old": at.me("alice").keys, "new": at.new_keys("alice")}
    times = {"before": at.world.now}
    at.world.advance(2 * LATER)
    at.send("bob", "carol", "this brings a newer head")
    at.world.advance(LATER)
    at.relist("alice", keys["new"])
    at.world.advance(LATER)
    times["after"] = at.world.now
    assert at_step_four(at, at.craft(lie=signed_with(keys[key], times[time]))) == outcome
    assert at.accused("bob") == ([(outcome, RELAY)] if outcome else [])


@pytest.mark.spec("RCV-4")
def test_a_new_key_that_the_receiver_has_not_heard_of_blames_nobody(at: Phones) -> None:
    """The list that it knows names another key: it asks the log before it names the relay."""
    new = at.new_keys("alice")
    at.relist("alice", new)
    at.world.network.down.add(Party("log"))
    at.deliver("bob", at.craft(lie=signed_with(new)))
    at.sync("bob")
    assert (at.status("bob").deferred, at.accused("bob")) == (("DEVICE_UNKNOWN",), [])
    at.world.network.down.clear()
    at.sync("bob")
    assert (at.status("bob").deferred, at.accused("bob")) == (("ENVELOPE_INVALID",), [])


@pytest.mark.spec("RCV-4")
@pytest.mark.parametrize("versions", [2, 4])
def test_lists_that_were_never_seen_are_asked_for_one_after_the_other(at: Phones, versions: int) -> None:
    """Bob was away while the account went through several devices; each signed in its time."""
    at.sync("bob")
    signed: list[tuple[IdentityKeys, int]] = []
    for _ in range(versions):
        keys = at.new_keys("alice")
        at.relist("alice", keys)
        at.world.advance(1000)
        signed.append((keys, at.world.now))
    for keys, time in reversed(signed):
        item = at.craft(lie=signed_with(keys, time))
        at.deliver("bob", item)
        at.sync("bob")
        assert set(at.status("bob").deferred) == {"ENVELOPE_INVALID"}
    assert at.accused("bob") == []
    stranger = at.new_keys("alice")
    at.deliver("bob", at.craft(lie=signed_with(stranger)))
    at.sync("bob")
    assert at.accused("bob") == [("SIGNATURE_INVALID", RELAY)]


def test_a_log_that_keeps_an_older_list_back_delays_and_blames_nobody(at: Phones) -> None:
    between = at.new_keys("alice")
    at.relist("alice", between)
    item = at.craft(lie=signed_with(between))
    at.relist("alice", at.new_keys("alice"))

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, GetRecord) and len(call.subject) > 32:
            raise RefusedError(Reason.NOT_FOUND)
        return reply

    at.world.network.on_reply = on_reply
    at.deliver("bob", item)
    for _ in range(2):
        at.sync("bob")
        assert (at.status("bob").deferred, at.accused("bob")) == (("DEVICE_UNKNOWN",), [])
    at.world.network.on_reply = lambda *parts: parts[-1]
    at.sync("bob")
    assert (at.status("bob").deferred, at.accused("bob")) == (("ENVELOPE_INVALID",), [])


def test_a_log_cannot_pass_one_version_of_a_list_off_as_another(at: Phones) -> None:
    between = at.new_keys("alice")
    at.relist("alice", between)
    item = at.craft(lie=signed_with(between))
    at.relist("alice", at.new_keys("alice"))

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, GetRecord) and len(call.subject) > 32:
            return GetRecord(call.entry_type, call.subject[:32], call.size)
        return call

    at.world.network.on_call = on_call
    at.deliver("bob", item)
    at.sync("bob")
    assert at.status("bob").deferred == ("DEVICE_UNKNOWN",)
    assert [culprits for _, culprits in at.accused("bob")] == [NOBODY]


# -- un-escrowed --------------------------------------------------------------------------------


def plain(at: Phones, plaintext: bytes, *, mode: int = PLAIN) -> PlainDelivery:
    _, envelope = seal(at.session("alice", "bob", mode), plaintext, b"", at.coins(), at.world.now)
    return PlainDelivery(at.me("alice").keys.account, 1, envelope)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        Plain(bytes(32), 0, bytes(16), b"unpadded").encode(),
        Plain(bytes(32), 0, bytes(16), encode_content(Text("x")), roster=b"no conversation").encode(),
    ],
)
def test_bad_content_of_an_unescrowed_message_is_refused_and_names_nobody(at: Phones, content: bytes) -> None:
    before = at.state("bob", *OPENED)
    at.deliver("bob", plain(at, content))
    assert [culprits for _, culprits in at.alarms("bob")] == [NOBODY]
    assert at.state("bob", *OPENED) == before


def test_an_escrowed_session_opens_nothing_of_the_unescrowed_one(at: Phones) -> None:
    (name,) = (one.id for one in at.status("bob").conversations if one.mode == PLAIN)
    content = Plain(name, 0, bytes(16), encode_content(Text("switched"))).encode()
    at.deliver("bob", plain(at, content, mode=ESCROW))
    assert at.status("bob").deferred == ("ENVELOPE_INVALID",)
    at.deliver("bob", plain(at, content))
    assert at.texts("bob")[-1] == "switched"


@pytest.mark.spec("RCV-5")
def test_the_first_message_of_an_escrowed_session_is_none_of_an_unescrowed_one(at: Phones) -> None:
    at.send("carol", "bob", "for the record")
    (item,) = at.waiting("bob")
    assert item.escrow is not None
    at.deliver("bob", PlainDelivery(at.me("carol").keys.account, 1, item.escrow.envelope))
    at.sync("bob")
    assert at.alarms("bob") == [("MODE_MISMATCH", NOBODY)]
    assert "for the record" not in at.texts("bob")


@pytest.mark.parametrize("account", [b"", bytes(31), bytes(33)])
def test_a_sender_that_is_no_account_is_refused(at: Phones, account: bytes) -> None:
    at.deliver("bob", PlainDelivery(account, 1, b"noise"))
    assert at.alarms("bob") == [("MALFORMED", NOBODY)]


@pytest.mark.parametrize("acquainted", [True, False])
def test_the_relay_cannot_pass_one_persons_message_for_anothers(acquainted: bool) -> None:
    at = friends() if acquainted else phones()
    at.reset()
    at.send("carol", "bob", "from carol", PLAIN)
    (item,) = at.waiting("bob")
    assert item.plain is not None
    said = at.texts("bob")
    at.deliver("bob", PlainDelivery(at.me("alice").keys.account, 1, item.plain.envelope))
    at.sync("bob")
    assert at.texts("bob") == said
    assert (at.alarms("bob"), at.status("bob").deferred) == ([], ("ENVELOPE_INVALID",))
    at.deliver("bob", item.plain)
    at.sync("bob")
    assert at.texts("bob") == [*said, "from carol"]


def test_a_one_time_prekey_serves_once() -> None:
    """MSG-12: what a first message has used is erased, and that message begins nothing a second time."""
    at = phones()
    at.reset()
    at.send("alice", "bob", "first", PLAIN)
    (item,) = at.waiting("bob")
    assert item.plain is not None
    before = {key for key in at.state("bob") if key.startswith(b"prekey/")}
    at.sync("bob")
    assert len(before - at.state("bob").keys()) == 2
    values, streams = at.store("bob").snapshot()
    kept = {key: value for key, value in values.items() if not key.startswith((b"session/", b"settled"))}
    at.store("bob").restore((kept, streams))
    at.deliver("bob", item.plain)
    assert at.status("bob").deferred == ("ENVELOPE_INVALID",)
    assert at.texts("bob") == ["first"]


# -- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers", [(1, 0), (0, 0), (-1,), (1 << 63,)])
def test_a_page_that_is_out_of_order_changes_nothing(at: Phones, numbers: tuple[int, ...]) -> None:
    first, item = at.me("bob").mail, at.craft()
    page = Fetched(
        tuple(Delivery(max(0, first + number) if number < 1 << 63 else number, item, None) for number in numbers)
    )
    before = at.state("bob")
    with pytest.raises(MalformedError):
        at.answer("bob", Todo(BY_HAND, Party("relay"), Fetch(first, 64)), page)
    assert at.state("bob") == before


@pytest.mark.parametrize(("escrow", "plain_too"), [(False, False), (True, True)])
def test_a_delivery_is_of_exactly_one_kind(at: Phones, *, escrow: bool, plain_too: bool) -> None:
    item = Delivery(
        at.me("bob").mail, at.craft() if escrow else None, plain(at, b"") if plain_too else None)  # fmt: skip
    before = at.state("bob", *OWN_BUSINESS)
    at.answer("bob", Todo(BY_HAND, Party("relay"), Fetch(item.number, 64)), Fetched((item,)))
    assert at.alarms("bob") == [("MALFORMED", NOBODY)]
    assert at.state("bob", *OWN_BUSINESS) == before


PARTS = EscrowDelivery.__struct_fields__


@given(data=st.data(), name=st.sampled_from(PARTS), bit=st.integers(0, 7))
def test_no_byte_of_a_delivery_can_be_changed(data: st.DataObject, name: str, bit: int) -> None:
    """ESC-12, MSG-03: refused or kept, never shown, and the session is as it was."""
    at = friends()
    at.reset()
    item = at.craft("untouched")
    value = bytearray(getattr(item, name))
    if not value:
        return
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << bit
    before, said = at.state("bob", *OWN_BUSINESS, b"deferred/"), at.texts("bob")
    at.deliver("bob", msgspec.structs.replace(item, **{name: bytes(value)}))
    assert at.texts("bob") == said
    assert at.state("bob", *OWN_BUSINESS, b"deferred/") == before
    assert {culprits for _, culprits in at.alarms("bob")} <= {RELAY, NOBODY}, "the sender did nothing"


# -- how long something is remembered ---------------------------------------------------------------


@pytest.mark.spec("RCV-17")
def test_what_was_settled_is_known_while_it_may_be_said_again_and_never_shown_twice(at: Phones) -> None:
    def said(text: str) -> PlainDelivery:
        at.send("alice", "bob", text, PLAIN)
        (item,) = (one.plain for one in at.waiting("bob") if one.plain is not None)
        at.sync("bob")
        return item

    item = said("once")
    name = b"settled/" + hashlib.sha256(item.envelope).digest()
    at.world.advance(KEPT - 1)
    said("later")
    assert name in at.state("bob")
    at.world.advance(1)
    said("later still")
    assert name not in at.state("bob")
    texts = at.texts("bob")
    at.deliver("bob", item)
    assert at.status("bob").deferred == ("ENVELOPE_INVALID",)
    at.sync("bob", "alice", "bob")
    assert at.texts("bob") == texts


@pytest.mark.spec("RCV-18")
def test_what_did_not_open_is_given_up_when_its_keys_are_gone_and_what_waits_for_the_log_never(at: Phones) -> None:
    at.deliver("bob", PlainDelivery(at.me("alice").keys.account, 1, b"\x01" + bytes(100)))
    at.deliver("bob", at.craft(lie=Lie(label={"epoch": 40_000})))
    at.world.advance(retrying.SAID_AGAIN - 1)
    at.sync("bob")
    assert at.status("bob").deferred == ("ENVELOPE_INVALID", "COMMITTEE_UNKNOWN")
    assert at.alarms("bob") == []
    at.world.advance(1)
    at.sync("bob")
    assert at.status("bob").deferred == ("COMMITTEE_UNKNOWN",)
    assert at.alarms("bob") == [("ENVELOPE_INVALID", NOBODY)]
