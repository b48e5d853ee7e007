"""The new device's half of a linking: keys first, then an account to belong to, and nothing from before.

It believes nobody until its user has compared the strings, and becomes a device only when it has seen in the log,
under a quorum, a list with its own keys in it that the account of that string has signed.
"""

from msgspec import Struct
from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.e2ee.devices import MAX_DEVICES, DeviceList
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.linking import LIFETIME, Invitation, NewKeys, Reveal, meeting_of, new_code, same_string, short_string
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import GetNotes, LeaveNote, Notes
from escrow.roles.device.directory import RELAY
from escrow.roles.device.linking import Linking, Stage, no_linking
from escrow.roles.device.own_devices import check_newer
from escrow.roles.device.state import Me, save_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Genesis

_JOINING = b"joining"


class Joining(Struct, frozen=True):
    """A linking on the new device. ``invitation`` is the first answer that came, and the only one that counts."""

    code: str
    keys: NewKeys | None
    started: int
    invitation: bytes = b""
    accepted: bool = False
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
        if self.accepted:
            return Stage.LOGGING
        return Stage.COMPARE if self.invitation else Stage.MEETING


def load(view: Read | Draft) -> Joining | None:
    """The linking of this new device."""
    data = view.get(_JOINING)
    return None if data is None else unpack(data, Joining)


def begin(draft: Draft, now: Millis, draw: Coins) -> None:
    """Make keys and a code, unless there are some that are still good. ``NAME_TAKEN`` for a device with an account."""
    if draft.get(b"me") is not None:
        raise RefusedError(Reason.NAME_TAKEN, "this profile has an account already")
    known = load(draft)
    if known is not None and not known.failed and (known.accepted or now < known.started + LIFETIME):
        return
    keys = NewKeys(*(Secret(draw.take(use, 32)) for use in ("signing", "dh", "nonce")))
    new = Joining(new_code(draw.take("code", 7)), keys, now)
    _save(draft, new)
    draft.owe(RELAY, LeaveNote(new.meeting, 0, keys.offer.commitment(new.meeting)))


def look(draft: Draft, view: LightView, now: Millis) -> None:
    """Ask the relay for an answer or, once the strings were compared, the log for the list."""
    joining = _live(draft)
    if joining.stage is Stage.LOGGING:
        account = Invitation.decode(joining.invitation).devices.account
        view.want_newer(draft, EntryType.DEVICE_LIST, account, now)
    elif now >= joining.started + LIFETIME:
        _fail(draft, joining, Reason.LINK_EXPIRED)
    elif joining.stage is Stage.MEETING and not draft.owed(GetNotes):
        draft.owe(RELAY, GetNotes(joining.meeting))


def on_notes(draft: Draft, genesis: Genesis, call: GetNotes, reply: Notes | EscrowError) -> None:
    """Take the first invitation that comes, and open our commitment to it."""
    joining = load(draft)
    if joining is None or joining.stage is not Stage.MEETING or joining.keys is None or call.meeting != joining.meeting:
        return
    # SPEC LNK-4: the first answer to a commitment is the only one.
    if isinstance(reply, EscrowError) or len(reply.notes) < 2:
        return
    try:
        invitation = Invitation.decode(reply.notes[1])
        _check(genesis, invitation)
    except (MalformedError, RefusedError):
        _fail(draft, joining, Reason.LINK_INVALID)
        return
    _save(draft, replace(joining, invitation=reply.notes[1]))
    draft.owe(RELAY, LeaveNote(joining.meeting, 2, Reveal.make(joining.keys, invitation).encode()))


def on_left(draft: Draft, call: LeaveNote, error: EscrowError) -> None:
    """The relay does not take a note of ours: that meeting leads nowhere."""
    joining = load(draft)
    if joining is not None and joining.meeting == call.meeting and joining.stage in (Stage.MEETING, Stage.COMPARE):
        over = error.reason is Reason.NOT_FOUND
        _fail(draft, joining, Reason.LINK_EXPIRED if over else error.reason)


def compare(draft: Draft, view: LightView, told: str, now: Millis) -> None:
    """The user says what the other screen shows. ``USAGE`` while this one shows nothing."""
    joining = _live(draft)
    if joining.stage is not Stage.COMPARE:
        raise RefusedError(Reason.USAGE, "there is nothing to compare now")
    if now >= joining.started + LIFETIME:
        _fail(draft, joining, Reason.LINK_EXPIRED)
    elif same_string(_string(joining), told):
        _save(draft, replace(joining, accepted=True))
        look(draft, view, now)
    else:
        _fail(draft, joining, Reason.STRINGS_DIFFER)


def settle(draft: Draft, view: LightView, now: Millis, draw: Coins) -> None:
    """Become a device of the account, if the log shows that this is one. Nothing is published yet."""
    joining = load(draft)
    if joining is None or joining.keys is None or joining.stage is not Stage.LOGGING:
        return
    invitation = Invitation.decode(joining.invitation)
    account = invitation.devices.account
    if not view.is_newest(draft, EntryType.DEVICE_LIST, account):
        view.want(draft, EntryType.DEVICE_LIST, account)
        return
    logged = view.device_list(draft, account)
    if logged is None or logged.version <= invitation.devices.version or view.trouble(draft, now) is not None:
        return
    keys = joining.keys.of(account, invitation.number)
    try:
        _check_listed(invitation, logged, keys)
    except RefusedError as error:
        _fail(draft, joining, error.reason)
        return
    hedge = Secret(draw.take("hedge", 32))
    save_me(draft, Me(logged.name, None, keys, hedge, logged.encode(), enrolled=False, chains=0, texts=0, mail=0))
    draft.delete(_JOINING)


def report(joining: Joining) -> Linking:
    """What the new device's screen shows."""
    reason = joining.failed
    if not joining.invitation or joining.failed:
        return Linking(joining.stage, joining.code, "", "", b"", 0, reason)
    invitation = Invitation.decode(joining.invitation)
    devices = invitation.devices
    return Linking(
        joining.stage, joining.code, _string(joining), devices.name, devices.account, invitation.number, reason
    )


def _check(genesis: Genesis, invitation: Invitation) -> None:
    numbers = {one.number for one in invitation.devices.devices}
    if invitation.deployment != genesis.hash or invitation.number in numbers or len(numbers) >= MAX_DEVICES:
        raise RefusedError(Reason.LINK_INVALID)


def _check_listed(invitation: Invitation, logged: DeviceList, keys: IdentityKeys) -> None:
    # SPEC LNK-8: whoever joins is in a logged list that comes after the one that was shown, with its own keys.
    check_newer(invitation.devices, logged)
    if logged.device(invitation.number).identity(logged.account) != keys.identity:
        raise RefusedError(Reason.LINK_INVALID)


def _string(joining: Joining) -> str:
    if joining.keys is None:
        raise AssertionError("a linking that goes on has its keys")
    return short_string(joining.meeting, joining.invitation, joining.keys.offer)


def _live(draft: Draft) -> Joining:
    joining = load(draft)
    if joining is None:
        raise no_linking()
    return joining


def _save(draft: Draft, joining: Joining) -> None:
    draft.put(_JOINING, pack(joining))


def _fail(draft: Draft, joining: Joining, reason: Reason) -> None:
    """It is over, and its keys are gone: the next attempt has others."""
    _save(draft, replace(joining, keys=None, failed=reason.name))
