"""What did not open is asked for and said again: once, to the same keys, in the same mode, and to nobody else."""

from collections.abc import Iterator

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from msgspec.structs import replace as with_fields

from escrow.e2ee.content import NeedRetry, NewRoster, Retry, Text, decode_content, encode_content
from escrow.e2ee.keys import Identity
from escrow.errors import EscrowError, MalformedError, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.device import asking, retrying
from escrow.roles.device.asking import ASKED, CAME, MOST_A_DAY, WANTED, Wanted
from escrow.roles.device.commands import Confirm, GetSafety, Meet
from escrow.roles.device.state import ESCROW, PLAIN, Queued, Sent
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow.world.founding import HOUR
from tests.core.roles.losses import (
    again,
    lose_session,
    queue,
    repetition,
    roll_back,
    said_again,
    session_place,
    unopened,
    write,
)
from tests.core.roles.phones import Phones, friends

MODES = [PLAIN, ESCROW]
TEAM = "#team"


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    yield at
    at.reset()


def quiet(at: Phones, *names: str) -> None:
    for name in names:
        assert (at.status(name).deferred, at.alarms(name)) == ((), [])


# -- what is lost comes after all ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("trouble", [lose_session, roll_back])
def test_what_a_broken_session_could_not_open_is_said_again_and_shown_once(
    at: Phones, mode: int, trouble: object
) -> None:
    if trouble is roll_back:
        roll_back(at, "alice", "bob", mode)
    else:
        lose_session(at, "bob", "alice", mode)
    before = at.texts("bob")
    at.send("alice", "bob", "lost", mode)
    at.sync("bob")
    assert at.texts("bob") == before
    assert at.status("bob").deferred == ("ENVELOPE_INVALID",)
    at.sync("alice", "bob", "alice", "bob")
    at.send("alice", "bob", "next", mode)
    at.sync("bob")
    assert at.texts("bob") == [*before, "lost", "next"]
    quiet(at, "alice", "bob")


@pytest.mark.parametrize("mode", MODES)
def test_a_message_has_one_name_at_both_ends_also_if_it_was_said_again(at: Phones, mode: int) -> None:
    unopened(at, mode)
    at.sync("alice", "bob")
    (sent,) = [one for one in map(_sent, at.store("alice").scan(b"sent/")) if one.message.content == Text("lost")]
    assert (at.inbox("bob")[-1].body_id, at.inbox("bob")[-1].text) == (sent.id, "lost")


def _sent(row: tuple[bytes, bytes]) -> Sent:
    return unpack(row[1], Sent)


@pytest.mark.parametrize("mode", MODES)
def test_in_a_group_the_lost_first_message_and_what_hangs_on_it_come_after_all(at: Phones, mode: int) -> None:
    at.begin("alice", TEAM, "bob", "carol", mode=mode)
    at.sync()
    at.send("carol", TEAM, "hello", mode)
    at.send("bob", TEAM, "hello", mode)
    at.sync()
    at.world.advance(24 * 3600 * 1000)  # another epoch, hence another chain
    lose_session(at, "carol", "bob", mode)
    for text in "abc":
        at.send("bob", TEAM, text, mode)
    at.sync("alice", "carol")
    assert at.texts("alice")[-3:] == ["a", "b", "c"]
    assert at.texts("carol")[-1] == "hello"
    at.sync("bob", "carol", "bob", "carol")
    assert sorted(at.texts("carol")[-3:]) == ["a", "b", "c"]
    assert at.texts("alice")[-3:] == ["a", "b", "c"], "whoever had it hears nothing twice"
    at.send("bob", TEAM, "d", mode)
    at.sync()
    assert (at.texts("alice")[-1], at.texts("carol")[-1]) == ("d", "d")
    quiet(at, "alice", "bob", "carol")


STEPS = st.sampled_from(["send", "back", "lose", "roll", "sync a", "sync b"])


@given(st.lists(STEPS, max_size=8), st.sampled_from(MODES))
def test_whatever_sessions_go_through_each_message_is_shown_once_in_the_end(steps: list[str], mode: int) -> None:
    at = friends()
    at.reset()
    said: dict[str, list[str]] = {"alice": [], "bob": []}
    begun = {name: at.texts(name) for name in said}
    saved = at.store("alice").get(session_place(at, "bob", mode))
    for number, step in enumerate([*steps, "send", "back"]):
        if step in ("send", "back"):
            name, peer = ("alice", "bob") if step == "send" else ("bob", "alice")
            at.send(name, peer, f"{number}", mode)
            said[peer].append(f"{number}")
        elif step == "lose":
            lose_session(at, "bob", "alice", mode)
        elif step == "roll":
            write(at, "alice", session_place(at, "bob", mode), saved)
        else:
            at.sync("alice" if step.endswith("a") else "bob")
    at.sync(*("bob", "alice") * 4)
    event(f"said again: {len(again(at, 'bob')) + len(again(at, 'alice'))}")
    for name, texts in said.items():
        assert sorted(at.texts(name)[len(begun[name]) :]) == sorted(texts)
        assert (at.status(name).deferred, at.accused(name)) == ((), [])


