"""Who the others are: changed keys wait for the user, nothing goes back, and comparing shows who stands between."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import Device as ListedDevice
from escrow.e2ee.devices import DeviceList
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.safety import compare, safety_number
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import DeviceNo, Party
from escrow.roles.callers import device_party
from escrow.roles.calls import Append, Call, Found, GetBundle, GetPath, GetRecord, Lookup, Reply
from escrow.roles.device import monitor
from escrow.roles.device.commands import Confirm, GetSafety, GetStatus, Meet, Safety
from escrow.roles.device.own_devices import account_seed
from escrow.roles.device.pins import Trust, changes
from escrow.roles.device.state import ESCROW, PLAIN, save_me
from escrow.tlog.entry import EntryType
from escrow.world.founding import DAY, HOUR, MINUTE
from escrow.world.loop import complete
from tests.core.roles.phones import Phones, friends, phones
from tests.core.roles.test_device_sending import count


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    party, bob = at.device("bob").party, at.device("bob")
    yield at
    if bob.party != party:
        del at.world.network.nodes[bob.party]
        bob.party = party
    at.reset()


@pytest.fixture(name="strangers")
def _strangers() -> Iterator[Phones]:
    at = phones()
    at.reset()
    yield at
    at.reset()


def safety(at: Phones, name: str, peer: str) -> Safety:
    found: Safety = at.world.run(at.device(name), GetSafety(peer))
    return found


def confirm(at: Phones, name: str, peer: str) -> None:
    at.world.run(at.device(name), Confirm(peer, safety(at, name, peer).list_hash))


def new_phone(at: Phones, name: str) -> None:
    """The same person and conversations, on a telephone with keys and a number of its own."""
    me, node = at.me(name), at.device(name)
    following = at.next_list(name, 2)
    keys = IdentityKeys.make(me.keys.account, DeviceNo(2), at._drawn.to_bytes(32, "big"))
    assert following.devices == (ListedDevice.make(keys),)
    draft = at.draft(name)
    for key, _ in list(draft.scan(b"")):
        if key.startswith((b"session/", b"prekey/", b"batch/", b"next-prekey", b"route/")):
            draft.delete(key)
    monitor.approve(draft, following)
    save_me(draft, replace(me, keys=keys, device_list=following.encode(), enrolled=False, mail=0))
    draft.owe(Party("log"), Append((at.entry_of(name, following),)))
    at.store(name)._apply(draft.writes())
    node.party = device_party(me.keys.account, 2)
    at.world.network.nodes[node.party] = node
    at.log(name, following)
    complete(at.world["relay"].catch_up())
    complete(node.pump())
    assert at.status(name).enrolled
    at.world.advance(11 * MINUTE)


# -- changed keys -------------------------------------------------------------------------------


@pytest.mark.spec("DIR-2")
@pytest.mark.parametrize("mode", [PLAIN, ESCROW])
def test_a_message_to_other_keys_waits_for_the_user_and_then_goes_on(at: Phones, mode: int) -> None:
    new_phone(at, "bob")
    at.send("alice", "bob", "are you still you?", mode)
    at.send("alice", "bob", "well?", mode)
    status = at.status("alice")
    assert (status.queued, set(status.waiting), status.refused) == (2, {"KEY_CHANGED"}, ())
    (alarm,) = status.alarms
    assert (alarm.reason, alarm.culprits, alarm.detail) == ("KEY_CHANGED", (), "bob: device 2 is new, device 1 is gone")
    assert {one.trust for one in status.conversations} == {Trust.CHANGED}
    at.sync()
    assert at.texts("bob")[-1] != "well?"
    assert len(at.alarms("alice")) == 1, "told once"

    confirm(at, "alice", "bob")
    at.sync("bob")
    assert at.texts("bob")[-2:] == ["are you still you?", "well?"]
    status = at.status("alice")
    assert (status.queued, status.unanswered) == (0, 0)
    assert {one.trust for one in status.conversations} == {Trust.COMPARED}
    at.send("bob", "alice", "yes", mode)
    at.sync("alice")
    assert at.texts("alice")[-1] == "yes"


def test_what_comes_from_other_keys_is_shown_with_a_notice(at: Phones) -> None:
    new_phone(at, "bob")
    at.send("bob", "alice", "new telephone")
    at.sync("alice")
    assert at.texts("alice")[-1] == "new telephone"
    assert at.alarms("alice") == [("KEY_CHANGED", ())]
    assert {one.trust for one in at.status("alice").conversations} == {Trust.CHANGED}
    at.send("alice", "bob", "really?")
    assert at.status("alice").waiting == ("KEY_CHANGED",)
    confirm(at, "alice", "bob")
    at.sync("bob")
    assert at.texts("bob")[-1] == "really?"


@pytest.mark.spec("DIR-3")
def test_devices_that_were_not_shown_are_not_confirmed(at: Phones) -> None:
    ghost = at.next_list("bob", 1, 2)
    at.log("bob", ghost)
    at.world.advance(11 * MINUTE)
    at.send("alice", "bob", "wait")
    shown = safety(at, "alice", "bob")
    assert (shown.version, shown.devices, shown.trust) == (1, (1, 2), Trust.CHANGED)
    at.log("bob", at.next_list("bob", 1, 2, 3, after=ghost))
    at.world.run(at.device("alice"), Meet("bob"))
    before = at.state("alice")
    with pytest.raises(RefusedError, match="KEY_CHANGED"):
        at.world.run(at.device("alice"), Confirm("bob", shown.list_hash))
    assert at.state("alice") == before
    assert safety(at, "alice", "bob").devices == (1, 2, 3)
    assert at.status("alice").queued == 1


def test_confirming_what_has_not_changed_says_that_it_was_compared(at: Phones) -> None:
    assert safety(at, "alice", "bob").trust == Trust.FIRST_SEEN
    confirm(at, "alice", "bob")
    assert safety(at, "alice", "bob").trust == Trust.COMPARED
    assert safety(at, "bob", "alice").trust == Trust.FIRST_SEEN
    at.send("alice", "bob", "on we go")
    at.sync("bob")
    assert at.texts("bob")[-1] == "on we go"


def test_changes_are_told_in_words() -> None:
    at = phones()
    first = at.next_list("bob", 1, 2, 3)
    two, three = (next(one for one in first.devices if one.number == number) for number in (2, 3))
    key = SigningKey.from_seed(account_seed(at.me("bob")))
    other = DeviceList.make(key, "bob", (two, at.next_list("bob", 3).devices[0]), first)
    assert changes(first, other) == "device 1 is gone, device 3 has other keys"
    assert changes(other, DeviceList.make(key, "bob", (two, three), other)) == "device 3 has other keys"
    assert changes(first, first) == "another list of the same devices"
    assert changes(other, first).startswith("device 1 is new")


# -- nothing goes back --------------------------------------------------------------------------


@pytest.mark.spec("DIR-1")
@settings(max_examples=25, deadline=None)
@given(versions=st.lists(st.integers(1, 5), min_size=2, max_size=5))
def test_a_peers_list_never_goes_back(versions: list[int]) -> None:
    """A log that logs old lists again, and says that they are the newest."""
    at = friends()
    at.reset()
    chain = [at.next_list("bob", 1)]
    for _ in range(5):
        chain.append(at.next_list("bob", 1, after=chain[-1]))
    log, seen = at.world.store("log"), 0
    for version in versions:
        place = log.length("log/leaves")
        at.slip_in(at.entry_of("bob", chain[version - 1]))

        def on_reply(_o: Party, _t: Party, call: Call, reply: Reply, place: int = place) -> Reply:
            if isinstance(call, GetRecord) and call.entry_type == EntryType.DEVICE_LIST and place < call.size:
                return complete(at.world["log"].ask(Party("log"), GetPath(place, call.size)))
            return reply

        at.world.network.on_reply = on_reply
        at.world.advance(11 * MINUTE)
        alarms = len(at.alarms("alice"))
        at.world.run(at.device("alice"), Meet("bob"))
        went_back = version < seen
        assert ("NOT_LOGGED" in [reason for reason, _ in at.alarms("alice")[alarms:]]) == went_back
        seen = max(seen, version)
        assert safety(at, "alice", "bob").version == seen
    at.reset()


@pytest.mark.spec("DIR-1")
def test_two_lists_of_one_version_are_two_histories(at: Phones) -> None:
    one, other = at.next_list("bob", 1), at.next_list("bob", 1)
    at.log("bob", one)
    at.world.advance(11 * MINUTE)
    at.world.run(at.device("alice"), Meet("bob"))
    at.slip_in(at.entry_of("bob", other), at.entry_of("bob", at.next_list("bob", 2, after=other)))
    size = at.world.store("log").length("log/leaves")
    for place in (size - 2, size - 1):

        def on_reply(_o: Party, _t: Party, call: Call, reply: Reply, place: int = place) -> Reply:
            if isinstance(call, GetRecord):
                return complete(at.world["log"].ask(Party("log"), GetPath(place, call.size)))
            return reply

        at.world.network.on_reply = on_reply
        at.world.advance(11 * MINUTE)
        at.world.run(at.device("alice"), Meet("bob"))
        assert safety(at, "alice", "bob").list_hash == one.list_hash
    assert [reason for reason, _ in at.alarms("alice")] == ["NOT_LOGGED", "KEY_CHANGED"]


# -- comparing ----------------------------------------------------------------------------------


def test_strangers_meet_without_a_message(strangers: Phones) -> None:
    at = strangers
    with pytest.raises(RefusedError, match="NOT_FOUND"):
        safety(at, "alice", "bob")
    for name, peer in (("alice", "bob"), ("bob", "alice")):
        at.world.run(at.device(name), Meet(peer))
    hers, his = safety(at, "alice", "bob"), safety(at, "bob", "alice")
    assert hers.number == his.number
    assert (hers.name, hers.trust, hers.version, hers.devices) == ("bob", Trust.UNKNOWN, 0, (1,))
    alice, bob = (DeviceList.decode(at.me(name).device_list).account_key for name in ("alice", "bob"))
    compare(his.text, alice, bob)
    assert at.state("alice", b"meet/") == at.state("alice")
    confirm(at, "alice", "bob")
    at.send("alice", "bob", "we have met")
    at.sync("bob")
    assert at.texts("bob") == ["we have met"]
    assert safety(at, "alice", "bob").trust == Trust.COMPARED


def test_meeting_nobody_ends(strangers: Phones) -> None:
    at = strangers
    asked = count(at)
    for name in ("nobody", "00" * 32):
        at.world.run(at.device("alice"), Meet(name))
        with pytest.raises(RefusedError, match="NOT_FOUND"):
            safety(at, "alice", name)
    before = asked.copy()
    at.sync("alice")
    at.sync("alice")
    assert asked[Lookup] == before[Lookup] == 1
    assert asked[GetRecord] == before[GetRecord]
    for odd in ("alice", at.me("alice").keys.account.hex()):
        at.world.run(at.device("alice"), Meet(odd))
        with pytest.raises(RefusedError, match="USAGE"):
            safety(at, "alice", odd)
    for call in (Meet("\ud800"), GetSafety("\ud800"), Confirm("\ud800", bytes(32))):
        with pytest.raises(MalformedError):
            at.world.run(at.device("alice"), call)


def test_a_relay_that_gives_a_name_to_another_account_is_noticed_by_comparing(strangers: Phones) -> None:
    """Mallory calls herself bob, too, and the relay sends alice to her. Both numbers are right, and they differ."""
    at = strangers
    mallory = at.me("carol").keys.account

    def on_reply(origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        lies = isinstance(call, Lookup) and call.name == "bob" and origin == at.device("alice").party
        return Found(mallory) if lies else reply

    at.world.network.on_reply = on_reply
    at.send("alice", "bob", "just between us")
    at.sync("carol")
    assert at.texts("carol") == ["just between us"], "the attack that comparing is for"
    at.world.run(at.device("bob"), Meet("alice"))
    hers, his = safety(at, "alice", "bob"), safety(at, "bob", "alice")
    assert hers.number != his.number
    alice, carol = (DeviceList.decode(at.me(name).device_list).account_key for name in ("alice", "carol"))
    for shown in (his.number, his.text):
        with pytest.raises(RefusedError) as caught:
            compare(shown, alice, carol)
        assert caught.value.reason is Reason.SAFETY_MISMATCH
    assert hers.number == safety_number(alice, carol)


def test_another_device_does_not_change_the_number_but_asks_for_the_user(at: Phones) -> None:
    before = safety(at, "alice", "bob")
    confirm(at, "alice", "bob")
    at.log("bob", at.next_list("bob", 1, 2))
    at.world.advance(11 * MINUTE)
    at.world.run(at.device("alice"), Meet("bob"))
    after = safety(at, "alice", "bob")
    assert (after.number, after.text) == (before.number, before.text)
    assert after.trust == Trust.CHANGED
    asked = count(at)
    at.send("alice", "bob", "not yet")
    assert asked[GetBundle] == 0
    assert at.status("alice").waiting == ("KEY_CHANGED",)


def test_a_view_that_is_old_is_made_new_before_people_compare(at: Phones) -> None:
    at.world.advance(DAY)
    at.log("bob", at.next_list("bob", 1, 2))
    at.world.run(at.device("alice"), Meet("bob"))
    assert safety(at, "alice", "bob").version == 1
    at.world.network.down.add(Party("log"))
    at.world.advance(HOUR)
    at.world.run(at.device("alice"), Meet("bob"))
    assert safety(at, "alice", "bob").version == 1


def test_commands_about_nobody_change_nothing(at: Phones) -> None:
    before = at.state("alice")
    for call in (GetSafety("nobody"), Confirm("nobody", bytes(32)), Confirm("bob", bytes(32))):
        with pytest.raises(EscrowError):
            at.world.run(at.device("alice"), call)
    assert at.state("alice") == before
    assert at.world.run(at.device("alice"), GetStatus()).alarms == ()
