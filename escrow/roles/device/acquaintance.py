"""Whom the user asks about: what the screen shows when two people compare safety numbers, and what follows from it."""

from escrow.e2ee.content import Text, encode_content
from escrow.e2ee.devices import DeviceList
from escrow.e2ee.safety import safety_number, safety_text
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import GetHead
from escrow.roles.device import pins
from escrow.roles.device.commands import Safety
from escrow.roles.device.directory import account_of, known_account, newest_list
from escrow.roles.device.state import load_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read

_MEET = b"meet/"


def meet(draft: Draft, view: LightView, name: str, now: Millis) -> None:
    """The user wants to know about ``name``: find out until the next command, from the newest head there is."""
    encode_content(Text(name))  # what is no text is nobody's name
    draft.put(_MEET + name.encode(), b"")
    view.refresh(draft, now - view.genesis.fresh_ms // 2)


def forget(draft: Draft) -> None:
    """The next command: what was not found out is not waited for."""
    for key, _ in list(draft.scan(_MEET)):
        draft.delete(key)


def not_found(draft: Draft, name: str) -> None:
    """The relay knows nobody of that name."""
    draft.delete(_MEET + name.encode())


def find_out(draft: Draft, view: LightView) -> None:
    """Owe the questions about those whom the user wants to meet, as far as answers can still help."""
    for key, _ in list(draft.scan(_MEET)):
        account = account_of(draft, key[len(_MEET) :].decode())
        if draft.owed(GetHead) or account is None:
            continue
        if newest_list(draft, view, account) is not None:
            draft.delete(key)


def safety(view: Read | Draft, light: LightView, name: str) -> Safety:
    """What two people compare; ``NOT_FOUND`` if we do not know who that is."""
    logged, me = _known(view, light, name), load_me(view)
    mine = DeviceList.decode(me.device_list).account_key
    return Safety(
        account=logged.account,
        name=logged.name,
        number=safety_number(mine, logged.account_key),
        text=safety_text(mine, logged.account_key),
        own_key=mine,
        peer_key=logged.account_key,
        trust=pins.trust(view, logged.account, logged),
        version=logged.version,
        devices=tuple(device.number for device in logged.devices),
        list_hash=logged.list_hash,
    )


def confirm(draft: Draft, light: LightView, name: str, shown: bytes) -> None:
    """The user agrees to the devices with the list hash ``shown``; see ``pins.confirm``."""
    pins.confirm(draft, _known(draft, light, name), shown)


def _known(view: Read | Draft, light: LightView, name: str) -> DeviceList:
    encode_content(Text(name))
    account = known_account(view, name)
    if account is not None and account == load_me(view).keys.account:
        raise RefusedError(Reason.USAGE, "a safety number is for two")
    logged = None if account is None else light.device_list(view, account)
    if logged is None:
        raise RefusedError(Reason.NOT_FOUND, f"nothing is known of {name}")
    return logged