# -- to whom, and how often ---------------------------------------------------------------------------


@pytest.mark.spec("RTY-1")
@given(
    account=st.booleans(), device=st.booleans(), signing=st.booleans(), dh=st.booleans(),
    name=st.booleans(), mode=st.booleans(), late=st.booleans(), of=st.sampled_from(MODES),
)  # fmt: skip
def test_only_the_very_device_that_it_was_sealed_for_hears_it_again_and_once(
    account: bool, device: bool, signing: bool, dh: bool, name: bool, mode: bool, late: bool, of: int
) -> None:
    at = friends()
    at.reset()
    asked = unopened(at, of)
    bob, me = at.me("bob").keys.identity, at.me("carol").keys.identity
    asker = Identity(
        AccountId(me.account if account else bob.account),
        DeviceNo(2 if device else bob.device),
        me.signing if signing else bob.signing,
        me.dh if dh else bob.dh,
    )
    now = Millis(at.world.now + (retrying.SAID_AGAIN if late else 0))
    question = NeedRetry((bytes(32) if name else asked,))
    draft = at.draft("alice")
    retrying.answer(draft, asker, 1 - of if mode else of, question, now)
    entitled = not any((account, device, signing, dh, name, mode, late))
    event(f"entitled: {entitled}")
    found = [unpack(data, Queued) for _, data in draft.scan(b"queue/")]
    assert [(one.only, one.content.of, one.mode) for one in found if isinstance(one.content, Retry)] == (
        [(bob, asked, of)] if entitled else []
    )
    before = dict(draft.writes().puts)
    retrying.answer(draft, asker, of, question, now)
    assert not entitled or draft.writes().puts == before, "once"


@pytest.mark.spec("RTY-2")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("stays", [True, False])
def test_after_a_change_of_keys_nothing_is_said_again_by_itself_and_never_to_other_keys(
    at: Phones, mode: int, stays: bool
) -> None:
    unopened(at, mode)
    old, new = at.me("bob").keys, at.new_keys("bob", 2)
    at.relist("bob", *([old, new] if stays else [new]))
    at.world.advance(HOUR)
    at.sync("alice")
    assert [one.waits for one in queue(at, "alice")] == ["KEY_CHANGED"]
    assert at.status("alice").queued == 0, "nobody waits for it"
    shown = at.world.run(at.device("alice"), GetSafety("bob")).list_hash
    waiting = len(at.waiting("bob"))
    at.world.run(at.device("alice"), Meet("bob"))
    at.world.run(at.device("alice"), Confirm("bob", shown))
    assert queue(at, "alice") == []
    assert len(at.waiting("bob")) == waiting + stays
    at.sync("bob")
    assert ("lost" in at.texts("bob")) == stays
    assert bool(at.accused("alice")) is False


# -- what was not asked for ---------------------------------------------------------------------------


@pytest.mark.spec("RTY-3")
@pytest.mark.parametrize("mode", MODES)
def test_what_was_not_asked_for_is_refused_also_if_it_was_answered_before(at: Phones, mode: int) -> None:
    asked = unopened(at, mode)
    at.sync("alice", "bob")
    assert at.texts("bob")[-1] == "lost"
    at.deliver("bob", repetition(at, mode, bytes(32)), repetition(at, mode, asked))
    assert at.alarms("bob") == [("RETRY_UNSOLICITED", ())] * 2
    assert "false" not in at.texts("bob")


@pytest.mark.spec("RTY-3")
def test_an_answer_in_the_other_mode_is_none(at: Phones) -> None:
    asked = unopened(at, ESCROW)
    at.sync("alice")
    honest = [one.escrow for one in at.waiting("bob") if one.escrow]
    at.deliver("bob", repetition(at, PLAIN, asked))
    assert at.alarms("bob") == [("RETRY_UNSOLICITED", ())]
    at.deliver("bob", *honest)
    assert at.texts("bob")[-1] == "lost"


def test_what_is_said_again_keeps_its_name(at: Phones) -> None:
    asked = unopened(at, ESCROW)
    at.sync("alice")
    mail = at.waiting("bob")
    at.sync("bob")
    assert len(mail) == 1
    state = unpack(next(iter(at.store("bob").scan(b"again/")))[1], Wanted)
    write(at, "bob", next(iter(at.store("bob").scan(b"again/")))[0], pack(with_fields(state, state=ASKED)))
    at.deliver("bob", at.craft(lie=said_again(asked, name=bytes(32))))
    assert at.alarms("bob") == [("CONTENT_INVALID", ("sender",))]


