"""Several devices of one account: what each gets, what it does not, and what a removal ends."""

from collections.abc import Iterator
from functools import cache

import pytest
from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import DeviceList
from escrow.e2ee.pqxdh import respond
from escrow.e2ee.session import Session, open_
from escrow.errors import DeferredError, EscrowError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import Call, DeviceEnvelope, GetPath, GetRecord, PlainSend, Reply, Submission, Submit
from escrow.roles.device.commands import Confirm, GetInbox, GetSafety, Send, WatchMe
from escrow.roles.device.conversations import all_held, held_by_id
from escrow.roles.device.linking import Compare, GetDevices, Host, Look, RemoveDevice
from escrow.roles.device.own_devices import account_seed, check_newer
from escrow.roles.device.state import ESCROW, PLAIN, Shown, known_list, load_prekey, load_session
from escrow.roles.machine import Draft
from escrow.roles.state import unpack
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import EntryType
from escrow.world.founding import DAY, MINUTE
from escrow.world.loop import complete
from tests.core.roles.phones import Phones

EVERYBODY = ("alice", "alice/2", "bob", "carol")
BOTH = pytest.mark.parametrize("mode", [PLAIN, ESCROW])


@cache
def linked() -> Phones:
    """Alice has two devices, and has not written to anybody yet."""
    built = Phones()
    built.world.link("alice", "alice/2")
    built.morning = built.save()
    return built


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = linked()
    at.reset()
    yield at
    at.reset()


def sync(at: Phones, *names: str) -> None:
    """Everything is delivered, also what comes of the first delivery."""
    for _ in range(2):
        at.sync(*(names or EVERYBODY))


def shown(at: Phones, name: str) -> list[Shown]:
    return list(at.world.run(at.device(name), GetInbox(0)).messages)


def submitted(at: Phones) -> list[tuple[str, Submission]]:
    """What goes to the relay from now on, and from whom."""
    seen: list[tuple[str, Submission]] = []

    def on_call(origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit):
            seen.extend((origin, item) for item in call.items)
        return call

    at.world.network.on_call = on_call
    return seen


def envelopes(item: Submission) -> tuple[DeviceEnvelope, ...]:
    kind = item.escrow or item.plain
    assert kind is not None
    return kind.envelopes


# -- to all, each on its own ----------------------------------------------------------------------


@BOTH
def test_what_is_sent_to_an_account_comes_to_all_its_devices(at: Phones, mode: int) -> None:
    at.send("bob", "alice", "hello you two", mode)
    sync(at)
    for name in ("alice", "alice/2"):
        assert [(one.text, one.sender_name, one.to) for one in shown(at, name)] == [("hello you two", "bob", "")]


@BOTH
def test_what_one_device_sends_its_others_show_as_sent_and_to_whom(at: Phones, mode: int) -> None:
    at.send("alice/2", "bob", "from the second", mode)
    at.send("alice", "carol", "from the first", mode)
    sync(at)
    own = at.me("alice").keys.account
    assert [(one.text, one.sender, one.to) for one in shown(at, "alice")] == [("from the second", own, "bob")]
    assert [(one.text, one.sender, one.to) for one in shown(at, "alice/2")] == [("from the first", own, "carol")]
    assert [(one.text, one.sender_name, one.to) for one in shown(at, "bob")] == [("from the second", "alice", "")]


@BOTH
def test_a_conversation_goes_on_from_any_device(at: Phones, mode: int) -> None:
    for turn, (sender, to) in enumerate((("alice", "bob"), ("bob", "alice"), ("alice/2", "bob"), ("bob", "alice")) * 2):
        at.send(sender, to, f"turn {turn}", mode)
        sync(at)
    assert at.texts("bob") == [f"turn {n}" for n in (0, 2, 4, 6)]
    for name, own in (("alice", (2, 6)), ("alice/2", (0, 4))):
        assert sorted(at.texts(name)) == sorted(f"turn {n}" for n in (1, 3, 5, 7, *own))
    assert [at.alarms(name) for name in EVERYBODY] == [[]] * 4
    assert [at.status(name).deferred for name in EVERYBODY] == [()] * 4


def sessions(at: Phones, name: str) -> list[Session]:
    return [unpack(data, Session) for key, data in at.store(name).scan(b"session/")]


