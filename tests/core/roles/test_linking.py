"""Two devices, a code, a string on both screens: what becomes of honest linkings, and of all others."""

import hashlib
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from msgspec.structs import replace

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import scalar_from_wide
from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import MAX_DEVICES, Device, DeviceList, account_id, claim
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.linking import LIFETIME, Invitation, NewKeys, Reveal, meeting_of, new_code
from escrow.errors import EscrowError, Reason, RefusedError, UnavailableError
from escrow.ids import DeviceNo, Party
from escrow.node import Node
from escrow.roles.calls import Append, Appended, AppendResult, Call, GetHead, GetNotes, LeaveNote, Notes, Reply
from escrow.roles.device import joining
from escrow.roles.device.commands import GetStatus, Register
from escrow.roles.device.linking import Compare, GetLinking, Host, Join, Look, Publish, RemoveDevice, Stage
from escrow.roles.device.own_devices import account_seed, next_number
from escrow.roles.device.state import known_list, load_me, save_me
from escrow.roles.machine import Draft
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.world.founding import MINUTE
from escrow.world.loop import complete
from tests.core.roles.phones import Phones

OnCall = Callable[[Party, Party, Call], Call]


@cache
def registered() -> Phones:
    """Strangers, in a World of their own: these tests add parties to it."""
    return Phones()


@pytest.fixture(name="at")
def _at() -> Iterator[Phones]:
    at = registered()
    at.reset()
    yield at
    at.reset()


def stage(at: Phones, node: Node) -> str:
    return at.world.linking(node).stage


def reason(at: Phones, node: Node) -> str:
    shown = at.world.linking(node)
    assert shown.stage is Stage.FAILED
    assert shown.string == ""
    return shown.reason


def run(node: Node, call: Call) -> Reply:
    return complete(node.run(call))


def refusal(node: Node, call: Call) -> Reason:
    """Why a command is refused; it changes nothing."""
    before = node.store.snapshot()  # type: ignore[attr-defined]
    with pytest.raises(EscrowError) as refused:
        run(node, call)
    assert node.store.snapshot() == before  # type: ignore[attr-defined]
    return refused.value.reason


def meet(at: Phones, name: str = "alice/2", host: str = "alice") -> tuple[Node, Node]:
    """A new device and the first one, both of which show a string."""
    new = at.world.newcomer(name)
    run(at.device(host), Host(at.world.linking(new).code))
    for node in (new, at.device(host)):
        run(node, Look())
    assert stage(at, new) == stage(at, at.device(host)) == Stage.COMPARE
    return new, at.device(host)


def agree(at: Phones, *nodes: Node) -> None:
    for node in nodes:
        run(node, Compare(at.world.linking(node).string))


def devices_of(at: Phones, name: str) -> list[int]:
    return [one.number for one in known_list(at.me(name)).devices]


# -- the honest way -------------------------------------------------------------------------------


def test_both_screens_show_one_string_and_the_account_has_two_devices(at: Phones) -> None:
    new, host = meet(at)
    shown, theirs = at.world.linking(new), at.world.linking(host)
    assert shown.string == theirs.string
    assert (shown.name, shown.account, shown.device) == ("alice", at.me("alice").keys.account, 2)
    agree(at, host, new)
    assert stage(at, host) == stage(at, new) == Stage.LINKED
    at.world.settle_in(new)
    status = at.status("alice/2")
    assert (status.name, status.account, status.enrolled) == ("alice", at.me("alice").keys.account, True)
    assert devices_of(at, "alice") == devices_of(at, "alice/2") == [1, 2]
    assert at.me("alice/2").account_seed is None, "the account's key stays where it was"


@pytest.mark.parametrize("first", ["host", "new"])
def test_it_does_not_matter_who_says_first_that_the_strings_are_the_same(at: Phones, first: str) -> None:
    new, host = meet(at)
    agree(at, *((host, new) if first == "host" else (new, host)))
    run(new, Look())
    assert stage(at, new) == Stage.LINKED


def test_nobody_is_linked_before_both_users_have_compared(at: Phones) -> None:
    new, host = meet(at)
    agree(at, new)
    for _ in range(3):
        run(new, Look())
        run(host, Look())
    assert (stage(at, new), stage(at, host)) == (Stage.LOGGING, Stage.COMPARE)
    assert devices_of(at, "alice") == [1]
    with pytest.raises(RefusedError):
        run(new, GetStatus())


