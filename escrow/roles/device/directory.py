"""Who the others are: names, accounts, logged device lists, and the keys this device has pinned.

A name is the relay's word and nothing more. An account id is the hash of its key. Device lists come from the log with
a proof; which of them may be written to stands in ``pins``.
"""

from escrow.e2ee.devices import DeviceList
from escrow.e2ee.keys import Identity
from escrow.encoding import expect
from escrow.errors import DeferredError, EscrowError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis, Party
from escrow.roles.calls import Found, GetBundle, Lookup
from escrow.roles.device.pins import is_pinned
from escrow.roles.device.state import known_list, load_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read
from escrow.tlog.entry import EntryType

RELAY = Party("relay")
_NAME = b"name/"


def known_account(view: Read | Draft, name: str) -> AccountId | None:
    """The account behind ``name`` (a name, or 64 hex digits), if we know it."""
    if len(name) == 64 and set(name) <= set("0123456789abcdef"):
        return AccountId(bytes.fromhex(name))
    known = view.get(_NAME + name.encode())
    return None if known is None else AccountId(known)


def account_of(draft: Draft, name: str) -> AccountId | None:
    """As ``known_account``; None while the relay is being asked."""
    account = known_account(draft, name)
    if account is None and not any(todo.call == Lookup(name) for todo in draft.owed(Lookup)):
        draft.owe(RELAY, Lookup(name))
    return account


def on_found(draft: Draft, call: Lookup, reply: Found | EscrowError) -> None:
    """Remember what the relay says about a name. Raises ``RefusedError`` if it says no, ``MalformedError``."""
    if isinstance(reply, EscrowError):
        raise RefusedError(reply.reason, "the relay knows no such name")
    draft.put(_NAME + call.name.encode(), expect(reply.account, 32, "an account id"))


def newest_list(draft: Draft, view: LightView, account: AccountId) -> DeviceList | None:
    """The device list of an account that is the newest under our head; None while the log is being asked."""
    if not view.is_newest(draft, EntryType.DEVICE_LIST, account):
        view.want(draft, EntryType.DEVICE_LIST, account)
        return None
    return view.device_list(draft, account)


def device_list(draft: Draft, view: LightView, account: AccountId, now: Millis) -> DeviceList | None:
    """The newest device list of an account, if it is the pinned one; None while the log is being asked.

    Raises ``DeferredError(KEY_CHANGED)``: what was meant for other devices waits until the user confirms these.
    """
    logged = newest_list(draft, view, account)
    # SPEC DIR-2: devices that nobody has agreed to get nothing.
    if logged is not None and not is_pinned(draft, logged, now):
        raise DeferredError(Reason.KEY_CHANGED, logged.name)
    return logged


def listed_devices(view: Read | Draft, light: LightView, account: AccountId) -> DeviceList | None:
    """The devices of an account as far as we know them: our own as made or approved here, others' as logged."""
    me = load_me(view)
    return known_list(me) if account == me.keys.account else light.device_list(view, account)


def sender_identity(
    draft: Draft, view: LightView, account: AccountId, device: int, now: Millis
) -> tuple[Identity, str]:
    """The logged identity of a device that wrote to us without escrow, and its account's name; or ``DEVICE_UNKNOWN``.

    Such a message proves no time, so the newest list that we know decides; what it lacks is deferred. Other keys than
    the pinned ones may speak, since their account has signed them. Nothing is sent to them.
    """
    logged = view.device_list(draft, account)
    if logged is None:
        view.want(draft, EntryType.DEVICE_LIST, account)
        raise DeferredError(Reason.DEVICE_UNKNOWN, account.hex())
    is_pinned(draft, logged, now)  # whoever hears from other devices is told
    try:
        return logged.device(DeviceNo(device)).identity(account), logged.name
    except RefusedError as error:
        view.want_newer(draft, EntryType.DEVICE_LIST, account, now)
        raise DeferredError(Reason.DEVICE_UNKNOWN, account.hex()) from error


def want_bundle(draft: Draft, account: AccountId, device: int) -> None:
    """Owe the question for a device's prekeys, unless it is owed already."""
    question = GetBundle(account, device)
    if not any(todo.call == question for todo in draft.owed(GetBundle)):
        draft.owe(RELAY, question)


def names(view: Read | Draft, light: LightView, account: AccountId) -> str:
    """The name in an account's device list, or its id."""
    logged = light.device_list(view, account)
    return account.hex() if logged is None else logged.name
