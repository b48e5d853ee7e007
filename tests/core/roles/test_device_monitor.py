"""Watching one's own account: a ghost device is noticed wherever in the log it stands, and a log that hides it, too."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import DeviceList
from escrow.errors import EscrowError, IntegrityError, Reason
from escrow.ids import Party
from escrow.roles.calls import Append, Appended, AppendResult, Call, GetHead, GetUpdate, Reply, Update
from escrow.roles.device import enrolment, monitor
from escrow.roles.device.commands import GetStatus, Register, Sync, WatchMe
from escrow.roles.device.monitor import MOST_TOLD, WATCH_EVERY, Monitor, approve, progress
from escrow.roles.device.own_devices import account_seed
from escrow.roles.lightview import LightView, SeenHead
from escrow.roles.machine import Draft
from escrow.roles.state import pack
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.world.founding import HOUR
from tests.core.roles.ghosts import GHOSTS, watch
from tests.core.roles.phones import PEOPLE, Phones, phones
from tests.core.roles.test_device_sending import count


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = phones()
    at.reset()
    yield at
    at.reset()


def replies(at: Phones, change: Callable[[GetUpdate, Update], Reply]) -> None:
    """The log answers questions for pages so, to devices."""

    def on_reply(origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if not origin.startswith("device/") or not isinstance(call, GetUpdate) or not isinstance(reply, Update):
            return reply
        return change(call, reply)

    at.world.network.on_reply = on_reply


def test_a_device_that_is_alone_in_its_account_has_read_everything_and_noticed_nothing(at: Phones) -> None:
    for name in PEOPLE:
        watched = watch(at, name)
        assert watched.size == at.world.store("log").length("log/leaves")
        assert abs(watched.time_ms - at.world.now) < 2000
        assert (watched.ghosts, watched.omitted) == (0, 0)
        assert at.alarms(name) == []


@pytest.mark.spec("DIR-5")
def test_another_device_signed_with_the_stolen_account_key_is_noticed(at: Phones) -> None:
    at.log("bob", at.next_list("bob", 1, 2))
    assert watch(at, "alice").ghosts == 0
    watched = watch(at, "bob")
    assert (watched.ghosts, watched.omitted) == (1, 0)
    (alarm,) = at.status("bob").alarms
    assert (alarm.reason, alarm.culprits) == ("GHOST_DEVICE", ())
    assert "version 1, devices 1, 2" in alarm.detail
    assert watch(at, "bob").ghosts == 1, "and told once"
    assert len(at.alarms("bob")) == 1


@pytest.mark.spec("DIR-5")
@pytest.mark.parametrize("ghost", GHOSTS)
def test_a_list_that_only_a_colluding_log_takes_is_noticed_too(at: Phones, ghost: Callable[[Phones], bytes]) -> None:
    at.slip_in(ghost(at))
    assert watch(at, "bob").ghosts == 1
    assert watch(at, "carol").ghosts == 0


def test_what_merely_mentions_the_account_is_no_list_of_it(at: Phones) -> None:
    key = DeviceList.decode(at.me("bob").device_list).account_key
    forged = at.next_list("bob", 2).encode()[:-1] + b"\0"
    carols = SigningKey.from_seed(account_seed(at.me("carol")))
    origin = at.world.genesis.log.origin
    at.slip_in(
        key,
        b"noise" + key * 3,
        Entry.make(EntryType.DEVICE_LIST, forged, carols, origin),
        Entry.make(EntryType.AUDIT, at.next_list("bob", 2).encode(), carols, origin),
        at.entry_of("carol", at.next_list("carol", 2)),
    )
    assert watch(at, "bob").ghosts == 0
    assert watch(at, "carol").ghosts == 1


def test_a_thief_who_logs_for_ever_fills_no_store(at: Phones) -> None:
    lists = [at.next_list("bob", 2)]
    for _ in range(2 * MOST_TOLD):
        lists.append(at.next_list("bob", 2, after=lists[-1]))
    watch(at, "bob")
    before = len(at.state("bob"))
    at.log("bob", *lists)
    assert watch(at, "bob").ghosts == len(lists)
    assert len(at.alarms("bob")) == MOST_TOLD
    assert len(at.state("bob")) - before == MOST_TOLD


def test_a_list_that_the_device_approves_is_no_ghost(at: Phones) -> None:
    following = at.next_list("bob", 1, 2)
    draft = at.draft("bob")
    approve(draft, following)
    at.store("bob")._apply(draft.writes())
    at.log("bob", following)
    assert watch(at, "bob").ghosts == 0
    at.log("bob", at.next_list("bob", 3, after=following))
    assert watch(at, "bob").ghosts == 1


# -- a list that is not there -------------------------------------------------------------------


@pytest.mark.spec("DIR-6")
@pytest.mark.parametrize("place", [0, 1 << 60], ids=["somewhere else", "somewhere far"])
def test_a_log_that_takes_a_list_and_does_not_show_it_is_noticed(at: Phones, place: int) -> None:
    real = at.world.network.call

    async def call(origin: Party, to: Party, call: Call) -> Reply:
        if isinstance(call, Append) and Entry.decode(call.entries[0]).type is EntryType.DEVICE_LIST:
            return Appended((AppendResult(place, ""),))
        return await real(origin, to, call)

    at.world.network.call = call  # type: ignore[method-assign]
    try:
        dave = at.world.register("dave")
    finally:
        at.world.network.call = real  # type: ignore[method-assign]
    at.world.advance(HOUR)
    # The relay has not been told of a list that is not logged, and took the prekeys of nobody: it may collude.
    assert isinstance(dave.store, MemoryStore)
    draft = Draft(dave.store)
    enrolment.on_enrolled(draft)
    dave.store._apply(draft.writes())
    for _ in range(2):
        at.world.run(dave, WatchMe())
        status = at.world.run(dave, GetStatus())
        assert (status.watched.omitted, status.watched.ghosts) == (1, 0)
        assert [one.reason for one in status.alarms][-1] == "LIST_OMITTED"
    del at.world.devices["dave"]
    del at.world.network.nodes[dave.party]


def test_before_it_is_enrolled_a_device_watches_nothing(at: Phones) -> None:
    draft = at.draft("bob")
    draft.put(b"me", at.state("bob")[b"me"])
    at.store("bob")._apply(draft.writes())
    asked = count(at)
    at.world.network.down.add(Party("relay"))
    dave = at.world.register("dave")
    at.world.run(dave, WatchMe())
    assert (asked[GetHead], asked[GetUpdate]) == (0, 0)
    del at.world.devices["dave"]
    del at.world.network.nodes[dave.party]


# -- a log that lies ----------------------------------------------------------------------------


LIES = ("swap", "drop the last", "drop the first", "change", "another's list", "spoiled note", "no proof", "repeat")


def lie_about(at: Phones, lie: str, place: int) -> Callable[[GetUpdate, Update], Reply]:
    def change(_call: GetUpdate, reply: Update) -> Reply:
        entries = list(reply.entries)
        at_ = place % len(entries)
        match lie:
            case "swap":
                entries[at_], entries[at_ - 1] = entries[at_ - 1], entries[at_]
            case "drop the last":
                entries.pop()
            case "drop the first":
                entries.pop(0)
            case "change":
                entries[at_] = entries[at_][:-1] + bytes([entries[at_][-1] ^ 1])
            case "another's list":
                entries[at_] = at.entry_of("carol", at.next_list("carol", 9))
            case "repeat":
                entries.append(entries[at_])
            case "no proof":
                return msgspec.structs.replace(reply, proof=(bytes(32),))
            case _:
                return msgspec.structs.replace(reply, note=reply.note.replace(b"\n", b"\r\n"))
        return msgspec.structs.replace(reply, entries=tuple(entries))

    return change


@pytest.mark.spec("DIR-4")
@settings(max_examples=40, deadline=None)
@given(lie=st.sampled_from(LIES), place=st.integers(0, 1 << 16))
@example(lie="swap", place=0)
def test_a_log_cannot_hide_a_ghost_behind_other_entries(lie: str, place: int) -> None:
    at = phones()
    at.reset()
    at.log("bob", at.next_list("bob", 1, 2))
    before = progress(at.store("bob"))
    replies(at, lie_about(at, lie, place))
    with suppress(IntegrityError):
        at.world.run(at.device("bob"), WatchMe())
        assert at.alarms("bob"), "a contradiction stops the command, and what proves nothing is told"
    assert progress(at.store("bob")) == before
    at.world.network.on_reply = lambda _o, _t, _c, reply: reply
    assert watch(at, "bob").ghosts == 1
    at.reset()


@pytest.mark.spec("DIR-4")
def test_a_device_believes_one_tree_for_others_and_for_itself(at: Phones) -> None:
    """Two trees, each signed by enough witnesses: one for its questions about others, one for the page."""
    watch(at, "bob")
    at.log("bob", at.next_list("bob", 2))
    draft, view = at.draft("bob"), LightView(at.world.genesis)
    known = progress(draft)
    page: Update = at.world.ask("log", GetUpdate(known.size, 0, 1))
    assert len(page.entries) == 1
    draft.put(b"view/head", pack(SeenHead(known.size + 1, bytes(32), at.world.now, at.world.now, 1)))
    with pytest.raises(IntegrityError, match="LOG_INCONSISTENT"):
        Monitor(view).on_update(draft, GetUpdate(known.size, 0, 1), page, at.world.now)
    assert progress(draft) == known


# -- page by page, and how often ----------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(page=st.integers(1, 9), batches=st.lists(st.integers(0, 4), min_size=1, max_size=4), crash=st.integers(0, 12))
def test_reading_goes_on_where_it_stopped_whatever_gets_lost(page: int, batches: list[int], crash: int) -> None:
    at = phones()
    at.reset()
    patch = pytest.MonkeyPatch()
    patch.setattr(monitor, "PAGE", page)
    asked = Counter[int]()
    newest = DeviceList.decode(at.me("bob").device_list)
    try:
        for batch in batches:
            for _ in range(batch):
                newest = at.next_list("bob", 2, after=newest)
                at.log("bob", newest)

            def lost(call: GetUpdate, reply: Update) -> Reply:
                asked[call.known_size] += 1
                if sum(asked.values()) == crash:
                    raise EscrowError(Reason.UNAVAILABLE)
                return reply

            replies(at, lost)
            watch(at, "bob")
        watched = watch(at, "bob")
        assert watched.size == at.world.store("log").length("log/leaves")
        assert watched.ghosts == sum(batches)
        assert sum(asked.values()) - len(asked) <= 1, "no page is read twice, but the one that was lost"
    finally:
        patch.undo()
        at.reset()


def test_fetching_mail_reads_on_once_a_day(at: Phones) -> None:
    at.log("bob", at.next_list("bob", 2))
    asked = count(at)
    for _ in range(5):
        at.sync("bob")
    assert (asked[GetUpdate], asked[GetHead]) == (0, 1), "a fresh head for the mail, and no more"
    for _ in range(3):
        at.world.advance(WATCH_EVERY + HOUR)
        at.sync("bob")
        at.sync("bob")
    assert (asked[GetUpdate], asked[GetHead]) == (1, 4), "nothing is read where nothing was logged"
    assert at.status("bob").watched.ghosts == 1


def test_a_log_that_is_away_holds_up_no_mail_and_is_asked_again(at: Phones) -> None:
    at.world.advance(2 * WATCH_EVERY)
    at.send("alice", "bob", "hello")
    at.world.advance(HOUR)
    at.world.network.down.add(Party("log"))
    at.world.run(at.device("bob"), Sync())
    assert at.alarms("bob") == []
    at.world.network.down.clear()
    at.sync("bob")
    assert at.status("bob").watched.size == at.world.store("log").length("log/leaves")
    assert at.texts("bob") == ["hello"]


def test_registering_again_approves_nothing(at: Phones) -> None:
    with pytest.raises(EscrowError, match="NAME_TAKEN"):
        at.world.run(at.device("bob"), Register("bob"))
    at.log("bob", at.next_list("bob", 2))
    assert watch(at, "bob").ghosts == 1
