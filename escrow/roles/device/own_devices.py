"""The devices of one's own account: who they are, and how their list changes.

Only the first device has the account's key, so it alone changes the list: to add a device that was linked, or to remove
one. The others read in the log what became of it, and take no step back.
"""

from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import MAX_DEVICES, Device, DeviceList
from escrow.encoding import number, u32
from escrow.errors import DeferredError, Reason, RefusedError, UnavailableError
from escrow.ids import DeviceNo, Millis
from escrow.roles.calls import Append, Appended, GetHead
from escrow.roles.device import monitor
from escrow.roles.device.blame import NOBODY
from escrow.roles.device.pins import changes
from escrow.roles.device.state import Me, known_list, load_me, raise_alarm, save_me
from escrow.roles.lightview import LOG, LightView
from escrow.roles.machine import Draft, Read
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis

_NUMBERS = b"numbers"
_LOOKING = b"looking"


def newest_known(view: Read | Draft, light: LightView, me: Me) -> DeviceList:
    """The newest list that was proved to this device, for its user to look at."""
    known, logged = known_list(me), light.device_list(view, me.keys.account)
    return logged if logged is not None and logged.version > known.version else known


def look(draft: Draft, view: LightView, now: Millis) -> None:
    """Ask the log, on a device that cannot know, whether the list has changed."""
    me = load_me(draft)
    if me.account_seed is None:
        draft.put(_LOOKING, b"")
        view.want_newer(draft, EntryType.DEVICE_LIST, me.keys.account, now)


def look_on(draft: Draft, view: LightView, now: Millis) -> None:
    """A newer head has come for whoever looked: ask for the list under it, and take it."""
    if draft.get(_LOOKING) is None or draft.owed(GetHead):
        return
    me = load_me(draft)
    logged = view.device_list(draft, me.keys.account)
    if logged is None or not view.is_newest(draft, EntryType.DEVICE_LIST, me.keys.account):
        view.want(draft, EntryType.DEVICE_LIST, me.keys.account)
        return
    draft.delete(_LOOKING)
    try:
        _take(draft, me, logged, now)
    except RefusedError as error:
        raise_alarm(draft, error.reason, NOBODY, error.detail, now)


def current_list(draft: Draft, view: LightView, me: Me, now: Millis) -> DeviceList:
    """The list in force, for a step that depends on it.

    Raises ``DeferredError(DEVICE_UNKNOWN)`` while the log is being asked, and ``RefusedError``: KEY_CHANGED for a list
    that does not come after the known one, DEVICE_UNKNOWN if this device is not in it any more.
    """
    known = known_list(me)
    if me.account_seed is not None:
        return known  # nobody else can make a newer one
    account = me.keys.account
    if not view.is_newest(draft, EntryType.DEVICE_LIST, account):
        view.want(draft, EntryType.DEVICE_LIST, account)
        raise DeferredError(Reason.DEVICE_UNKNOWN, "the list of this account's own devices")
    logged = view.device_list(draft, account) or known
    _take(draft, me, logged, now)
    if DeviceNo(me.keys.device) not in {one.number for one in logged.devices}:
        raise RefusedError(Reason.DEVICE_UNKNOWN, "this device was removed from its account")
    return logged


def check_newer(known: DeviceList, logged: DeviceList) -> None:
    """Return if ``logged`` is ``known``, or comes after it; raise ``RefusedError(KEY_CHANGED)``.

    What lies between cannot be seen from here, except that the account's key has signed both ends.
    """
    # SPEC LNK-7: a list that does not come after the known one is refused.
    if logged.version == known.version + 1:
        logged.check_follows(known)
    elif logged.version <= known.version and logged.list_hash != known.list_hash:
        raise RefusedError(Reason.KEY_CHANGED, "the log shows another past of this account's own devices")


def _take(draft: Draft, me: Me, logged: DeviceList, now: Millis) -> None:
    """Know a newer list, and tell the user what has changed: somebody may have the account's key who should not."""
    known = known_list(me)
    check_newer(known, logged)
    if logged.version > known.version:
        raise_alarm(draft, Reason.KEY_CHANGED, NOBODY, f"your own account: {changes(known, logged)}", now)
        save_me(draft, replace(me, device_list=logged.encode()))


def next_number(draft: Draft, devices: DeviceList) -> DeviceNo:
    """A number that no device of this account ever had: sessions and mailboxes go by it."""
    highest = max((one.number for one in devices.devices), default=0)
    return DeviceNo(max(highest, number(draft.get(_NUMBERS) or b"")) + 1)


def add(draft: Draft, genesis: Genesis, device: Device) -> None:
    """Sign the next list, with ``device`` in it, and owe it to the log. ``NOT_PRIMARY``, ``DEVICE_LIMIT``."""
    me = load_me(draft)
    devices = known_list(me).devices
    account_seed(me)
    # SPEC LNK-6: an account has no more devices than a list may hold.
    if len(devices) >= MAX_DEVICES:
        raise RefusedError(Reason.DEVICE_LIMIT)
    _change(draft, genesis, me, (*devices, device))


def remove(draft: Draft, genesis: Genesis, place: int) -> None:
    """Sign the next list, without the device ``place``, and owe it to the log.

    Raises ``RefusedError``: NOT_PRIMARY, DEVICE_UNKNOWN, USAGE for the one that holds the account's key.
    """
    me = load_me(draft)
    account_seed(me)
    devices = known_list(me)
    gone = devices.device(DeviceNo(place))
    if gone.number == me.keys.device:
        raise RefusedError(Reason.USAGE, "the device that holds the account's key stays")
    _change(draft, genesis, me, tuple(one for one in devices.devices if one is not gone))


def account_seed(me: Me) -> Secret:
    """The account's own key; ``NOT_PRIMARY`` on every device but the first."""
    # SPEC LNK-5: only the device that holds the account's key changes the list.
    if me.account_seed is None:
        raise RefusedError(Reason.NOT_PRIMARY)
    return me.account_seed


def on_logged(draft: Draft, call: Append, reply: Appended, now: Millis) -> DeviceList | None:
    """The log has answered for a list of ours; the list, if it is in force now."""
    refused = next((one.reason for one in reply.results if one.reason), "")
    if refused or not reply.results:
        raise_alarm(draft, Reason.ENTRY_REFUSED, NOBODY, f"the log does not take the device list: {refused}", now)
        return None
    devices = DeviceList.decode(Entry.decode(call.entries[0]).payload)
    monitor.on_logged(draft, devices.list_hash, reply.results[0].index, now)
    save_me(draft, replace(load_me(draft), device_list=devices.encode()))
    return devices


def _change(draft: Draft, genesis: Genesis, me: Me, devices: tuple[Device, ...]) -> None:
    if draft.owed(Append):
        raise UnavailableError(Reason.UNAVAILABLE, "the log has not answered for the change before this one")
    known, key = known_list(me), SigningKey.from_seed(account_seed(me))
    draft.put(_NUMBERS, u32(max(next_number(draft, known) - 1, *(one.number for one in devices))))
    following = DeviceList.make(key, me.name, devices, known)
    monitor.approve(draft, following)
    draft.owe(LOG, Append((Entry.make(EntryType.DEVICE_LIST, following.encode(), key, genesis.log.origin),)))