def test_what_came_by_itself_in_the_meantime_is_not_shown_twice(at: Phones) -> None:
    at.begin("alice", TEAM, "bob", "carol")
    at.sync()
    for name in ("bob", "carol"):
        at.send(name, TEAM, "hello")
    at.sync()
    for text in ("first", "second"):
        at.send("bob", TEAM, text)
    first, second = (one.escrow for one in at.waiting("carol") if one.escrow)
    at.deliver("carol", second)
    at.sync("carol")
    assert at.texts("carol").count("second") == 1
    quiet(at, "carol")
    assert first is not None


# -- bounds -------------------------------------------------------------------------------------------


@pytest.mark.spec("RTY-4")
@given(st.integers(1, 3 * MOST_A_DAY), st.integers(0, 3), st.sampled_from(MODES))
def test_nobody_is_asked_without_bound_and_for_nothing_twice(count: int, days: int, mode: int) -> None:
    at = friends()
    at.reset()
    alice, draft = at.me("alice").keys.identity, at.draft("bob")
    for number in range(count):
        name = number.to_bytes(32, "big")
        chain = b"late" if number == 0 else b""
        asking.want(draft, name, Wanted(alice, mode, name, chain, broken=False, time=at.world.now))
    asked: list[bytes] = []
    for day in range(days + 1):
        for _ in range(3):
            asking.ask(draft, {b"late"}, Millis(at.world.now + day * asking.DAY))
        found = [unpack(data, Queued).content for _, data in draft.scan(b"queue/")]
        asked = [name for one in found if isinstance(one, NeedRetry) for name in one.names]
        assert len(asked) == len(set(asked)) == min(count - 1, MOST_A_DAY * (day + 1))
    assert bytes(32) not in asked, "its chain's first message is here and waits for something else"
    event(f"left: {count - 1 > len(asked)}")


@pytest.mark.parametrize("state", [WANTED, ASKED, CAME])
def test_what_nobody_says_again_any_more_is_neither_asked_for_nor_remembered(at: Phones, state: str) -> None:
    alice, draft = at.me("alice").keys.identity, at.draft("bob")
    for name, age in ((b"o" * 32, asking.REMEMBERED), (b"y" * 32, asking.REMEMBERED - 1)):
        time = at.world.now - age
        asking.want(draft, name, Wanted(alice, PLAIN, name, b"late", broken=False, time=time, state=state))
    asking.ask(draft, {b"late"}, at.world.now)
    assert [key[len(b"again/") :][:32] for key, _ in draft.scan(b"again/")] == [b"y" * 32]


def test_other_devices_of_the_same_account_are_not_asked(at: Phones) -> None:
    draft: Draft = at.draft("bob")
    asking.want(draft, bytes(32), Wanted(at.me("bob").keys.identity, PLAIN, bytes(32), b"", broken=True, time=0))
    asking.ask(draft, (), at.world.now)
    assert list(draft.scan(b"queue/")) == []


def test_what_came_after_all_is_forgotten_in_time(at: Phones) -> None:
    unopened(at, ESCROW)
    at.sync("alice", "bob")
    assert len(again(at, "bob")) == 1
    at.world.advance(asking.REMEMBERED)
    at.sync("bob")
    assert again(at, "bob") == []


# -- the form -----------------------------------------------------------------------------------------

ORIGINALS = st.one_of(st.text(max_size=50).map(Text), st.integers(0, 9).map(NewRoster))


@given(st.sets(st.binary(min_size=32, max_size=32), min_size=1, max_size=64), st.binary(min_size=32, max_size=32),
       st.sampled_from([16, 32]), ORIGINALS)  # fmt: skip
def test_questions_and_repetitions_are_read_back(
    names: set[bytes], of: bytes, size: int, content: Text | NewRoster
) -> None:
    for each in (NeedRetry(tuple(names)), Retry(of, bytes(size), content)):
        assert decode_content(encode_content(each)) == each


@pytest.mark.parametrize(
    "content",
    [
        NeedRetry(()),
        NeedRetry((bytes(32), bytes(32))),
        NeedRetry((bytes(31),)),
        NeedRetry(tuple(bytes([n]) * 32 for n in range(65))),
        Retry(bytes(31), bytes(32), Text("x")),
        Retry(bytes(32), bytes(15), Text("x")),
        Retry(bytes(32), bytes(32), NeedRetry((bytes(32),))),  # type: ignore[arg-type]
    ],
)
def test_what_is_neither_is_refused(content: NeedRetry | Retry) -> None:
    with pytest.raises(MalformedError, match="CONTENT_INVALID"):
        decode_content(encode_content(content))


def test_what_could_not_be_said_again_is_not_sent(at: Phones) -> None:
    text = "x" * (60 * 1024 - 60)
    encode_content(Text(text))
    with pytest.raises(EscrowError, match="TOO_LARGE"):
        at.send("alice", "bob", text)
    with pytest.raises(RefusedError, match="TOO_LARGE"):
        encode_content(Retry(bytes(32), bytes(32), Text(text)))