@BOTH
def test_every_pair_of_devices_has_a_session_of_its_own_and_no_state_opens_anothers_envelope(
    at: Phones, mode: int
) -> None:
    """MSG-18, between the devices of one account: all that one of them holds opens nothing that is for the other."""
    seen = submitted(at)
    at.send("bob", "alice", "one", mode)
    before = {name: Draft(copied(at, name)) for name in ("alice", "alice/2")}
    sync(at)
    at.send("bob", "alice", "two", mode)
    bob = at.me("bob").keys.identity
    opened = refused = 0
    for _, item in seen:
        for envelope in envelopes(item):
            for name, place in (("alice", 1), ("alice/2", 2)):
                try:
                    _open(at, name, before[name], mode, envelope.envelope)
                except EscrowError:
                    assert envelope.device != place
                    refused += 1
                else:
                    assert (envelope.account, envelope.device) == (at.me("alice").keys.account, place)
                    opened += 1
    assert (opened, refused) == (4, 4)
    assert load_session(at.store("bob"), at.me("alice").keys.account, 1, mode) != load_session(
        at.store("bob"), at.me("alice").keys.account, 2, mode
    )
    assert {session.peer for name in ("alice", "alice/2") for session in sessions(at, name)} == {bob}


def copied(at: Phones, name: str) -> MemoryStore:
    """What a thief has who takes a device's disk now."""
    copy = MemoryStore()
    copy.restore(at.store(name).snapshot())
    return copy


def _open(at: Phones, name: str, state: Draft, mode: int, envelope: bytes) -> bytes:
    """Try an envelope with everything that a device holds: its session, and its prekeys for a new one."""
    me, bob = at.me(name), at.me("bob").keys.account
    session = load_session(state, bob, 1, mode)
    answer = lambda initial: respond(me.keys, lambda purpose, n: load_prekey(state, purpose, n), initial)  # noqa: E731
    return open_(session, envelope, b"", answer, at.world.now)[1]


# -- nothing from before --------------------------------------------------------------------------


@BOTH
def test_a_new_device_gets_nothing_from_before_and_could_open_nothing_of_it(at: Phones, mode: int) -> None:
    """The new device is handed every recorded byte, and tries all its keys on it."""
    seen = submitted(at)
    for text in ("old one", "old two"):
        at.send("bob", "alice", text, mode)
        at.send("alice", "bob", text + " too", mode)
        sync(at)
    old = [envelope.envelope for _, item in seen for envelope in envelopes(item)]
    at.world.link("alice", "alice/3")
    at.sync("alice/3")
    assert shown(at, "alice/3") == []
    state = Draft(at.store("alice/3"))
    me = at.me("alice/3")
    peers = [at.me(name).keys.identity for name in ("alice", "alice/2", "bob")]
    held = [load_session(state, peer.account, peer.device, mode) for peer in peers]
    answer = lambda initial: respond(me.keys, lambda purpose, n: load_prekey(state, purpose, n), initial)  # noqa: E731
    tried = 0
    for envelope in old:
        for session in held:
            with pytest.raises(EscrowError):
                open_(session, envelope, b"", answer, at.world.now)
            tried += 1
    assert tried >= 8 * 3
    at.send("alice", "bob", "new", mode)
    sync(at, *EVERYBODY, "alice/3")
    assert [one.text for one in shown(at, "alice/3")] == ["new"]
    assert not [data for data in at.state("alice/3").values() if b"old one" in data or b"old two" in data]


def test_while_a_linked_device_is_not_reachable_yet_messages_wait(at: Phones) -> None:
    new, host = at.world.newcomer("alice/3"), at.device("alice")
    at.world.run(host, Host(at.world.linking(new).code))
    for node in (new, host):
        at.world.run(node, Look())
    at.world.run(host, Compare(at.world.linking(host).string))
    at.send("alice", "bob", "patience", ESCROW)
    status = at.status("alice")
    assert (status.queued, status.waiting, status.refused) == (1, ("SESSION_MISSING",), ())
    at.world.run(new, Compare(at.world.linking(new).string))
    at.world.settle_in(new)
    sync(at, *EVERYBODY, "alice/3")
    assert at.texts("bob") == at.texts("alice/2") == at.texts("alice/3") == ["patience"]


# -- removal --------------------------------------------------------------------------------------


def remove(at: Phones, number: int = 2) -> None:
    at.world.run(at.device("alice"), RemoveDevice(number))
    assert number not in [one.number for one in known_list(at.me("alice")).devices]
    at.world.advance(11 * MINUTE)  # nobody's view of the log is from before
    down = set(at.world.network.down)
    at.world.network.down.clear()
    complete(at.world["relay"].tick())  # as it does every second where it is served
    at.world.network.down.update(down)


@BOTH
def test_a_removed_device_gets_nothing_more(at: Phones, mode: int) -> None:
    at.send("alice", "bob", "for all", mode)
    sync(at)
    remove(at)
    seen = submitted(at)
    at.send("alice", "bob", "not for the second", mode)
    at.send("carol", "alice", "nor this", mode)
    sync(at)
    assert at.texts("alice/2") == ["for all"]
    assert at.texts("bob") == ["for all", "not for the second"]
    assert at.texts("alice") == ["nor this"]
    places = [(one.account, one.device) for _, item in seen for one in envelopes(item)]
    assert places
    assert (at.me("alice").keys.account, 2) not in places


