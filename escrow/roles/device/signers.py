"""Which device signed an item: looked up in the sender's logged list as it was when the relay took the item.

Its entry has no time of its own, so the log shows the two checkpoints around it. What they leave open, or what differs
by less than ``FRESH``, by which the relay's own view may be behind, is in the sender's favour. Nobody is blamed before
the log was asked after the item came.
"""

from collections.abc import Iterator

from escrow.capsule.receipt import Receipt
from escrow.capsule.submission import SignedContent
from escrow.e2ee.devices import DeviceList
from escrow.e2ee.keys import Identity
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.device.pins import is_pinned
from escrow.roles.lightview import Dates, LightView, version_subject
from escrow.roles.machine import Draft
from escrow.tlog.entry import EntryType

LIST = EntryType.DEVICE_LIST


def signer(
    draft: Draft, view: LightView, receipt: Receipt, signed: SignedContent, signature: bytes, since: int, now: Millis
) -> tuple[Identity, str]:
    """The device that signed and its account's name. ``since``: the first head that was asked for after the item came.

    Raises ``DeferredError(DEVICE_UNKNOWN)``, after owing a question, for a device in no list of that time or one that
    is not at hand, and ``RefusedError(SIGNATURE_INVALID)`` if the listed device did not sign.
    """
    account, place = AccountId(receipt.sender_account), DeviceNo(receipt.sender_device)
    newest, listed = _newest(draft, view, account, receipt.ingest_time, now), False
    for devices in _perhaps_in_force(draft, view, newest, receipt.ingest_time):
        try:
            device = devices.device(place)
            listed = True
            signed.verify(device.signing, signature)
        except RefusedError:
            continue
        return device.identity(account), newest.name
    if listed and _is_final(draft, view, account, since):
        raise RefusedError(Reason.SIGNATURE_INVALID)
    view.want_newer(draft, LIST, account, now)
    raise DeferredError(Reason.DEVICE_UNKNOWN, account.hex())


def _newest(draft: Draft, view: LightView, account: AccountId, at: int, now: Millis) -> DeviceList:
    """The account's list, newest not long before ``at`` or later: what was removed until then is not in it."""
    early = at - view.genesis.fresh_ms
    devices = view.device_list(draft, account)
    if devices is None or not view.is_of(draft, LIST, account, early):
        view.want_as_of(draft, LIST, account, early)
        raise DeferredError(Reason.DEVICE_UNKNOWN, account.hex())
    is_pinned(draft, devices, now)  # whoever hears from an account with other devices is told
    return devices


def _perhaps_in_force(draft: Draft, view: LightView, newest: DeviceList, at: int) -> Iterator[DeviceList]:
    """The lists that may have been the newest at ``at``, from the newest on back; ``DeferredError`` for want of one.

    An account's first list was in force for as long as there was nothing before it.
    """
    patience, devices = view.genesis.fresh_ms, newest
    while devices.version:
        dates = _dates(draft, view, devices)
        if dates.after_ms <= at + patience:
            yield devices
        if dates.by_ms < at - patience:
            return
        devices = _before(draft, view, devices)
    yield devices


def _dates(draft: Draft, view: LightView, devices: DeviceList) -> Dates:
    """When a list at hand was logged."""
    seen = view.seen(draft, LIST, version_subject(devices.account, devices.version))
    if seen is None:
        raise AssertionError("every list at hand was seen in the log")
    dates = view.dates(draft, seen.index)
    if dates is None:
        view.want_dates(draft, seen.index)
        raise DeferredError(Reason.DEVICE_UNKNOWN, devices.account.hex())
    return dates


def _before(draft: Draft, view: LightView, devices: DeviceList) -> DeviceList:
    """The list that ``devices`` follows by its hash."""
    subject = version_subject(devices.account, devices.version - 1)
    entry = view.record(draft, LIST, subject)
    if entry is None:
        view.want(draft, LIST, subject)
        raise DeferredError(Reason.DEVICE_UNKNOWN, devices.account.hex())
    older = DeviceList.decode(entry.payload)
    devices.check_follows(older)
    return older


def _is_final(draft: Draft, view: LightView, account: AccountId, since: int) -> bool:
    """Whether no list is missing that the relay could have known when it took the item."""
    head = view.head(draft)
    return head is not None and head.count >= since and view.is_newest(draft, LIST, account)
