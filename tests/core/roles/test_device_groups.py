"""Groups in a World: who hears what, under which chain, and what becomes of it when the members change."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from escrow.capsule.body import Body
from escrow.capsule.header import ContentClass, Header
from escrow.capsule.label import Label
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import Call, EscrowSend, GetBundle, RegisterRoute, Submit
from escrow.roles.device.chains import followed_chain, open_chain
from escrow.roles.device.commands import ChangeGroup, CreateGroup, Send
from escrow.roles.device.conversations import held_group
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.world.founding import DAY, MINUTE, Terms
from tests.core.roles.phones import PEOPLE, Phones

MODES = (PLAIN, ESCROW)
TEAM = "#team"


@cache
def office() -> Phones:
    """Alice, bob and carol are a team in both modes; chains have three messages."""
    at = Phones(Terms(group_chain=3))
    at.world.register("dora")
    at.begin("alice", TEAM, "bob", "carol")
    at.begin("alice", "#plain", "bob", "carol", mode=PLAIN)
    at.sync()
    at.morning = at.save()
    return at


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = office()
    at.reset()
    yield at
    at.reset()


def name_of(mode: int) -> str:
    return TEAM if mode == ESCROW else "#plain"


def sent(at: Phones) -> list[EscrowSend]:
    """Everything escrowed that is submitted from now on."""
    found: list[EscrowSend] = []

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit) and call.items[0].escrow is not None:
            found.append(call.items[0].escrow)
        return call

    at.world.network.on_call = on_call
    return found


def header(item: EscrowSend) -> Header:
    return Header.decode(Body.decode(item.body).header)


def quiet(at: Phones) -> None:
    """Nobody has refused anything or waits for anything."""
    for name in (*PEOPLE, "dora"):
        status = at.status(name)
        assert (status.alarms, status.deferred, status.refused, status.queued, status.unanswered) == ((), (), (), 0, 0)


# -- in a group -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_what_one_says_all_the_others_read_once(at: Phones, mode: int) -> None:
    for number in range(5):
        for name in PEOPLE:
            at.send(name, name_of(mode), f"{name} {number}", mode)
    at.sync()
    for name in PEOPLE:
        others = [f"{other} {number}" for number in range(5) for other in PEOPLE if other != name]
        assert Counter(at.texts(name)) == Counter(others)
    quiet(at)


@pytest.mark.parametrize("mode", MODES)
def test_everybody_has_the_group_before_anybody_has_said_anything(at: Phones, mode: int) -> None:
    seen = [at.group(name, name_of(mode)) for name in PEOPLE]
    assert {one.id for one in seen} == {seen[0].id}
    assert {one.members for one in seen} == {seen[0].members}
    assert sorted(seen[0].members) == ["alice", "bob", "carol"]
    assert {(one.mode, one.version, one.admin) for one in seen} == {(mode, 0, at.me("alice").keys.account)}
    assert all(at.texts(name) == [] for name in PEOPLE)


def test_a_message_says_which_group_it_is_of(at: Phones) -> None:
    at.send("alice", TEAM, "to all")
    at.send("alice", "bob", "to you")
    at.sync("bob")
    shown = at.inbox("bob")
    assert [(one.text, one.group) for one in shown] == [("to all", TEAM), ("to you", "")]
    assert shown[0].conversation == at.group("bob", TEAM).id != shown[1].conversation


# -- chains ---------------------------------------------------------------------------------------


def test_a_chain_has_one_capsule_and_later_messages_neither_label_nor_envelope(at: Phones) -> None:
    items = sent(at)
    for number in range(4):
        at.send("bob", TEAM, f"{number}")
    assert [header(item).index for item in items] == [0, 1, 2, 0]
    assert [bool(item.label) for item in items] == [True, False, False, True]
    assert [len(item.envelopes) for item in items] == [2, 0, 0, 2]
    assert len({header(item).label_hash for item in items}) == 2
    at.sync()
    assert at.texts("alice") == at.texts("carol") == ["0", "1", "2", "3"]
    quiet(at)


def test_a_pair_has_a_chain_for_each_message_as_before(at: Phones) -> None:
    items = sent(at)
    at.send("alice", "bob", "one")
    at.send("alice", "bob", "two")
    assert [Label.decode(item.label).n_max for item in items] == [1, 1]
    assert not [key for key in at.state("alice") if key.startswith(b"chain/out/")][1:], "but for the team's"


def test_pairs_may_have_chains_too_and_then_every_message_has_its_envelope() -> None:
    at = Phones(Terms(pair_chain=4))
    items = sent(at)
    for number in range(6):
        at.send("alice", "bob", f"{number}")
    assert [header(item).index for item in items] == [0, 1, 2, 3, 0, 1]
    assert [len(item.envelopes) for item in items] == [1] * 6
    at.sync()
    at.send("bob", "alice", "answer")
    at.sync()
    assert at.texts("bob") == [f"{number}" for number in range(6)]
    assert at.texts("alice") == ["answer"]
    assert (at.alarms("alice"), at.alarms("bob")) == ([], [])


def test_no_chain_outlives_its_epoch(at: Phones) -> None:
    """EPO-02."""
    at.send("bob", TEAM, "today")
    items = sent(at)
    at.world.advance(DAY)
    at.send("bob", TEAM, "tomorrow")
    assert [header(item).index for item in items] == [0]
    at.sync()
    at.world.advance(2 * DAY)
    at.send("carol", TEAM, "much later")
    at.sync()
    assert at.texts("alice")[-3:] == ["today", "tomorrow", "much later"]
    chains = [key for key in at.state("alice") if key.startswith(b"chain/in/")]
    assert len(chains) == 1, "the others are forgotten with their epochs"
    quiet(at)


def test_neither_seed_nor_spent_key_is_in_any_state(at: Phones) -> None:
    """ESC-17: what the store holds of a chain opens what is to come and nothing that was."""
    items = sent(at)
    at.send("bob", TEAM, "one")
    at.sync()
    held = held_group(at.draft("bob"), TEAM)
    assert held is not None
    mine = open_chain(at.draft("bob"), held.conversation.id)
    theirs = followed_chain(at.draft("alice"), Label.decode(items[0].label))
    assert mine is not None
    assert theirs is not None
    assert (mine.index, theirs.index) == (1, 1)
    assert mine.key == theirs.key
    with pytest.raises(RefusedError, match="INDEX_REUSED"):
        theirs.take(0, at.world.now)


@pytest.mark.parametrize("reason", ["EPOCH_STALE", "CHAIN_UNKNOWN", "INDEX_REUSED", "CAPSULE_INVALID"])
def test_after_a_refusal_nothing_more_is_sent_under_the_chain(at: Phones, reason: str) -> None:
    at.send("bob", TEAM, "begins")
    items = sent(at)
    at.send("bob", TEAM, "goes on")
    assert at.refuse_next(reason) == []
    at.send("bob", TEAM, "refused")
    at.send("bob", TEAM, "after")
    assert header(items[0]).index == 1
    assert header(items[1]).index == 0
    assert {header(item).label_hash for item in items[1:]} == {header(items[1]).label_hash}
    at.sync()
    lost = ["refused"] if reason == "CAPSULE_INVALID" else []
    assert at.texts("alice") == [text for text in ("begins", "goes on", "refused", "after") if text not in lost]


def test_what_waited_in_one_chain_beyond_its_epoch_is_sealed_anew(at: Phones) -> None:
    """EPO-05: all of it, once, under another chain."""
    at.world.network.down.add(Party("relay"))
    for number in range(3):
        at.send("bob", TEAM, f"{number}")
    at.world.network.down.clear()
    at.world.advance(2 * DAY)
    items = sent(at)
    at.sync("bob")
    at.sync()
    assert at.texts("alice") == at.texts("carol") == ["0", "1", "2"]
    assert len({(header(item).label_hash, header(item).index) for item in items}) == len(items)
    quiet(at)


# -- changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_who_is_added_reads_what_comes_and_nothing_that_was(at: Phones, mode: int) -> None:
    """MSG-10."""
    team = name_of(mode)
    at.send("bob", team, "before", mode)
    at.change("alice", team, add=("dora",))
    at.sync(*PEOPLE, "dora")
    at.send("bob", team, "after", mode)
    at.send("dora", team, "hello", mode)
    at.sync(*PEOPLE, "dora")
    assert at.texts("dora") == ["after"]
    assert at.texts("carol") == ["before", "after", "hello"]
    assert [at.group(name, team).version for name in (*PEOPLE, "dora")] == [1] * 4
    quiet(at)


@pytest.mark.parametrize("mode", MODES)
def test_who_is_removed_gets_nothing_any_more_and_is_not_heard(at: Phones, mode: int) -> None:
    """MSG-10."""
    team = name_of(mode)
    at.send("bob", team, "before", mode)
    at.sync()
    at.change("alice", team, remove=("carol",))
    at.sync("bob")
    at.send("bob", team, "after", mode)
    assert at.waiting("carol") == ()
    at.world.advance(11 * MINUTE)
    at.send("carol", team, "I am still here", mode)
    at.sync()
    assert at.texts("carol") == ["before"]
    assert at.texts("alice") == ["before", "after"]
    assert at.alarms("alice") == [("ROSTER_STALE", ())]
    assert at.group("carol", team).version == 0


def test_a_removal_takes_another_secret_and_an_addition_keeps_it(at: Phones) -> None:
    secrets = []
    for add, remove in (((), ()), (("dora",), ()), ((), ("bob",)), (("bob",), ())):
        if add or remove:
            at.change("alice", TEAM, add, remove)
        held = held_group(at.draft("alice"), TEAM)
        assert held is not None
        secrets.append(held.conversation.secret)
    assert secrets[0] == secrets[1] != secrets[2] == secrets[3]


def test_who_comes_back_goes_on_where_the_others_are(at: Phones) -> None:
    at.change("alice", TEAM, remove=("carol",))
    at.sync("bob")
    at.send("bob", TEAM, "without you")
    at.change("alice", TEAM, add=("carol",))
    at.sync()
    at.send("carol", TEAM, "back")
    at.sync()
    assert at.texts("carol") == []
    assert at.texts("bob") == ["back"]
    assert at.group("carol", TEAM).version == 2


def test_a_change_of_members_begins_a_new_chain(at: Phones) -> None:
    items = sent(at)
    at.send("alice", TEAM, "one")
    at.change("alice", TEAM, add=("dora",))
    at.send("alice", TEAM, "two")
    kinds = [(header(item).index, header(item).content_class) for item in items]
    assert kinds[-2:] == [(0, ContentClass.CONTROL), (1, ContentClass.CONTENT)]
    assert header(items[-1]).label_hash != header(items[0]).label_hash


@pytest.mark.parametrize("mode", MODES)
def test_who_came_and_went_while_somebody_was_away_is_read_by_her(at: Phones, mode: int) -> None:
    """MSG-15: carol hears of the version without dora before she hears of the one with her."""
    team = name_of(mode)
    at.change("alice", team, add=("dora",))
    at.sync("dora")
    at.change("alice", team, remove=("dora",))
    at.send("dora", team, "I was here", mode)
    _, other, words = (one.escrow or one.plain for one in at.waiting("carol"))
    assert other is not None
    assert words is not None
    at.deliver("carol", other, words)
    at.sync("carol")
    assert at.texts("carol") == ["I was here"]
    assert at.group("carol", team).version == 2
    assert (at.alarms("carol"), at.status("carol").deferred) == ([], ())


def test_what_was_sent_before_a_change_was_known_is_read(at: Phones) -> None:
    at.change("alice", TEAM, remove=("carol",))
    at.send("bob", TEAM, "I did not know")
    at.sync("alice", "bob", "carol")
    assert at.texts("alice")[-1] == at.texts("carol")[-1] == "I did not know"
    quiet(at)


def test_a_message_under_a_version_that_is_not_here_yet_waits_for_it(at: Phones) -> None:
    """MSG-15: bob's first message after the change comes before the one that tells of it."""
    at.send("bob", TEAM, "hello")
    at.send("carol", TEAM, "hello")
    at.sync()
    at.change("alice", TEAM, add=("dora",))
    at.sync("bob")
    for number in range(2):
        at.send("bob", TEAM, f"{number}")
    news, first, second = (one.escrow for one in at.waiting("carol") if one.escrow is not None)
    at.deliver("carol", second)
    assert at.status("carol").deferred == ("CHAIN_UNKNOWN",)
    at.deliver("carol", first, news)
    assert at.group("carol", TEAM).version == 1
    assert at.texts("carol")[1:] == ["0", "1"]
    assert (at.alarms("carol"), at.status("carol").deferred) == ([], ())