@pytest.mark.spec("LNK-9")
def test_a_removed_device_does_not_know_the_tags_of_what_follows(at: Phones) -> None:
    for sender in ("alice", "alice/2"):
        at.send(sender, "bob", "before", ESCROW)
        sync(at)
    known = {held.conversation.secret.expose() for held in all_held(at.store("alice/2"))}
    remove(at)
    at.send("alice", "bob", "after", ESCROW)
    sync(at)
    after = {held.conversation.secret.expose() for held in all_held(at.store("alice"))} - known
    assert len(after) == 1
    ((_, in_use),) = at.store("alice").scan(b"pair/" + at.me("bob").keys.account)
    assert after == {held_by_id(at.store("alice"), in_use).conversation.secret.expose()}


@pytest.mark.spec("LNK-9")
def test_a_conversation_that_a_removed_device_began_is_not_passed_on(at: Phones) -> None:
    """Whoever is added later could not see who has begun it, and would blame whoever told."""
    at.send("alice/2", "bob", "begun by the second", ESCROW)
    sync(at)
    remove(at)
    at.world.link("alice", "alice/3")
    at.send("alice", "bob", "hello", ESCROW)
    sync(at, *EVERYBODY, "alice/3")
    assert at.texts("alice/3") == ["hello"]
    assert [at.accused(name) for name in (*EVERYBODY, "alice/3")] == [[]] * 5


@BOTH
def test_a_removed_device_sends_nothing_more(at: Phones, mode: int) -> None:
    at.send("alice/2", "bob", "one", mode)
    sync(at)
    remove(at)
    at.world.advance(11 * MINUTE)
    seen = submitted(at)
    at.send("alice/2", "bob", "two", mode)
    assert at.status("alice/2").refused == ("DEVICE_UNKNOWN",)
    assert seen == []
    sync(at)
    assert at.texts("bob") == ["one"]


@pytest.mark.spec("RLY-11")
@BOTH
def test_the_relay_takes_nothing_from_a_removed_device_that_does_not_stop(at: Phones, mode: int) -> None:
    """Mid-flight: it was sealed before the removal, and comes after it. Nor does the device make anything newer."""
    at.world.network.down.add(Party("relay"))
    at.send("alice/2", "bob", "warm up", mode)
    at.world.network.down.clear()
    sync(at)
    at.world.network.down.add(Party("relay"))
    at.send("alice/2", "bob", "on its way", mode)
    assert at.status("alice/2").unanswered == 1
    remove(at)
    at.world.network.down.clear()
    seen = submitted(at)
    sync(at)
    assert [origin for origin, _ in seen] == [at.device("alice/2").party]
    assert at.status("alice/2").refused == ("DEVICE_UNKNOWN",)
    assert at.texts("bob") == ["warm up"]
    raw = Submission(b"r" * 16, None, PlainSend((DeviceEnvelope(at.me("bob").keys.account, 1, b"by hand"),)))
    reply = at.world.ask("relay", Submit((raw,)), at.device("alice/2").party)
    assert reply.items[0].reason == "DEVICE_UNKNOWN"


def test_a_message_to_a_device_that_was_removed_meanwhile_is_sealed_anew_for_those_that_remain(at: Phones) -> None:
    at.send("bob", "alice", "warm up", ESCROW)
    sync(at)
    at.world.network.down.add(Party("relay"))
    at.send("bob", "alice", "sealed for two", ESCROW)
    remove(at)
    at.world.network.down.clear()
    sync(at)
    assert at.status("bob").waiting == ("KEY_CHANGED",)
    assert at.texts("alice") == at.texts("alice/2") == ["warm up"], "nothing is half delivered"
    at.world.run(at.device("bob"), Confirm("alice", at.world.run(at.device("bob"), GetSafety("alice")).list_hash))
    sync(at)
    assert at.texts("alice") == ["warm up", "sealed for two"]
    assert at.texts("alice/2") == ["warm up"]


def test_contacts_are_told_of_a_change_before_they_write_again(at: Phones) -> None:
    at.send("bob", "alice", "hello", ESCROW)
    sync(at)
    at.world.link("alice", "alice/3")
    at.world.advance(11 * MINUTE)
    seen = submitted(at)
    at.send("bob", "alice", "are there three of you?", ESCROW)
    status = at.status("bob")
    assert (status.waiting, status.refused, seen) == (("KEY_CHANGED",), (), [])
    assert at.world.run(at.device("bob"), GetSafety("alice")).devices == (1, 2, 3)
    at.world.run(at.device("bob"), Confirm("alice", at.world.run(at.device("bob"), GetSafety("alice")).list_hash))
    sync(at, *EVERYBODY, "alice/3")
    assert at.texts("alice/3") == ["are there three of you?"]
    assert at.texts("alice") == at.texts("alice/2") == ["hello", "are there three of you?"]


