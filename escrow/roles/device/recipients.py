"""Which devices get a message: all those of a conversation's members but the sending one, each in a session."""

from collections.abc import Sequence

from escrow.e2ee.keys import Identity
from escrow.e2ee.session import Session
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.device.beginning import outlived
from escrow.roles.device.conversations import lineage_of
from escrow.roles.device.directory import device_list, want_bundle
from escrow.roles.device.own_devices import current_list
from escrow.roles.device.state import Me, session_with
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft
from escrow.warrant.genesis import Genesis


def recipients_of(
    draft: Draft, view: LightView, me: Me, members: Sequence[AccountId], now: Millis
) -> list[Identity] | None:
    """All devices of all members but this one, own ones first; None while the log is being asked about some.

    Our own devices are those of the list that is in force. Raises what ``current_list`` raises, and
    ``DeferredError(KEY_CHANGED)`` until the user has confirmed everybody's.
    """
    own = me.keys.account
    found = {each: device_list(draft, view, each, now) for each in members if each != own}
    lists = {own: current_list(draft, view, me, now), **{each: logged for each, logged in found.items() if logged}}
    if len(lists) <= len(found):
        return None
    everyone = [device.identity(each) for each, listed in lists.items() for device in listed.devices]
    return [each for each in everyone if each != me.keys.identity]


def just(device: Identity, recipients: Sequence[Identity]) -> list[Identity]:
    """That device with exactly these keys; ``KEY_CHANGED`` if it is not among the recipients."""
    # SPEC RTY-2: nothing is said again to keys that are gone.
    if device not in recipients:
        raise RefusedError(Reason.KEY_CHANGED, "the device that asked is not in the conversation any more")
    return [device]


def sessions_with(
    draft: Draft, genesis: Genesis, recipients: Sequence[Identity], mode: int, now: Millis
) -> list[Session]:
    """A session with every recipient; ``SESSION_MISSING``, deferred, while prekeys are being asked for."""
    sessions: list[Session] = []
    for device in recipients:
        session = session_with(draft, device, mode)
        if session is None:
            want_bundle(draft, device.account, device.device)
        elif session.lineage != lineage_of(genesis, mode):
            raise RefusedError(Reason.MODE_MISMATCH, "the session is pinned to another policy")
        elif outlived(draft, session, now):
            want_bundle(draft, device.account, device.device)
        else:
            sessions.append(session)
    if len(sessions) < len(recipients):
        raise DeferredError(Reason.SESSION_MISSING)
    return sessions
