"""What people tell of their conversations: the same messages at both ends, under the same names and times."""

from collections.abc import Iterator

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.e2ee.file import File
from escrow.errors import EscrowError
from escrow.roles.device.commands import SendFile
from escrow.roles.device.history import GetHistory, Told
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.secret import Secret
from tests.core.roles.losses import unopened
from tests.core.roles.phones import PEOPLE, Phones, friends

TEAM = "#team"


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    yield at
    at.reset()


def told(at: Phones, name: str, peer: str = "") -> tuple[Told, ...]:
    messages: tuple[Told, ...] = at.world.run(at.device(name), GetHistory(peer)).messages
    return messages


@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from((*PEOPLE, TEAM)), st.sampled_from((PLAIN, ESCROW)))))
def test_every_message_is_told_alike_by_everybody_who_has_it(said: list[tuple[str, str, int]]) -> None:
    at = friends()
    at.reset()
    at.begin("alice", TEAM, "bob", "carol")
    at.sync()
    before = {name: {one.id for one in told(at, name)} for name in PEOPLE}
    expected = []
    for number, (sender, to, mode) in enumerate(said):
        how = ESCROW if to == TEAM else mode
        if sender != to:
            at.send(sender, to, f"{number}", how)
            at.world.advance(1000)
            everybody = tuple(one for one in PEOPLE if one != sender) if to == TEAM else (to,)
            expected.append((f"{number}", sender, everybody, how))
    at.sync()
    stories = {name: [one for one in told(at, name) if one.id not in before[name]] for name in PEOPLE}
    alike: dict[bytes, set[tuple[str, str, tuple[str, ...], int]]] = {}
    for name, story in stories.items():
        assert [one.time for one in story] == sorted(one.time for one in story)
        for one in story:
            alike.setdefault(one.id, set()).add((one.content.text, one.source, tuple(sorted(one.to)), one.mode))
            assert one.sent == (one.source == name)
            assert one.state == ("accepted" if one.sent else "shown")
            assert name in (one.source, *one.to)
    assert all(len(one) == 1 for one in alike.values()), "one message under each name"
    assert sorted(next(iter(one)) for one in alike.values()) == sorted(expected)
    times = [{one.time for story in stories.values() for one in story if one.id == name} for name in alike]
    modes = [next(iter(one))[3] for one in alike.values()]
    assert all(len(time) == 1 for time, mode in zip(times, modes, strict=True) if mode == ESCROW), "the relay's time"
    event(f"messages: {len(alike)}")


@pytest.mark.parametrize("mode", [PLAIN, ESCROW])
def test_what_was_said_again_is_told_once(at: Phones, mode: int) -> None:
    unopened(at, mode)
    at.sync("alice", "bob", "alice")
    stories = [[one for one in told(at, name) if one.content.text == "lost"] for name in ("alice", "bob")]
    assert [len(story) for story in stories] == [1, 1]
    assert stories[0][0].id == stories[1][0].id


def test_one_conversation_is_told_by_name_and_by_account(at: Phones) -> None:
    at.begin("alice", TEAM, "bob", "carol")
    at.send("alice", "carol", "to carol")
    at.send("alice", TEAM, "to all")
    at.sync()
    by_name = told(at, "alice", "bob")
    assert by_name
    assert by_name == told(at, "alice", at.me("bob").keys.account.hex())
    assert {one.peer for one in by_name} == {"bob"}
    assert [one.content.text for one in told(at, "alice", "carol")] == ["to carol"]
    assert [one.content.text for one in told(at, "bob", TEAM)] == ["to all"]
    assert told(at, "alice", "nobody") == ()


def test_a_file_is_told_and_what_waits_or_was_refused_before_it_was_sealed_is_not(at: Phones) -> None:
    file = File("list.txt", 3, bytes(32), Secret(bytes(32)))
    at.world.run(at.device("alice"), SendFile("bob", PLAIN, file))
    before = told(at, "alice")
    assert file in [one.content for one in before]
    at.send("alice", "nobody", "lost")
    with pytest.raises(EscrowError):
        at.send("alice", "bob", "x" * (61 * 1024))
    assert told(at, "alice") == before
