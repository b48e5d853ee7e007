"""Who the others are: names, accounts, logged device lists, and the keys this device has pinned.

A name is the relay's word and nothing more. An account id is the hash of its key. Device lists come from the log with
a proof; the first one seen of an account is pinned, and a change of device keys is refused until a human confirms it.
"""

from escrow.e2ee.devices import DeviceList
from escrow.e2ee.keys import Identity
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Party
from escrow.roles.calls import Found, GetBundle, Lookup
from escrow.roles.lightview import LightView
from escrow.roles.machine import Answered, Draft, Read
from escrow.tlog.entry import EntryType

RELAY = Party("relay")


def account_of(draft: Draft, name: str) -> AccountId | None:
    """The account behind ``name`` (a name, or 64 hex digits); None while the relay is being asked.

    Raises ``RefusedError(NOT_FOUND)`` once the relay has said that there is none.
    """
    if len(name) == 64 and set(name) <= set("0123456789abcdef"):
        return AccountId(bytes.fromhex(name))
    known = draft.get(b"name/" + name.encode())
    if known == b"":
        draft.delete(b"name/" + name.encode())
        raise RefusedError(Reason.NOT_FOUND, f"nobody is called {name}")
    if known is None and not any(todo.call == Lookup(name) for todo in draft.owed(Lookup)):
        draft.owe(RELAY, Lookup(name))
    return None if known is None else AccountId(known)


def on_lookup(draft: Draft, call: Lookup, event: Answered) -> None:
    """Remember what the relay says about a name."""
    match event.reply:
        case Found(account=account):
            draft.put(b"name/" + call.name.encode(), account)
        case _:
            draft.put(b"name/" + call.name.encode(), b"")
    draft.settle(event.todo)


def device_list(draft: Draft, view: LightView, account: AccountId) -> DeviceList | None:
    """The logged device list of an account, pinned; None while the log is being asked.

    Raises ``RefusedError(KEY_CHANGED)`` if it is not the pinned one.
    """
    logged = view.device_list(draft, account)
    if logged is None:
        view.want(draft, EntryType.DEVICE_LIST, account)
        return None
    pin = b"pin/" + account
    pinned = draft.get(pin)
    if pinned is None:
        draft.put(pin, logged.list_hash)
    elif pinned != logged.list_hash:
        raise RefusedError(Reason.KEY_CHANGED, logged.name)
    return logged


def sender_identity(draft: Draft, view: LightView, account: AccountId, device: int) -> tuple[Identity, str]:
    """The logged identity of a device that wrote to us, and its account's name; ``DEVICE_UNKNOWN``, deferred."""
    logged = device_list(draft, view, account)
    if logged is None:
        raise DeferredError(Reason.DEVICE_UNKNOWN, account.hex())
    return logged.device(DeviceNo(device)).identity(account), logged.name


def want_bundle(draft: Draft, account: AccountId, device: int) -> None:
    """Owe the question for a device's prekeys, unless it is owed already."""
    question = GetBundle(account, device)
    if not any(todo.call == question for todo in draft.owed(GetBundle)):
        draft.owe(RELAY, question)


def names(view: Read | Draft, light: LightView, account: AccountId) -> str:
    """The name in an account's device list, or its id."""
    logged = light.device_list(view, account)
    return account.hex() if logged is None else logged.name