def test_every_answer_may_come_twice_and_every_command_be_repeated(at: Phones) -> None:
    new = at.world.newcomer("alice/2")
    code = at.world.linking(new).code
    run(new, Join())
    assert at.world.linking(new).code == code
    for _ in range(3):
        run(at.device("alice"), Host(code))
        run(new, Look())
    string = at.world.linking(new).string
    for _ in range(2):
        run(at.device("alice"), Host(code))
    assert at.world.linking(at.device("alice")).string == string
    agree(at, at.device("alice"), new)
    for _ in range(2):
        run(new, Look()) if stage(at, new) == Stage.LOGGING else at.world.settle_in(new)
    assert devices_of(at, "alice") == [1, 2]


def test_parties_that_are_out_of_reach_only_delay_it(at: Phones) -> None:
    network = at.world.network
    network.down.add(Party("relay"))
    new = at.world.newcomer("alice/2")
    code = at.world.linking(new).code
    run(at.device("alice"), Host(code))
    assert stage(at, at.device("alice")) == Stage.MEETING
    network.down.clear()
    run(new, Look())
    for node in (at.device("alice"), new, at.device("alice")):
        run(node, Look())
    network.down.add(Party("log"))
    agree(at, at.device("alice"), new)
    assert stage(at, at.device("alice")) == stage(at, new) == Stage.LOGGING
    network.down.clear()
    run(at.device("alice"), Look())
    run(new, Look())
    assert stage(at, new) == stage(at, at.device("alice")) == Stage.LINKED


def test_a_device_that_was_linked_too_early_to_be_enrolled_publishes_later(at: Phones) -> None:
    new, host = meet(at)
    agree(at, host, new)
    at.world.network.down.add(Party("relay"))
    at.world.settle_in(new)
    assert not at.status("alice/2").enrolled
    at.world.network.down.clear()
    run(new, Publish())
    assert at.status("alice/2").enrolled


# -- somebody stands between ----------------------------------------------------------------------


class Between:
    """Whoever controls the relay: a board for each side, with keys and an account of her own."""

    def __init__(self, at: Phones) -> None:
        self.at = at
        self.keys = NewKeys(*(Secret(at.coins()) for _ in range(3)))
        account = SigningKey.from_seed(at.coins())
        keys = IdentityKeys.make(account_id(account.public), DeviceNo(1), at.coins())
        self.devices = DeviceList.make(account, "alice", (Device.make(keys),))
        self.for_host: list[bytes] = []
        self.for_new: list[bytes] = []
        at.world.network.on_call = self.on_call
        at.world.network.on_reply = self.on_reply

    def on_call(self, origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, LeaveNote) and origin.startswith("newcomer") and call.place == 0:
            deployment = self.at.world.genesis.hash
            invitation = Invitation(deployment, self.devices, DeviceNo(2), self.at.coins())
            self.for_new = [call.note, invitation.encode()]
            self.for_host = [self.keys.offer.commitment(call.meeting)]
        elif isinstance(call, LeaveNote) and origin.startswith("device"):
            invitation = Invitation.decode(call.note)
            self.for_host += [call.note, Reveal.make(self.keys, invitation).encode()]
        return call

    def on_reply(self, origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, GetNotes):
            return Notes(tuple(self.for_new if origin.startswith("newcomer") else self.for_host))
        return reply


def test_whoever_exchanges_the_keys_of_both_sides_shows_two_strings(at: Phones) -> None:
    equal, differ = 0, 0
    for n in range(40):
        at.reset()
        Between(at)
        new, host = meet(at, f"alice/{n}")
        strings = [at.world.linking(node).string for node in (new, host)]
        equal, differ = equal + (strings[0][0] == strings[1][0]), differ + (strings[0] != strings[1])
        for node, other in ((new, strings[1]), (host, strings[0])):
            if strings[0] != strings[1]:
                run(node, Compare(other))
                assert reason(at, node) == "STRINGS_DIFFER"
        assert devices_of(at, "alice") == [1]
    assert differ == 40, "once in 25 000 runs of this test"
    assert 0 < equal < 14, "one digit of six is guessed as often as one digit is"


