"""ESC-14: escrow is neither added to a conversation nor taken from one, and what is not escrowed says nothing of it."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ids import Party
from escrow.roles.calls import Call, Delivery, Fetched, PlainDelivery, Reply, Submission, Submit
from escrow.roles.device.commands import GetInbox, GetStatus, Send, Sync
from escrow.rpc.codec import encode_call
from escrow.tags import Tag
from escrow.wire.v1 import relay_pb2
from tests.claims.measures import Census, effort
from tests.core.roles.scene import Scene, scene

pytestmark = pytest.mark.claim("ESC-14")

PLAIN, ESCROW = 0, 1
OF_ESCROW = (Tag.LABEL, Tag.CAP, Tag.HEADER, Tag.BODY, Tag.ENVELOPE, Tag.SUBMIT)
Change = Callable[[Delivery], Delivery]


def said(at: Scene, mode: int, text: str, change: Change | None = None) -> tuple[list[Submission], bool, list[str]]:
    """Bob writes to Alice; what he submitted, whether she was shown it, and the reasons of her new alarms."""
    network = at.world.network
    untouched, submitted = (network.on_call, network.on_reply), list[Submission]()

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        submitted.extend(call.items if isinstance(call, Submit) else ())
        return call

    def on_reply(_origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
        return (
            Fetched(tuple(map(change, reply.items)), reply.prekeys) if change and isinstance(reply, Fetched) else reply
        )

    alarms = len(at.world.run(at.alice, GetStatus()).alarms)
    network.on_call, network.on_reply = on_call, on_reply
    try:
        at.world.run(at.bob, Send("alice", mode, text))
        at.world.run(at.alice, Sync())
    finally:
        network.on_call, network.on_reply = untouched
    status = at.world.run(at.alice, GetStatus())
    shown = any(message.text == text for message in at.world.run(at.alice, GetInbox(0)).messages)
    return submitted, shown, [alarm.reason for alarm in status.alarms[alarms:]] + list(status.deferred)


@effort(0.5)
@given(st.text(min_size=1, max_size=200).filter(lambda text: text.isprintable()), st.integers(1, 3))
def test_the_wire_of_an_unescrowed_conversation_has_no_field_and_no_tag_of_escrow(
    census: Census, text: str, times: int
) -> None:
    at = scene().rewind("said")
    for turn in range(times):
        submitted, shown, _ = said(at, PLAIN, f"{turn}{text}")
        assert shown
        (item,) = submitted
        data = encode_call(Submit((item,)))
        message = relay_pb2.SubmitRequest.FromString(data).items[0]
        assert [field.name for field, _ in message.ListFields()] == ["idempotency_key", "plain"]
        assert [field.name for field, _ in message.plain.ListFields()] == ["envelopes"]
        assert not [tag for tag in OF_ESCROW if b"escrow/v1/" + tag.value.encode() in data]
        census("nothing of escrow")
    submitted, shown, _ = said(at, ESCROW, text)
    assert shown
    data = encode_call(Submit((submitted[0],)))
    assert all(b"escrow/v1/" + tag.value.encode() in data for tag in (Tag.LABEL, Tag.HEADER, Tag.BODY))
    census("escrow seen")


@effort(0.2)
@given(st.booleans())
def test_whoever_takes_the_escrow_away_shows_nothing_and_is_seen(census: Census, warmed_up: bool) -> None:
    at = scene().rewind("said")
    bob = at.account(at.bob)

    def stripped(delivery: Delivery) -> Delivery:
        """The same envelope as a message that never had any escrow."""
        if delivery.escrow is None:
            return delivery
        return Delivery(delivery.number, None, PlainDelivery(bob, 1, delivery.escrow.envelope))

    if warmed_up:
        assert said(at, PLAIN, "an honest one first")[1]
    _, shown, reasons = said(at, ESCROW, "in escrow, as agreed", stripped)
    assert not shown
    assert reasons
    assert set(reasons) <= {"MODE_MISMATCH", "ENVELOPE_INVALID"}
    census("escrow taken away")


@effort(0.2)
@given(st.booleans())
def test_whoever_wraps_escrow_around_a_private_message_shows_nothing_and_is_seen(
    census: Census, as_found: bool
) -> None:
    at = scene().rewind("said")
    kept: list[Delivery] = []

    def keep(delivery: Delivery) -> Delivery:
        kept.append(delivery)
        return delivery

    assert said(at, ESCROW, "a real one", keep)[1]
    genuine = kept[-1].escrow
    assert genuine is not None

    def wrapped(delivery: Delivery) -> Delivery:
        if delivery.plain is None:
            return delivery
        item = msgspec.structs.replace(genuine, envelope=delivery.plain.envelope)
        return Delivery(delivery.number, item, delivery.plain if as_found else None)

    _, shown, reasons = said(at, PLAIN, "nobody's business", wrapped)
    assert not shown
    assert reasons
    census("escrow put around")


@pytest.mark.parametrize("change", ["both", "neither", "no capsule", "no label"])
def test_the_relay_takes_an_item_of_exactly_one_kind(census: Census, change: str) -> None:
    at = scene().rewind("said")
    reasons: list[str] = []

    def twisted(item: Submission) -> Submission:
        escrow = item.escrow
        assert escrow is not None
        match change:
            case "both":
                return msgspec.structs.replace(item, plain=plain.plain)
            case "neither":
                return msgspec.structs.replace(item, escrow=None)
            case "no capsule":
                return msgspec.structs.replace(item, escrow=msgspec.structs.replace(escrow, capsule=b""))
        return msgspec.structs.replace(item, escrow=msgspec.structs.replace(escrow, label=b""))

    (plain,), _, _ = said(at, PLAIN, "one")
    network = at.world.network
    untouched = network.on_call, network.on_reply

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        return Submit(tuple(map(twisted, call.items))) if isinstance(call, Submit) else call

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, Submit):
            reasons.extend(each.reason for each in getattr(reply, "items", ()))
        return reply

    network.on_call, network.on_reply = on_call, on_reply
    try:
        at.world.run(at.bob, Send("alice", ESCROW, "two"))
    finally:
        network.on_call, network.on_reply = untouched
    expected = "CHAIN_START" if change.startswith("no ") else "MODE_MISMATCH"
    assert reasons
    assert set(reasons) == {expected}
    census("not of one kind")