def test_only_the_device_that_signs_the_lists_can_tell_a_ghost(at: Phones) -> None:
    at.world.advance(2 * DAY)
    sync(at)
    assert at.status("alice").watched.size > 0
    assert at.status("alice").watched.ghosts == at.status("alice/2").watched.size == 0
    with pytest.raises(RefusedError) as refused:
        at.world.run(at.device("alice/2"), WatchMe())
    assert refused.value.reason is Reason.NOT_PRIMARY


# -- the list as a linked device sees it ----------------------------------------------------------


def test_a_linked_device_hears_of_the_others_and_of_its_own_removal(at: Phones) -> None:
    def numbers() -> list[int]:
        at.world.run(at.device("alice/2"), Look())
        return [one.number for one in at.world.run(at.device("alice/2"), GetDevices()).devices]

    at.world.link("alice", "alice/3")
    at.world.advance(MINUTE)
    assert numbers() == [1, 2, 3]
    remove(at)
    assert numbers() == [1, 3]
    told = [alarm.detail for alarm in at.status("alice/2").alarms]
    assert told == ["your own account: device 3 is new", "your own account: device 2 is gone"]
    assert at.alarms("alice") == [], "whoever has made the change knows"


def _lists(at: Phones) -> list[tuple[int, DeviceList]]:
    """All lists of alice's account that the log holds, with their places."""
    size = at.world.store("log").length("log/leaves")
    found = []
    for index in range(size):
        record = at.world.ask("log", GetPath(index, size))
        data = record.entry
        if at.me("alice").keys.account and b"device-list" in data and known_list(at.me("alice")).account_key in data:
            from escrow.tlog.entry import Entry

            found.append((index, DeviceList.decode(Entry.decode(data).payload)))
    return found


@pytest.mark.spec("LNK-7")
def test_a_log_that_shows_an_old_list_of_ones_own_devices_stops_a_linked_device(at: Phones) -> None:
    """The old list is in the log, and proved to be: it is merely not the newest."""
    at.send("alice/2", "bob", "warm up", ESCROW)
    sync(at)
    (oldest, _), *_ = _lists(at)
    account = at.me("alice").keys.account
    draft = at.draft("alice/2")
    for key, _ in list(draft.scan(b"view/record/")):
        draft.delete(key)  # a device that was restored has forgotten which entry it saw last
    at.store("alice/2")._apply(draft.writes())

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, GetRecord) and (call.entry_type, call.subject) == (EntryType.DEVICE_LIST, account):
            old: Reply = at.world.ask("log", GetPath(oldest, call.size))
            return old
        return reply

    at.world.network.on_reply = on_reply
    seen = submitted(at)
    at.send("alice/2", "bob", "who am I?", ESCROW)
    assert at.status("alice/2").refused == ("KEY_CHANGED",)
    assert seen == []
    assert [one.number for one in known_list(at.me("alice/2")).devices] == [1, 2]


@pytest.mark.spec("LNK-7")
def test_only_what_comes_after_the_known_list_is_taken(at: Phones) -> None:
    me = at.me("alice")
    key, known = SigningKey.from_seed(account_seed(me)), known_list(me)
    following = DeviceList.make(key, "alice", known.devices[:1], known)
    later = DeviceList.make(key, "alice", known.devices, following)
    fork = DeviceList.make(key, "alice", known.devices[:1], replace(known, signature=following.signature))
    other = DeviceList.make(key, "alice", known.devices[:1], _lists(at)[0][1])
    for good in (known, following, later):
        check_newer(known, good)
    for bad in (_lists(at)[0][1], fork, other):
        with pytest.raises(RefusedError) as refused:
            check_newer(known, bad)
        assert refused.value.reason is Reason.KEY_CHANGED


def test_a_device_of_another_account_has_no_say(at: Phones) -> None:
    """A conversation of two strangers, told by one of them, is nobody's here: and is not adopted."""
    at.send("bob", "carol", "between us", PLAIN)
    sync(at)
    (held,) = all_held(at.store("bob"))
    from escrow.roles.device.adopting import adopt
    from escrow.roles.lightview import LightView

    view, draft = LightView(at.world.genesis), at.draft("alice")
    carol = at.me("carol").keys.identity
    with pytest.raises((RefusedError, DeferredError)) as refused:
        adopt(draft, view, carol, PLAIN, held.conversation.encode(), at.world.now)
    assert refused.value.reason in {Reason.SENDER_INCONSISTENT, Reason.DEVICE_UNKNOWN}
    assert not list(all_held(draft))
    assert at.world.run(at.device("alice"), Send("carol", PLAIN, "hello")) is not None
