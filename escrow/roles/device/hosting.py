"""The first device's half of a linking: show the account, learn the new keys, sign once the user has compared.

The account's key never leaves this device. Nothing of what was said before goes to the new one: what it may read is
what is sealed for it, and that begins with the list that names it.
"""

from msgspec import Struct
from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.e2ee.devices import MAX_DEVICES, Device, DeviceList
from escrow.e2ee.linking import LIFETIME, Invitation, Reveal, meeting_of, same_string, short_string
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import GetNotes, LeaveNote, Notes
from escrow.roles.device import own_devices
from escrow.roles.device.directory import RELAY
from escrow.roles.device.linking import Linking, Stage, no_linking
from escrow.roles.device.state import known_list, load_me
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.warrant.genesis import Genesis

_HOSTING = b"hosting"


class Hosting(Struct, frozen=True):
    """A linking on the account's first device: the notes at the meeting, as far as they have come."""

    code: str
    started: int
    commitment: bytes = b""
    invitation: bytes = b""
    reveal: bytes = b""
    accepted: bool = False
    linked: bool = False
    failed: str = ""

    @property
    def meeting(self) -> bytes:
        """Where the two devices meet."""
        return meeting_of(self.code)

    @property
    def stage(self) -> Stage:
        """How far it is."""
        if self.failed:
            return Stage.FAILED
        if self.linked:
            return Stage.LINKED
        if self.accepted:
            return Stage.LOGGING
        return Stage.COMPARE if self.reveal else Stage.MEETING


def load(view: Read | Draft) -> Hosting | None:
    """The latest linking that this device has begun."""
    data = view.get(_HOSTING)
    return None if data is None else unpack(data, Hosting)


def begin(draft: Draft, code: str, now: Millis) -> None:
    """Go to the meeting of that code; one that is under way there goes on. ``NOT_PRIMARY``, ``DEVICE_LIMIT``."""
    me, meeting = load_me(draft), meeting_of(code)
    own_devices.account_seed(me)
    if len(known_list(me).devices) >= MAX_DEVICES:
        raise RefusedError(Reason.DEVICE_LIMIT)
    known = load(draft)
    if known is None or known.meeting != meeting or known.failed == Reason.NOT_FOUND.name:
        _save(draft, Hosting(code, now))
    look(draft, now)


def look(draft: Draft, now: Millis) -> None:
    """Ask the relay what the new device has left at the meeting, if there is one."""
    hosting = load(draft)
    if hosting is None or hosting.stage not in (Stage.MEETING, Stage.COMPARE):
        return
    if now >= hosting.started + LIFETIME:
        _fail(draft, hosting, Reason.LINK_EXPIRED)
    elif hosting.stage is Stage.MEETING and not draft.owed(GetNotes):
        draft.owe(RELAY, GetNotes(hosting.meeting))


def on_notes(draft: Draft, genesis: Genesis, call: GetNotes, reply: Notes | EscrowError, draw: Coins) -> None:
    """Answer a commitment with an invitation, and take what opens it."""
    hosting = load(draft)
    if hosting is None or hosting.stage is not Stage.MEETING or call.meeting != hosting.meeting:
        return
    match reply:
        case EscrowError(reason=Reason.NOT_FOUND):
            _fail(draft, hosting, Reason.LINK_EXPIRED if hosting.invitation else Reason.NOT_FOUND)
        case Notes(notes=(commitment,)) if not hosting.invitation:
            _invite(draft, genesis, hosting, commitment, draw)
        case Notes(notes=(_, invitation, *_)) if invitation != hosting.invitation:
            _fail(draft, hosting, Reason.CODE_USED)
        case Notes(notes=(_, _, reveal)):
            _take(draft, hosting, reveal)


def on_left(draft: Draft, call: LeaveNote, error: EscrowError) -> None:
    """The relay does not take our note: somebody else was faster, or the meeting is over."""
    hosting = load(draft)
    if hosting is not None and hosting.meeting == call.meeting and hosting.stage is Stage.MEETING:
        over = error.reason is Reason.NOT_FOUND
        _fail(draft, hosting, Reason.LINK_EXPIRED if over else error.reason)


def compare(draft: Draft, genesis: Genesis, told: str, now: Millis) -> None:
    """The user says what the other screen shows; if it is what ours shows, the new device goes on the list."""
    hosting = _live(draft)
    if hosting.stage is not Stage.COMPARE:
        raise RefusedError(Reason.USAGE, "there is nothing to compare now")
    invitation = Invitation.decode(hosting.invitation)
    # A list that has changed since is not the one whose string the user has compared.
    stale = invitation.devices != known_list(load_me(draft))
    if stale or now >= hosting.started + LIFETIME:
        _fail(draft, hosting, Reason.LINK_EXPIRED)
    elif same_string(_string(hosting), told):
        own_devices.add(draft, genesis, _device(hosting))
        _save(draft, replace(hosting, accepted=True))
    else:
        _fail(draft, hosting, Reason.STRINGS_DIFFER)


def on_list(draft: Draft, devices: DeviceList | None) -> None:
    """The log has answered for our list; ``devices`` is the one in force now, None if it did not take ours."""
    hosting = load(draft)
    if hosting is None or hosting.stage is not Stage.LOGGING:
        return
    if devices is not None and _device(hosting) in devices.devices:
        _save(draft, replace(hosting, linked=True))
    else:
        _fail(draft, hosting, Reason.ENTRY_REFUSED)


def report(view: Read | Draft, hosting: Hosting) -> Linking:
    """What the first device's screen shows."""
    me, invited = load_me(view), hosting.invitation
    number = Invitation.decode(invited).number if invited else 0
    string = _string(hosting) if hosting.reveal and not hosting.failed else ""
    return Linking(hosting.stage, hosting.code, string, me.name, me.keys.account, number, hosting.failed)


def _invite(draft: Draft, genesis: Genesis, hosting: Hosting, commitment: bytes, draw: Coins) -> None:
    devices = known_list(load_me(draft))
    nonce = draw.take("link-nonce", 32)
    invitation = Invitation(genesis.hash, devices, own_devices.next_number(draft, devices), nonce).encode()
    _save(draft, replace(hosting, commitment=commitment, invitation=invitation))
    draft.owe(RELAY, LeaveNote(hosting.meeting, 1, invitation))


def _take(draft: Draft, hosting: Hosting, reveal: bytes) -> None:
    opened = replace(hosting, reveal=reveal)
    try:
        _device(opened)
    except (MalformedError, RefusedError):
        _fail(draft, hosting, Reason.LINK_INVALID)
    else:
        _save(draft, opened)


def _device(hosting: Hosting) -> Device:
    invitation = Invitation.decode(hosting.invitation)
    device = Reveal.decode(hosting.reveal).device(hosting.meeting, hosting.commitment, invitation)
    if device.signing in {one.signing for one in invitation.devices.devices}:
        raise RefusedError(Reason.LINK_INVALID, "one device under two numbers")
    return device


def _string(hosting: Hosting) -> str:
    return short_string(hosting.meeting, hosting.invitation, Reveal.decode(hosting.reveal).offer)


def _live(draft: Draft) -> Hosting:
    hosting = load(draft)
    if hosting is None:
        raise no_linking()
    return hosting


def _save(draft: Draft, hosting: Hosting) -> None:
    draft.put(_HOSTING, pack(hosting))


def _fail(draft: Draft, hosting: Hosting, reason: Reason) -> None:
    _save(draft, replace(hosting, failed=reason.name))