@pytest.mark.parametrize("name", ["bob", "carol"])
def test_only_the_admin_changes_a_group(at: Phones, name: str) -> None:
    before = at.state(name)
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        at.change(name, TEAM, add=("dora",))
    assert at.state(name) == before


IMPOSSIBLE: dict[str, tuple[Call, str]] = {
    "a name that is taken": (CreateGroup(TEAM, ("bob",), ESCROW), "NAME_TAKEN"),
    "a name that is none": (CreateGroup("team", ("bob",), ESCROW), "USAGE"),
    "no name": (CreateGroup("#", ("bob",), ESCROW), "USAGE"),
    "a long name": (CreateGroup("#" + "x" * 65, ("bob",), ESCROW), "USAGE"),
    "another mode": (Send(TEAM, PLAIN, "x"), "MODE_MISMATCH"),
    "no such mode": (CreateGroup("#new", ("bob",), 2), "USAGE"),
    "nowhere": (Send("#nowhere", ESCROW, "x"), "NOT_FOUND"),
    "no text": (ChangeGroup("#\ud800", ("bob",), ()), "CONTENT_INVALID"),
    "nobody's name": (CreateGroup("#new", ("\ud800",), ESCROW), "CONTENT_INVALID"),
    "a change of nothing": (ChangeGroup("#nowhere", ("bob",), ()), "NOT_FOUND"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_cannot_be_is_refused_and_changes_nothing(at: Phones, case: str) -> None:
    call, reason = IMPOSSIBLE[case]
    before = at.state("alice")
    with pytest.raises((RefusedError, MalformedError), match=reason):
        at.world.run(at.device("alice"), call)
    assert at.state("alice") == before


USELESS: dict[str, tuple[Any, ...]] = {
    "add a member": (("bob",), ()),
    "remove a stranger": ((), ("dora",)),
    "remove oneself": ((), ("alice",)),
    "both at once": (("dora",), ("dora",)),
    "remove all": ((), ("bob", "carol")),
    "nothing": ((), ()),
}


@pytest.mark.parametrize("case", USELESS)
def test_a_change_that_changes_nothing_or_all_is_refused_and_said(at: Phones, case: str) -> None:
    at.change("alice", TEAM, *USELESS[case])
    assert at.alarms("alice") == [("USAGE", ())]
    assert at.group("alice", TEAM).version == 0


def test_a_group_with_somebody_who_does_not_exist_does_not_begin_and_its_name_is_free(at: Phones) -> None:
    at.begin("alice", "#new", "nobody")
    at.send("alice", TEAM, "elsewhere all is well")
    assert at.alarms("alice") == [("NOT_FOUND", ())]
    at.begin("alice", "#new", "bob")
    assert len(at.group("alice", "#new").members) == 2


def test_a_group_of_the_same_title_gets_another_name(at: Phones) -> None:
    at.begin("dora", TEAM, "bob")
    at.sync("bob")
    assert at.group("bob", "#team-2").id == at.group("dora", TEAM).id
    at.send("bob", "#team-2", "for dora only")
    at.sync(*PEOPLE, "dora")
    assert at.texts("dora") == ["for dora only"]
    assert at.texts("alice") == at.texts("carol") == []


def test_a_group_of_two_is_not_their_pair(at: Phones) -> None:
    at.begin("alice", "#two", "bob")
    items = sent(at)
    at.send("alice", "#two", "one")
    at.send("alice", "bob", "other")
    at.sync("bob")
    assert [(one.text, one.group) for one in at.inbox("bob")] == [("one", "#two"), ("other", "")]
    assert len({Label.decode(item.label).conv_tag for item in items}) == 2


def test_a_continued_chain_asks_nobody_anything(at: Phones) -> None:
    at.send("bob", TEAM, "begins")
    asked = Counter[type[Call]]()

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        asked[type(call)] += 1
        return call

    at.world.network.on_call = on_call
    at.send("bob", TEAM, "goes on")
    assert asked == {Submit: 1}
    assert not asked[GetBundle] + asked[RegisterRoute]


def test_a_relay_that_knows_other_devices_is_believed_as_far_as_the_log_goes(at: Phones) -> None:
    at.refuse_next(Reason.RECIPIENTS_MISMATCH.name)
    at.send("bob", TEAM, "to whom?")
    at.sync()
    assert at.texts("alice") == ["to whom?"]
    quiet(at)
