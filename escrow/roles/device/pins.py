"""Which devices of a peer the user has agreed to write to: a pin per account, and what happened to it since.

The first list that is seen is pinned. Another one, whoever has signed it, is told to the user once and written to by
nobody until she confirms it. Whether a list is logged, and the newest, is ``directory``'s business.
"""

from enum import StrEnum, unique

from msgspec import Struct
from msgspec.structs import replace

from escrow.e2ee.devices import DeviceList
from escrow.errors import Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.device.blame import NOBODY
from escrow.roles.device.state import load_me, raise_alarm
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack

_PIN = b"pin/"


@unique
class Trust(StrEnum):
    """How the user stands to the newest devices of a peer that we know of."""

    UNKNOWN = "unknown"
    FIRST_SEEN = "first seen"
    COMPARED = "compared"
    CHANGED = "changed"


class Pin(Struct, frozen=True):
    """``devices``: the list that may be written to. ``told``: hash of the last other one that the user heard of."""

    devices: bytes
    compared: bool = False
    told: bytes = b""


def is_pinned(draft: Draft, logged: DeviceList, now: Millis) -> bool:
    """Whether this is the list that may be written to. The first becomes it; a change is told, once.

    Of our own account it is always the one in force, which ``own_devices`` tells of.
    """
    if logged.account == load_me(draft).keys.account:
        return True
    pin = _load(draft, logged.account)
    if pin is None:
        _save(draft, logged, Pin(logged.encode()))
        return True
    if pin.devices == logged.encode():
        return True
    pinned = DeviceList.decode(pin.devices)
    if pinned.version <= logged.version and pin.told != logged.list_hash:
        detail = f"{logged.name}: {changes(pinned, logged)}"
        raise_alarm(draft, Reason.KEY_CHANGED, NOBODY, detail, now)
        _save(draft, logged, replace(pin, told=logged.list_hash))
    return False


def confirm(draft: Draft, logged: DeviceList, shown: bytes) -> None:
    """The user has compared safety numbers and agrees to the list with the hash ``shown``: from now on it is pinned.

    Raises ``RefusedError(KEY_CHANGED)`` if ``logged``, the newest that we know, is another one by now.
    """
    # SPEC DIR-3: what the user was not shown is not confirmed.
    if shown != logged.list_hash:
        raise RefusedError(Reason.KEY_CHANGED, f"{logged.name}: not the devices that were shown")
    _save(draft, logged, Pin(logged.encode(), compared=True))


def trust(view: Read | Draft, account: AccountId, logged: DeviceList | None) -> Trust:
    """How the user stands to ``logged``, the newest list that we know."""
    pin = _load(view, account)
    if pin is None or logged is None:
        return Trust.UNKNOWN
    if pin.devices != logged.encode():
        return Trust.CHANGED
    return Trust.COMPARED if pin.compared else Trust.FIRST_SEEN


def changes(old: DeviceList, new: DeviceList) -> str:
    """What is different about the devices, in words for the user."""
    before = {device.number: device for device in old.devices}
    after = {device.number: device for device in new.devices}
    said = [f"device {number} is new" for number in sorted(after.keys() - before.keys())]
    said += [f"device {number} is gone" for number in sorted(before.keys() - after.keys())]
    both = sorted(before.keys() & after.keys())
    said += [f"device {number} has other keys" for number in both if before[number] != after[number]]
    return ", ".join(said) or "another list of the same devices"


def _load(view: Read | Draft, account: bytes) -> Pin | None:
    data = view.get(_PIN + account)
    return None if data is None else unpack(data, Pin)


def _save(draft: Draft, logged: DeviceList, pin: Pin) -> None:
    draft.put(_PIN + logged.account, pack(pin))
