"""What a sender does with every answer, and with none: which message waits, which starts anew, which ends and why."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from escrow.capsule.receipt import Receipt, sign_frame
from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import Device as ListedDevice
from escrow.e2ee.devices import DeviceList, account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.errors import EscrowError, IntegrityError, MalformedError, Reason, RefusedError
from escrow.ids import DeviceNo, Party
from escrow.roles.calls import (
    Append,
    Call,
    Enroll,
    Found,
    FrameReply,
    GetBundle,
    GetHead,
    GetRecord,
    Head,
    ItemResult,
    Lookup,
    PrekeyBundle,
    Record,
    RegisterRoute,
    Reply,
    Submit,
)
from escrow.roles.device.commands import GetInbox, Register, Send, Sync
from escrow.roles.device.outcome import AGAIN, ANEW, MOST_TRIES
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.roles.lightview import LightView
from escrow.roles.machine import Todo, outbox
from escrow.tlog.entry import Entry, EntryType
from escrow.world.founding import DAY, MINUTE
from tests.core.roles.phones import Phones, flipped, friends, phones

FATAL = [Reason.CAPSULE_INVALID, Reason.SIGNATURE_INVALID, Reason.SENDER_MISMATCH, Reason.HEADER_MISMATCH]


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    yield at
    at.reset()


@pytest.fixture(name="strangers")
def _strangers() -> Iterator[Phones]:
    at = phones()
    at.reset()
    yield at
    at.reset()


def count(at: Phones) -> Counter[type[Call]]:
    """Count what is asked from now on."""
    asked: Counter[type[Call]] = Counter()

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        asked[type(call)] += 1
        return call

    at.world.network.on_call = on_call
    return asked


def answer(at: Phones, kind: type[Call], reply: Reply | EscrowError) -> None:
    """Whatever is asked in this kind is answered so; the question reaches the other side all the same."""

    def on_reply(_origin: Party, _to: Party, call: Call, honest: Reply) -> Reply:
        if not isinstance(call, kind):
            return honest
        if isinstance(reply, EscrowError):
            raise reply
        return reply

    at.world.network.on_reply = on_reply


def refuse(at: Phones, reason: str) -> None:
    answer(at, Submit, FrameReply((ItemResult(reason),)))


# -- the log ------------------------------------------------------------------------------------


def test_nothing_is_sealed_while_the_log_is_frozen(at: Phones) -> None:
    """EPO-03: whoever holds the checkpoints back stops the messages, and is asked once a command."""
    at.world.advance(11 * MINUTE)
    known = LightView(at.world.genesis).head(at.store("alice"))
    assert known is not None
    old = at.world.ask("log", GetHead(known.size, 0))
    at.world.advance(11 * MINUTE)

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, GetHead):
            return Head(old.note, old.proof if call.known_size == known.size else ())
        return reply

    at.world.network.on_reply = on_reply
    asked = count(at)
    before = at.me("alice").hedge
    with_old = at.status("alice").accepted
    for mode in (PLAIN, ESCROW):
        at.send("alice", "bob", "frozen", mode)
    status = at.status("alice")
    assert (asked[Submit], status.queued, status.accepted) == (0, 2, with_old)
    assert set(status.waiting) <= {"LOG_STALE", "CLOCK_SKEW"}
    assert at.me("alice").hedge == before
    assert asked[GetHead] <= 2 * 3
    at.world.network.on_reply = lambda _o, _t, _c, reply: reply
    at.sync("alice", "bob")
    assert at.texts("bob")[-2:] == ["frozen", "frozen"]


@pytest.mark.parametrize("down", ["log", "relay"])
def test_a_message_waits_for_a_party_that_is_down_and_asks_once_a_command(at: Phones, down: str) -> None:
    at.world.advance(11 * MINUTE)
    at.world.network.down.add(Party(down))
    at.send("alice", "bob", "later")
    assert at.alarms("alice") == []
    at.world.network.down.clear()
    at.sync("alice", "bob")
    assert at.texts("bob")[-1] == "later"


def test_a_clock_that_is_wrong_stops_the_sender(at: Phones) -> None:
    device = at.device("alice")
    clock = device._clock
    for error in (7 * MINUTE, -7 * MINUTE):
        at.reset()
        device._clock = lambda error=error: clock() + error  # type: ignore[misc]
        at.world.advance(30 * MINUTE)
        at.send("alice", "bob", "when?")
        device._clock = clock
        status = at.status("alice")
        assert (status.queued, status.waiting) == (1, ("CLOCK_SKEW",))
        at.sync("alice", "bob")
        assert at.texts("bob")[-1] == "when?"


def test_a_fork_of_the_log_stops_the_device(at: Phones) -> None:
    at.world.advance(11 * MINUTE)
    answer(at, GetHead, Head(b"", ()))
    at.send("alice", "bob", "one")
    assert at.alarms("alice")[-1][0] == "MALFORMED"
    at.world.network.on_reply = lambda _o, _t, call, reply: (
        Head(reply.note, (bytes(32),)) if isinstance(call, GetHead) and isinstance(reply, Head) else reply)  # fmt: skip
    with pytest.raises(IntegrityError, match="LOG_INCONSISTENT"):
        at.send("alice", "bob", "two")


@pytest.mark.parametrize("lie", ["entry", "path", "other"])
def test_a_record_that_proves_nothing_is_as_good_as_none(strangers: Phones, lie: str) -> None:
    at = strangers

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if not isinstance(call, GetRecord) or not isinstance(reply, Record):
            return reply
        if lie == "entry":
            return msgspec.structs.replace(reply, entry=flipped(reply.entry))
        if lie == "path":
            return msgspec.structs.replace(reply, path=(bytes(32),))
        other: Record = at.world.ask("log", GetRecord(EntryType.DEVICE_LIST, at.me("carol").keys.account, call.size))
        return other

    at.world.network.on_reply = lambda o, t, c, r: r if o == "person/onlooker" else on_reply(o, t, c, r)
    asked = count(at)
    at.send("alice", "bob", "hello")
    assert at.status("alice").queued == 1
    assert asked[GetRecord] <= 4
    assert asked[Submit] == 0
    assert {culprits for _, culprits in at.alarms("alice")} == {()}
    at.world.network.on_reply = lambda _o, _t, _c, reply: reply
    at.sync("alice", "bob")
    assert at.texts("bob") == ["hello"]


# -- the relay's directory ----------------------------------------------------------------------


def test_nobody_of_that_name_ends_the_message_and_says_so(strangers: Phones) -> None:
    at = strangers
    asked = count(at)
    at.send("alice", "nobody", "hello?")
    status = at.status("alice")
    assert (status.refused, status.queued, asked[Lookup]) == (("NOT_FOUND",), 0, 1)


def test_a_name_that_stands_for_no_account_ends_the_message(strangers: Phones) -> None:
    at = strangers
    answer(at, Lookup, Found(b"short"))
    at.send("alice", "bob", "hello?")
    assert at.status("alice").refused == ("MALFORMED",)


def test_an_account_that_the_log_does_not_know_is_waited_for_and_asked_for_once_a_command(strangers: Phones) -> None:
    at = strangers
    asked = count(at)
    at.send("alice", "ab" * 32, "hello?")
    assert at.status("alice").waiting == ("DEVICE_UNKNOWN",)
    assert asked[GetRecord] <= 3


def test_a_log_that_grows_with_every_question_is_not_asked_for_ever(strangers: Phones) -> None:
    at = strangers
    asked: Counter[type[Call]] = Counter()
    device = at.device("alice").party

    def on_call(origin: Party, _to: Party, call: Call) -> Call:
        if origin == device and isinstance(call, GetHead):
            key = SigningKey.from_seed(sum(asked.values()).to_bytes(32, "big"))
            keys = IdentityKeys.make(account_id(key.public), DeviceNo(1), at.coins())
            devices = DeviceList.make(key, "someone", (ListedDevice.make(keys),))
            entry = Entry.make(EntryType.DEVICE_LIST, devices.encode(), key, at.world.genesis.log.origin)
            at.world.ask("log", Append((entry,)))
        if origin == device:
            asked[type(call)] += 1
        return call

    at.world.network.on_call = on_call
    at.send("alice", "ab" * 32, "hello?")
    assert at.status("alice").queued == 1
    assert asked[GetRecord] + asked[GetHead] < 8


@pytest.mark.parametrize("place", [0, 200, -1])
def test_a_bundle_that_does_not_verify_begins_no_session(strangers: Phones, place: int) -> None:
    """MSG-09."""
    at = strangers

    def on_reply(_origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
        if isinstance(reply, PrekeyBundle):
            return msgspec.structs.replace(reply, bundle=flipped(reply.bundle, place))
        return reply

    at.world.network.on_reply = on_reply
    asked = count(at)
    at.send("alice", "bob", "hello")
    assert at.status("alice").refused == ("BUNDLE_INVALID",)
    assert (asked[GetBundle], asked[Submit]) == (1, 0)
    assert not [key for key in at.state("alice") if key.startswith((b"session/", b"conv/"))]


def test_both_modes_begin_a_session_of_their_own(strangers: Phones) -> None:
    """Two questions for prekeys, two sessions: no one-time key serves twice."""
    at = strangers
    at.world.network.down.add(Party("relay"))
    at.send("alice", "bob", "plain", PLAIN)
    at.send("alice", "bob", "escrowed", ESCROW)
    at.world.network.down.clear()
    asked = count(at)
    at.sync("alice", "bob")
    assert sorted(at.texts("bob")) == ["escrowed", "plain"]
    assert asked[GetBundle] == 2
    assert len([key for key in at.state("alice") if key.startswith(b"session/")]) == 2


# -- the relay's verdict ------------------------------------------------------------------------


@pytest.mark.parametrize("reason", sorted(ANEW, key=str))
def test_a_refusal_that_a_new_chain_mends_starts_one_and_never_repeats_a_key(at: Phones, reason: Reason) -> None:
    sent: list[Any] = []

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit):
            sent.append(call.items[0])
        return call

    at.world.network.on_call = on_call
    refuse(at, reason.name)
    at.send("alice", "bob", "again")
    assert len(sent) == MOST_TRIES, "not for ever"
    assert at.status("alice").waiting == (reason.name,)
    assert len({one.idempotency_key for one in sent}) == MOST_TRIES
    for name in ("label", "capsule", "body", "device_sig"):
        assert len({getattr(one.escrow, name) for one in sent}) == MOST_TRIES
    at.world.network.on_reply = lambda _o, _t, _c, reply: reply
    at.sync("alice")
    status = at.status("alice")
    assert (status.queued, status.refused, len(sent)) == (0, (), MOST_TRIES + 1)


@pytest.mark.parametrize("reason", sorted(AGAIN, key=str))
def test_a_refusal_that_time_mends_sends_the_same_bytes_with_the_next_command(at: Phones, reason: Reason) -> None:
    sent: list[Call] = []

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit):
            sent.append(call)
        return call

    at.world.network.on_call = on_call
    refuse(at, reason.name)
    at.send("alice", "bob", "later")
    assert len(sent) == 1
    assert at.status("alice").unanswered == 1
    at.world.network.on_reply = lambda _o, _t, _c, reply: reply
    at.sync("alice", "bob")
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert at.texts("bob")[-1] == "later"
    assert at.status("alice").unanswered == 0


@pytest.mark.parametrize("reason", [*(one.name for one in FATAL), "A_REASON_OF_TOMORROW"])
def test_any_other_refusal_ends_the_message_and_says_why(at: Phones, reason: str) -> None:
    refuse(at, reason)
    at.send("alice", "bob", "no")
    status = at.status("alice")
    named = reason if reason in Reason.__members__ else "MALFORMED"
    assert (status.refused, status.queued, status.unanswered) == ((named,), 0, 0)
    assert at.alarms("alice") == [(named, ())]


@pytest.mark.parametrize("items", [(), (ItemResult(""), ItemResult(""))])
def test_an_answer_to_another_question_is_as_good_as_none(at: Phones, items: tuple[ItemResult, ...]) -> None:
    answer(at, Submit, FrameReply(items))
    at.send("alice", "bob", "what?")
    assert at.alarms("alice") == [("MALFORMED", ())]
    at.world.network.on_reply = lambda _o, _t, _c, reply: reply
    at.sync("alice", "bob")
    assert at.texts("bob")[-1] == "what?"
    assert at.status("alice").unanswered == 0


RECEIPT_LIES: dict[str, Callable[[Phones, ItemResult], ItemResult]] = {
    "unsigned": lambda _at, one: msgspec.structs.replace(one, relay_sig=flipped(one.relay_sig)),
    "none": lambda _at, _one: ItemResult(""),
    "another item": lambda at, one: signed(at, one, submit_hash=bytes(32)),
    "another epoch": lambda at, one: signed(at, one, epoch=1),
    "another time": lambda at, one: signed(at, one, ingest_time=1),
    "another tag": lambda at, one: signed(at, one, conv_tag=bytes(32)),
    "another sender": lambda at, one: signed(at, one, sender_account=bytes(32)),
    "a late promise": lambda at, one: signed(at, one, late=1),
}


def signed(at: Phones, one: ItemResult, late: int = 0, **changes: Any) -> ItemResult:
    """A receipt that the relay did sign, about something else."""
    receipt = msgspec.structs.replace(Receipt.decode(one.receipt), **changes)
    due = receipt.ingest_time + at.world.genesis.mmd_ms + late
    frame, signature, (path,) = sign_frame([receipt.encode()], at.relay_key, due)
    return ItemResult("", receipt.encode(), path, frame, signature)


@pytest.mark.parametrize("lie", RECEIPT_LIES)
def test_a_receipt_that_is_not_for_this_names_the_relay(at: Phones, lie: str) -> None:
    def on_reply(_origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
        if isinstance(reply, FrameReply):
            return FrameReply((RECEIPT_LIES[lie](at, reply.items[0]),))
        return reply

    at.world.network.on_reply = on_reply
    at.send("alice", "bob", "signed for?")
    status = at.status("alice")
    assert at.alarms("alice") == [("RECEIPT_INVALID", ("relay",))]
    assert (status.refused, status.queued) == (("RECEIPT_INVALID",), 0)


def test_what_waited_beyond_its_epoch_is_sealed_anew(at: Phones) -> None:
    """EPO-05, and EPO-01: the tag of an epoch that nobody was told of in time costs nothing but a try."""
    at.world.advance(DAY)
    at.sync("alice")
    relay = at.world.network.nodes.pop(Party("relay"))
    at.send("alice", "bob", "from yesterday")
    at.send("alice", "bob", "and this")
    sealed = [todo for todo in outbox(at.draft("alice")) if isinstance(todo.call, (Submit, RegisterRoute))]
    assert len(sealed) == 3
    at.world.network.nodes[Party("relay")] = relay
    at.world.advance(2 * DAY)
    at.sync("alice", "bob")
    assert at.texts("bob")[-2:] == ["from yesterday", "and this"]
    assert (at.alarms("alice"), at.alarms("bob")) == ([], [])
    assert at.status("alice").queued == 0


# -- commands and answers that come twice -------------------------------------------------------


@pytest.mark.parametrize("text", ["x" * 61_440, "\ud800"])
def test_what_cannot_be_sent_is_not_queued(at: Phones, text: str) -> None:
    before = at.state("alice")
    with pytest.raises((RefusedError, MalformedError)):
        at.send("alice", "bob", text)
    assert at.state("alice") == before


@pytest.mark.parametrize(
    "call", [Send("bob", 2, "mode"), Send("\ud800", 1, "name"), Register("again"), Lookup("not a command")]
)
def test_a_command_that_makes_no_sense_changes_nothing(at: Phones, call: Call) -> None:
    before = at.state("alice")
    with pytest.raises((RefusedError, MalformedError)):
        at.world.run(at.device("alice"), call)
    assert at.state("alice") == before


def test_a_message_to_oneself_is_refused(at: Phones) -> None:
    at.send("alice", "alice", "note")
    assert at.status("alice").refused == ("USAGE",)


def test_no_answer_counts_twice(strangers: Phones) -> None:
    """Every reply is delivered again after it was taken: nothing but the mail's numbers may notice."""
    at = strangers
    alice = at.device("alice")
    taken: list[tuple[Todo, Reply]] = []

    def on_reply(origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if origin == alice.party:
            taken.extend((todo, reply) for todo in outbox(at.draft("alice")) if todo.call == call)
        return reply

    at.world.network.on_reply = on_reply
    at.send("alice", "bob", "one", PLAIN)
    at.send("alice", "bob", "two")
    at.sync()
    at.send("bob", "alice", "three")
    at.sync("alice")
    before = at.state("alice")
    for todo, reply in taken:
        at.answer("alice", todo, reply)
    assert {type(todo.call) for todo, _ in taken} >= {Lookup, GetBundle, Submit, GetRecord, RegisterRoute}
    assert at.state("alice") == before
    at.sync()
    assert sorted(at.texts("bob")) == ["one", "two"]


@pytest.mark.parametrize("reason", ["RATE_LIMITED", "EPOCH_STALE", "CAPSULE_INVALID"])
def test_no_refusal_counts_twice(at: Phones, reason: str) -> None:
    at.world.network.down.add(Party("relay"))
    at.send("alice", "bob", "once")
    (todo,) = [todo for todo in outbox(at.draft("alice")) if isinstance(todo.call, Submit)]
    at.answer("alice", todo, FrameReply((ItemResult(reason),)))
    before = at.state("alice")
    at.answer("alice", todo, FrameReply((ItemResult(reason),)))
    at.answer("alice", todo, FrameReply((ItemResult(""),)))
    assert at.state("alice") == before


def test_a_tag_that_the_relay_did_not_take_is_told_again(at: Phones) -> None:
    at.world.advance(DAY)

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, RegisterRoute):
            raise RefusedError(Reason.EPOCH_FUTURE)
        return call

    at.world.network.on_call = on_call
    at.send("alice", "bob", "a new day")
    assert at.status("alice").waiting == ("CONV_TAG",)
    at.world.network.on_call = lambda _o, _t, call: call
    at.sync("alice", "bob")
    assert at.texts("bob")[-1] == "a new day"
    assert at.alarms("alice") == []


def test_reading_changes_nothing(at: Phones) -> None:
    before, commits = at.state("bob"), at.store("bob").commits
    at.texts("bob")
    at.status("bob")
    assert at.state("bob") == before
    assert at.store("bob").commits > commits
    assert at.world.run(at.device("bob"), GetInbox(1)).start == 1


def test_a_refused_enrolment_is_said(at: Phones) -> None:
    answer(at, Enroll, RefusedError(Reason.NAME_TAKEN))
    node = at.world.register("dora")
    del at.world.network.nodes[node.party], at.world.devices["dora"]
    at.world.devices["dora"] = node
    try:
        assert at.alarms("dora") == [("NAME_TAKEN", ())]
        assert not at.status("dora").enrolled
    finally:
        del at.world.devices["dora"]


def test_sync_asks_for_the_mailbox_until_it_is_empty(at: Phones) -> None:
    for number in range(70):
        at.send("alice", "bob", f"{number}", PLAIN)
    at.world.run(at.device("bob"), Sync())
    assert at.texts("bob")[-70:] == [f"{number}" for number in range(70)]
    assert at.waiting("bob") == ()