@pytest.mark.spec("LNK-1")
def test_many_proofs_do_not_buy_a_man_in_the_middle_a_second_guess(at: Phones) -> None:
    """Ed25519 admits many signatures by its signer: were they in the string, it could try them until the digits fit."""
    between = Between(at)
    new, host = at.world.newcomer("alice/2"), at.device("alice")
    run(host, Host(at.world.linking(new).code))
    invited, (commitment, invitation, honest) = at.store("alice").snapshot(), between.for_host
    strings, proofs = set(), set()
    for n in range(4):
        at.store("alice").restore(invited)
        reveal = other_proof(between.keys, Reveal.decode(honest), Invitation.decode(invitation), n)
        between.for_host = [commitment, invitation, reveal.encode()]
        run(host, Look())
        strings.add(at.world.linking(host).string)
        proofs.add(reveal.proof)
    assert (len(proofs), len(strings)) == (4, 1)
    assert strings != {""}


def other_proof(keys: NewKeys, reveal: Reveal, invitation: Invitation, n: int) -> Reveal:
    """Another valid proof: RFC 8032 5.1.6 with r chosen freely."""
    seed = keys.signing.expose()
    identity = keys.of(invitation.devices.account, invitation.number).identity
    wide = bytearray(hashlib.sha512(seed).digest()[:32])
    wide[0] &= 248
    wide[31] = wide[31] & 127 | 64
    secret, r = scalar_from_wide(bytes(wide) + bytes(32)), scalar_from_wide(bytes([n + 1]) * 64)
    commitment = EDWARDS25519.base_mul(r).encode()
    challenge = hashlib.sha512(commitment + identity.signing + claim(identity)).digest()
    return Reveal(reveal.offer, commitment + (r + scalar_from_wide(challenge) * secret).encode())


