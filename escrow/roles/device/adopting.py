"""Taking over a version of a conversation that came along with a message.

Whoever brings it, a device of the admin has signed it, and it has to fit the versions that are known: one admin who
shows different rosters to different people is noticed as soon as the two meet.
"""

from collections.abc import Iterable

from escrow.e2ee.conversation import Conversation, KeysOf
from escrow.e2ee.keys import Identity
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.device.conversations import (
    Held,
    begin,
    free_name,
    known_held,
    lineage_of,
    move_on,
    remember_past,
    version_of,
)
from escrow.roles.device.directory import listed_devices
from escrow.roles.device.state import load_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft
from escrow.tlog.entry import EntryType


def adopt(draft: Draft, view: LightView, sender: Identity, mode: int, data: bytes, time: Millis) -> Held:
    """The conversation that ``data`` is a version of, in its newest version; the same one twice is one.

    Raises ``DeferredError`` while the admin's devices are not known, and ``RefusedError``: SENDER_INCONSISTENT unless
    the admin has signed it and we are both in it, MODE_MISMATCH unless it has the session's mode and lineage,
    ROSTER_FORKED if the admin has signed another one for its place.
    """
    me = load_me(draft)
    try:
        version = Conversation.decode(data, _keys(draft, view, sender))
    except (MalformedError, RefusedError) as error:
        raise RefusedError(Reason.SENDER_INCONSISTENT, error.detail) from error
    if (version.mode, version.lineage) != (mode, lineage_of(view.genesis, mode)):
        raise RefusedError(Reason.MODE_MISMATCH, "a conversation of another mode or policy")
    if not {me.keys.account, sender.account} <= set(version.members):
        raise RefusedError(Reason.SENDER_INCONSISTENT, "the roster of another conversation")
    held = known_held(draft, version.id)
    for member in version.members:
        if listed_devices(draft, view, member) is None:
            view.want(draft, EntryType.DEVICE_LIST, member)
    if held is None:
        return begin(draft, me, version, free_name(draft, version), time)
    return _take(draft, held, version, time)


def _take(draft: Draft, held: Held, version: Conversation, time: Millis) -> Held:
    known = version_of(draft, held, version.version)
    if known is not None:
        if known.roster != version.roster:
            raise RefusedError(Reason.ROSTER_FORKED, "another roster has this number")
        return held
    newest = held.conversation
    before = newest if version.version > newest.version else version_of(draft, held, version.version - 1)
    after = version_of(draft, held, version.version + 1)
    for earlier, later in ((before, version), (version, after)):
        if earlier and later:
            earlier.check_later(later)
    if version.version > newest.version:
        return move_on(draft, held, version, time)
    remember_past(draft, version)
    return held


def _keys(draft: Draft, view: LightView, sender: Identity) -> KeysOf:
    def of(account: AccountId) -> Iterable[bytes]:
        if account == sender.account:
            yield sender.signing
        logged = listed_devices(draft, view, account)
        if logged is None:
            view.want(draft, EntryType.DEVICE_LIST, account)
            raise DeferredError(Reason.DEVICE_UNKNOWN, account.hex())
        yield from (device.signing for device in logged.devices)

    return of
