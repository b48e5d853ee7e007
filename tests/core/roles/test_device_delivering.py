"""Senders are told what was shown: that, by whom, in the same conversation, and nothing else."""

from collections.abc import Iterator

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from escrow.capsule.body import Body
from escrow.capsule.header import ContentClass, Header
from escrow.e2ee.content import Delivered, decode_content, encode_content
from escrow.e2ee.keys import Identity
from escrow.errors import MalformedError
from escrow.ids import AccountId, DeviceNo, Party
from escrow.roles.calls import Call, EscrowSend, PlainSend, Submit
from escrow.roles.device import delivering
from escrow.roles.device.commands import SendReceipts
from escrow.roles.device.history import GetHistory
from escrow.roles.device.state import ESCROW, PLAIN
from tests.core.roles.losses import unopened
from tests.core.roles.phones import PEOPLE, Lie, Phones, friends

MODES = [PLAIN, ESCROW]
TEAM = "#team"


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = talkative()
    yield at
    at.reset()


def talkative() -> Phones:
    at = friends()
    at.reset()
    choose(at, *PEOPLE)
    return at


def choose(at: Phones, *names: str, on: bool = True) -> None:
    for name in names:
        at.world.run(at.device(name), SendReceipts(on))


def told(at: Phones, name: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """By text: the state of what was sent, and who has it."""
    return {
        one.content.text: (one.state, one.delivered) for one in at.world.run(at.device(name), GetHistory()).messages
    }


def submissions(at: Phones) -> list[tuple[Party, EscrowSend | PlainSend | None]]:
    found: list[tuple[Party, EscrowSend | PlainSend | None]] = []

    def on_call(origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit):
            found.append((origin, call.items[0].escrow or call.items[0].plain))
        return call

    at.world.network.on_call = on_call
    return found


@pytest.mark.spec("DLV-1")
@pytest.mark.parametrize("mode", MODES)
def test_all_that_was_fetched_is_told_in_one_message_of_the_same_mode_and_that_is_the_end_of_it(
    at: Phones, mode: int
) -> None:
    for text in "abc":
        at.send("alice", "bob", text, mode)
    assert {told(at, "alice")[text] for text in "abc"} == {("accepted", ())}
    seen = submissions(at)
    at.sync("bob")
    ((origin, item),) = seen
    assert (origin, isinstance(item, EscrowSend)) == (at.device("bob").party, mode == ESCROW)
    if isinstance(item, EscrowSend):
        assert Header.decode(Body.decode(item.body).header).content_class is ContentClass.CONTROL
    at.sync(*PEOPLE * 2)
    assert len(seen) == 1
    assert {told(at, "alice")[text] for text in "abc"} == {("delivered", ("bob",))}
    assert (at.status("alice").delivered, at.status("alice").accepted) == (3, 5)
    for name in PEOPLE:
        status = at.status(name)
        assert (status.alarms, status.deferred, status.queued, status.unanswered) == ((), (), 0, 0)
    assert [one.text for one in at.inbox("alice")] == ["hello alice"] * 2, "no screen shows it"


@pytest.mark.parametrize("mode", MODES)
def test_in_a_group_it_is_delivered_once_everybody_has_it(at: Phones, mode: int) -> None:
    at.begin("alice", TEAM, "bob", "carol", mode=mode)
    at.sync()
    at.send("alice", TEAM, "to all", mode)
    at.sync("bob", "alice")
    assert told(at, "alice")["to all"] == ("accepted", ("bob",))
    at.sync("carol", "alice")
    state, has = told(at, "alice")["to all"]
    assert (state, set(has)) == ("delivered", {"bob", "carol"})


@pytest.mark.spec("DLV-4")
@pytest.mark.parametrize("mode", MODES)
def test_in_a_group_without_escrow_only_the_device_that_wrote_it_is_told(at: Phones, mode: int) -> None:
    at.begin("alice", TEAM, "bob", "carol", mode=mode)
    at.sync()
    at.send("alice", TEAM, "from alice", mode)
    at.send("carol", TEAM, "from carol", mode)
    alice, carol = (at.me(name).keys.account for name in ("alice", "carol"))
    seen = submissions(at)
    at.sync("bob")
    told_to = sorted(sorted(each.account for each in item.envelopes) for _, item in seen if item)
    assert told_to == ([sorted([alice, carol])] if mode == ESCROW else sorted([[alice], [carol]]))
    at.sync("alice", "carol")
    assert "bob" in told(at, "alice")["from alice"][1]
    assert "bob" in told(at, "carol")["from carol"][1]


@pytest.mark.spec("DLV-4")
def test_a_device_that_is_gone_is_told_nothing_and_nobody_is_alarmed(at: Phones) -> None:
    at.begin("alice", TEAM, "bob", "carol", mode=PLAIN)
    at.sync()
    at.send("carol", TEAM, "before I go", PLAIN)
    at.change("alice", TEAM, remove=("carol",))
    before = at.alarms("bob")
    seen = submissions(at)
    at.sync("bob")
    assert at.texts("bob")[-1] == "before I go"
    assert [item for _, item in seen if not isinstance(item, EscrowSend)] == []
    assert (at.alarms("bob"), at.status("bob").queued) == (before, 0)


@pytest.mark.spec("DLV-1")
def test_what_is_refused_is_not_told(at: Phones) -> None:
    at.deliver("bob", at.craft(lie=Lie(padded=lambda _: bytes(64))))
    assert at.alarms("bob") == [("CONTENT_INVALID", ("sender",))]
    seen = submissions(at)
    at.sync("bob")
    assert seen == []


@pytest.mark.spec("DLV-1")
@pytest.mark.parametrize("mode", MODES)
def test_what_waits_is_not_told_and_what_came_after_all_is(at: Phones, mode: int) -> None:
    unopened(at, mode)
    seen = submissions(at)
    at.sync("bob")
    assert seen == []
    at.sync("alice")
    assert told(at, "alice")["lost"] == ("accepted", ())
    at.sync("bob", "alice")
    assert told(at, "alice")["lost"] == ("delivered", ("bob",))


@pytest.mark.spec("DLV-2")
@pytest.mark.parametrize("mode", MODES)
def test_who_does_not_want_to_tell_tells_nothing(at: Phones, mode: int) -> None:
    assert at.status("bob").receipts
    choose(at, "bob", on=False)
    assert not at.status("bob").receipts
    at.send("alice", "bob", "quietly", mode)
    seen = submissions(at)
    at.sync("bob")
    choose(at, "bob")
    at.sync("bob", "alice")
    assert seen == []
    assert told(at, "alice")["quietly"] == ("accepted", ())


def test_a_device_tells_nothing_unless_it_is_told_to() -> None:
    at = friends()
    at.reset()
    at.send("alice", "bob", "quietly")
    seen = submissions(at)
    at.sync("bob")
    assert (seen, at.status("bob").receipts) == ([], False)
    at.reset()


def test_other_devices_of_ones_own_are_not_told(at: Phones) -> None:
    at.send("alice", "bob", "x")
    at.sync("bob")
    draft, shown = at.draft("alice"), at.inbox("bob")[-1]
    alice, bob = at.me("alice").keys.identity, at.me("bob").keys.identity
    delivering.note(draft, shown, alice, default=True)
    assert list(draft.scan(b"due/")) == []
    delivering.note(draft, with_fields(shown, sender=bob.account), bob, default=True)
    assert len(list(draft.scan(b"due/"))) == 1


@pytest.mark.spec("DLV-3")
@given(
    account=st.booleans(), device=st.booleans(), keys=st.booleans(), name=st.booleans(),
    mode=st.booleans(), of=st.sampled_from(MODES), twice=st.booleans(),
)  # fmt: skip
def test_only_a_device_that_got_a_message_can_tell_of_it(
    account: bool, device: bool, keys: bool, name: bool, mode: bool, of: int, twice: bool
) -> None:
    at = talkative()
    at.send("alice", "bob", "for bob", of)
    (sent,) = (one for one in at.world.run(at.device("alice"), GetHistory()).messages if one.content.text == "for bob")
    bob, carol = at.me("bob").keys.identity, at.me("carol").keys.identity
    teller = Identity(
        AccountId(carol.account if account else bob.account),
        DeviceNo(2 if device else bob.device),
        carol.signing if keys else bob.signing,
        bob.dh,
    )
    draft = at.draft("alice")
    ids = (bytes(len(sent.id)) if name else sent.id,)
    for _ in range(1 + twice):
        delivering.take(draft, teller, 1 - of if mode else of, Delivered(ids))
    honest = not any((account, device, keys, name, mode))
    assert delivering.count(draft) == honest
    event(f"counts: {honest}")
    at.reset()


@pytest.mark.parametrize("count", [1, 256, 257])
def test_more_than_fits_is_told_in_several(at: Phones, count: int) -> None:
    draft = at.draft("bob")
    at.send("alice", "bob", "x")
    at.sync("bob")
    shown = at.inbox("bob")[-1]
    for number in range(count):
        draft.put(b"due/" + shown.conversation + number.to_bytes(32, "big"), at.me("alice").keys.identity.encode())
    delivering.send(draft, default=True)
    assert len(list(draft.scan(b"queue/"))) == 1 + count // 257
    assert list(draft.scan(b"due/")) == []


IDS = st.sampled_from([16, 32]).flatmap(lambda size: st.sets(st.binary(min_size=size, max_size=size), min_size=1))


@given(IDS)
def test_what_is_told_is_read_back(ids: set[bytes]) -> None:
    assert decode_content(encode_content(Delivered(tuple(ids)))) == Delivered(tuple(ids))


@pytest.mark.parametrize(
    "ids",
    [
        (),
        (bytes(15),),
        (bytes(16), bytes(16)),
        (bytes(32), bytes(16)),
        tuple(n.to_bytes(16, "big") for n in range(257)),
    ],
)
def test_what_is_no_list_of_messages_is_refused(ids: tuple[bytes, ...]) -> None:
    with pytest.raises(MalformedError, match="CONTENT_INVALID"):
        decode_content(encode_content(Delivered(ids)))