def give(at: Phones, to: str, change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> None:
    """Whoever's party begins with ``to`` is shown other notes than were left."""

    def on_reply(origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, GetNotes) and isinstance(reply, Notes) and origin.startswith(to):
            return Notes(change(reply.notes))
        return reply

    at.world.network.on_reply = on_reply


def other_keys(at: Phones) -> NewKeys:
    return NewKeys(*(Secret(at.coins()) for _ in range(3)))


@pytest.mark.spec("LNK-2")
@pytest.mark.parametrize("what", ["keys", "nonce", "proof", "nonsense"])
def test_what_does_not_open_the_commitment_ends_the_linking(at: Phones, what: str) -> None:
    def change(notes: tuple[bytes, ...]) -> tuple[bytes, ...]:
        if len(notes) < 3:
            return notes
        reveal = Reveal.decode(notes[2])
        changed: dict[str, Callable[[], bytes]] = {
            "keys": lambda: Reveal.make(other_keys(at), Invitation.decode(notes[1])).encode(),
            "nonce": lambda: replace(reveal, offer=replace(reveal.offer, nonce=bytes(32))).encode(),
            "proof": lambda: replace(reveal, proof=bytes(64)).encode(),
            "nonsense": lambda: b"nonsense",
        }
        return (*notes[:2], changed[what]())

    give(at, "device", change)
    new, host = at.world.newcomer("alice/2"), at.device("alice")
    run(host, Host(at.world.linking(new).code))
    run(new, Look())
    run(host, Look())
    assert reason(at, host) == "LINK_INVALID"
    assert refusal(host, Compare(at.world.linking(new).string)) is Reason.USAGE
    assert devices_of(at, "alice") == [1]


@pytest.mark.parametrize("what", ["deployment", "number", "full", "signature", "nonsense"])
def test_an_invitation_that_cannot_be_one_ends_the_linking(at: Phones, what: str) -> None:
    def change(notes: tuple[bytes, ...]) -> tuple[bytes, ...]:
        if len(notes) < 2:
            return notes
        honest = Invitation.decode(notes[1])
        changed: dict[str, Callable[[], bytes]] = {
            "deployment": lambda: replace(honest, deployment=bytes(32)).encode(),
            "number": lambda: replace(honest, number=DeviceNo(1)).encode(),
            "full": lambda: replace(honest, devices=full_list(at), number=DeviceNo(99)).encode(),
            "signature": lambda: notes[1][:-1] + bytes([notes[1][-1] ^ 1]),
            "nonsense": lambda: b"nonsense",
        }
        return (notes[0], changed[what](), *notes[2:])

    give(at, "newcomer", change)
    new = at.world.newcomer("alice/2")
    run(at.device("alice"), Host(at.world.linking(new).code))
    run(new, Look())
    assert reason(at, new) == "LINK_INVALID"
    known = joining.load(Draft(at.store("alice/2")))
    assert known is not None
    assert known.keys is None, "keys that were shown to somebody are not used again"


def full_list(at: Phones) -> DeviceList:
    account = SigningKey.from_seed(b"full" * 8)
    owner = account_id(account.public)
    devices = (IdentityKeys.make(owner, DeviceNo(n), bytes([n]) * 32) for n in range(1, MAX_DEVICES + 1))
    return DeviceList.make(account, "alice", tuple(Device.make(keys) for keys in devices))


@pytest.mark.spec("LNK-4")
def test_a_second_invitation_is_not_looked_at(at: Phones) -> None:
    """Otherwise whoever has seen the opened commitment could try invitations until the string fits."""
    new, _ = meet(at)
    string, asked = at.world.linking(new).string, []

    def on_call(origin: Party, _to: Party, call: Call) -> Call:
        asked.append(call)
        return call

    other = replace(Invitation.decode(_note(at, new)), nonce=bytes(32))
    at.world.network.on_call = on_call
    give(at, "newcomer", lambda notes: (notes[0], other.encode(), *notes[2:]))
    for _ in range(3):
        run(new, Look())
    assert at.world.linking(new).string == string
    assert not [call for call in asked if isinstance(call, GetNotes | LeaveNote)]


def _note(at: Phones, new: Node) -> bytes:
    meeting = meeting_of(at.world.linking(new).code)
    notes: tuple[bytes, ...] = at.world.ask("relay", GetNotes(meeting), new.party).notes
    return notes[1]


def test_a_replayed_linking_ends_at_the_commitment(at: Phones) -> None:
    """All three notes of a linking that succeeded, shown once more to the same account and to another new device."""
    new, host = meet(at)
    meeting = meeting_of(at.world.linking(new).code)
    recorded = at.world.ask("relay", GetNotes(meeting), host.party).notes
    agree(at, host, new)
    at.world.network.on_reply = lambda _o, _t, call, reply: Notes(recorded) if isinstance(call, GetNotes) else reply
    again = at.world.newcomer("alice/3")
    run(host, Host(at.world.linking(again).code))
    assert reason(at, host) == "CODE_USED"
    run(again, Look())
    if stage(at, again) == Stage.COMPARE:
        shown = at.world.linking(again)
        assert shown.device == 2, "a number that is taken by now: the log will never show these keys under it"
        agree(at, again)
        run(again, Look())
        assert reason(at, again) == "LINK_INVALID"
    assert devices_of(at, "alice") == [1, 2]


# -- mistakes and mishaps -------------------------------------------------------------------------


def test_a_wrong_code_finds_nobody(at: Phones) -> None:
    at.world.newcomer("alice/2")
    run(at.device("alice"), Host(new_code(bytes(7))))
    assert reason(at, at.device("alice")) == "NOT_FOUND"
    assert refusal(at.device("alice"), Host("not a code")) is Reason.USAGE


def test_a_code_that_was_typed_too_early_may_be_typed_again(at: Phones) -> None:
    at.world.network.down.add(Party("relay"))
    new = at.world.newcomer("alice/2")
    at.world.network.down.clear()
    run(at.device("alice"), Host(at.world.linking(new).code))
    assert reason(at, at.device("alice")) == "NOT_FOUND"
    run(new, Look())
    run(at.device("alice"), Host(at.world.linking(new).code))
    run(new, Look())
    assert stage(at, new) == Stage.COMPARE


def test_two_accounts_that_type_one_code_do_not_both_get_the_device(at: Phones) -> None:
    new = at.world.newcomer("somebody/2")
    code = at.world.linking(new).code
    for name in ("alice", "bob"):
        run(at.device(name), Host(code))
    assert reason(at, at.device("bob")) == "CODE_USED"
    run(new, Look())
    assert at.world.linking(new).name == "alice"


def test_two_new_devices_at_once_are_linked_one_after_the_other(at: Phones) -> None:
    """The second code makes the first device leave the meeting of the first one."""
    first, host = meet(at, "alice/2")
    second, _ = meet(at, "alice/3")
    assert at.world.linking(host).code == at.world.linking(second).code
    run(first, Compare(at.world.linking(host).string))
    assert reason(at, first) == "STRINGS_DIFFER"
    agree(at, host, second)
    assert stage(at, second) == Stage.LINKED
    third, _ = meet(at, "alice/4")
    agree(at, host, third)
    at.world.settle_in(second)
    at.world.settle_in(third)
    assert devices_of(at, "alice") == devices_of(at, "alice/4") == [1, 2, 3]


def test_a_linking_that_takes_too_long_is_over_on_both_sides(at: Phones) -> None:
    new, host = meet(at)
    at.world.advance(LIFETIME)
    for node in (new, host):
        agree(at, node)
        assert reason(at, node) == "LINK_EXPIRED"
    assert devices_of(at, "alice") == [1]
    waiting = at.world.newcomer("alice/3")
    at.world.advance(LIFETIME)
    run(waiting, Look())
    assert reason(at, waiting) == "LINK_EXPIRED"
    old = at.world.linking(waiting).code
    run(waiting, Join())
    assert at.world.linking(waiting).code != old


def test_a_string_may_be_told_in_halves_and_only_once_wrongly(at: Phones) -> None:
    new, host = meet(at)
    string = at.world.linking(host).string
    run(host, Compare(f"{string[:3]} {string[3:]}"))
    assert stage(at, host) == Stage.LINKED
    run(new, Compare("000000" if string != "000000" else "000001"))
    assert reason(at, new) == "STRINGS_DIFFER"
    assert refusal(new, Compare(string)) is Reason.USAGE


def test_a_list_that_changed_meanwhile_voids_the_linking(at: Phones) -> None:
    at.world.link("alice", "alice/2")
    _, host = meet(at, "alice/3")
    run(host, RemoveDevice(2))
    agree(at, host)
    assert reason(at, host) == "LINK_EXPIRED"


def test_a_list_that_the_log_refuses_links_nobody(at: Phones) -> None:
    _, host = meet(at)
    at.world.network.on_reply = lambda _o, _t, call, reply: (
        Appended((AppendResult(0, "ENTRY_REFUSED"),)) if isinstance(call, Append) else reply)  # fmt: skip
    agree(at, host)
    assert reason(at, host) == "ENTRY_REFUSED"
    assert at.alarms("alice") == [("ENTRY_REFUSED", ())]
    assert devices_of(at, "alice") == [1]


@pytest.mark.parametrize(
    "call", [Host("00000-00000"), Look(), Compare("123456"), Publish(), RemoveDevice(2), GetLinking()]
)
def test_a_stranger_has_nothing_to_link(at: Phones, call: Call) -> None:
    stranger = at.world.newcomer("stranger")
    stranger.store.restore(({}, {}))  # type: ignore[attr-defined]
    assert refusal(stranger, call) is Reason.NOT_FOUND


def test_a_device_with_an_account_joins_no_other(at: Phones) -> None:
    assert refusal(at.device("alice"), Join()) is Reason.NAME_TAKEN
    assert refusal(at.device("alice"), GetLinking()) is Reason.NOT_FOUND
    assert refusal(at.device("alice"), Compare("123456")) is Reason.NOT_FOUND


# -- the list -------------------------------------------------------------------------------------


@pytest.mark.spec("LNK-8")
@pytest.mark.parametrize("lie", ["without", "another"])
def test_a_list_without_ones_own_keys_is_no_account_to_belong_to(at: Phones, lie: str) -> None:
    """The log's newest list is signed by the right account, follows the one that was shown, and means somebody else."""
    new, _ = meet(at)
    agree(at, new)
    me = at.me("alice")
    known, key = known_list(me), SigningKey.from_seed(account_seed(me))
    other = Device.make(IdentityKeys.make(me.keys.account, DeviceNo(2), bytes(32)))
    devices = known.devices if lie == "without" else (*known.devices, other)
    following = DeviceList.make(key, "alice", devices, known)
    entry = Entry.make(EntryType.DEVICE_LIST, following.encode(), key, at.world.genesis.log.origin)
    assert at.world.ask("log", Append((entry,))).results[0].reason == ""
    run(new, Look())
    assert reason(at, new) == ("DEVICE_UNKNOWN" if lie == "without" else "LINK_INVALID")


@pytest.mark.spec("LNK-8")
def test_an_old_head_of_the_log_makes_nobody_a_device(at: Phones) -> None:
    new, host = meet(at)
    agree(at, host)
    network = at.world.network
    network.down.add(Party("log"))
    agree(at, new)
    network.down.clear()
    old = at.world.ask("log", GetHead(0, 0))
    at.world.clock.advance_to(at.world.now + 11 * MINUTE)
    network.on_reply = lambda _o, _t, call, reply: old if isinstance(call, GetHead) else reply
    for _ in range(2):
        run(new, Look())
    assert stage(at, new) == Stage.LOGGING
    network.on_reply = lambda _o, _t, _c, reply: reply
    run(new, Look())
    assert stage(at, new) == Stage.LINKED


@pytest.mark.spec("LNK-5")
def test_a_linked_device_changes_no_list(at: Phones) -> None:
    new = at.world.link("alice", "alice/2")
    assert refusal(new, Host("00000-00000")) is Reason.NOT_PRIMARY
    for number in (1, 2, 3):
        assert refusal(new, RemoveDevice(number)) is Reason.NOT_PRIMARY


@pytest.mark.spec("LNK-6")
def test_an_account_has_so_many_devices_and_no_more(at: Phones) -> None:
    host = at.device("alice")
    me = at.me("alice")
    key, known = SigningKey.from_seed(account_seed(me)), known_list(me)
    keys = (IdentityKeys.make(me.keys.account, DeviceNo(n), bytes([n]) * 32) for n in range(2, MAX_DEVICES + 1))
    full = DeviceList.make(key, "alice", (*known.devices, *(Device.make(one) for one in keys)), known)
    entry = Entry.make(EntryType.DEVICE_LIST, full.encode(), key, at.world.genesis.log.origin)
    assert at.world.ask("log", Append((entry,))).results[0].reason == ""
    draft = at.draft("alice")
    save_me(draft, replace(me, device_list=full.encode()))
    at.store("alice")._apply(draft.writes())
    assert refusal(host, Host("00000-00000")) is Reason.DEVICE_LIMIT
    run(host, RemoveDevice(MAX_DEVICES))
    new, _ = meet(at)
    assert at.world.linking(new).device == MAX_DEVICES + 1, "a number is never used again"
    agree(at, host, new)
    assert stage(at, host) == Stage.LINKED


def test_a_number_is_never_used_again(at: Phones) -> None:
    host = at.device("alice")
    for n, number in enumerate((2, 3, 4)):
        at.world.link("alice", f"alice/{n}")
        assert devices_of(at, "alice") == [1, number]
        run(host, RemoveDevice(number))
    assert next_number(at.draft("alice"), known_list(at.me("alice"))) == 5


def test_only_what_is_there_can_be_removed_and_never_the_first_device(at: Phones) -> None:
    host = at.device("alice")
    assert refusal(host, RemoveDevice(1)) is Reason.USAGE
    assert refusal(host, RemoveDevice(2)) is Reason.DEVICE_UNKNOWN


def test_one_change_at_a_time(at: Phones) -> None:
    at.world.link("alice", "alice/2")
    at.world.network.down.add(Party("log"))
    host = at.device("alice")
    run(host, RemoveDevice(2))
    with pytest.raises(UnavailableError):
        run(host, RemoveDevice(2))
    assert devices_of(at, "alice") == [1, 2], "not before it is in the log"
    at.world.network.down.clear()
    complete(host.pump())
    assert devices_of(at, "alice") == [1]


def test_a_linking_and_a_registration_do_not_mix(at: Phones) -> None:
    """A profile that was meant to be linked may be registered instead: then it is a first device."""
    new = at.world.newcomer("dave")
    run(new, Register("dave"))
    assert load_me(Draft(at.store("dave"))).account_seed is not None
    assert not [key for key in at.state("dave") if key == b"joining"]
