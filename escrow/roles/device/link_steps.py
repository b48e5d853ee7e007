"""Linking as steps of the machine: which of the two halves a command or an answer is for."""

from escrow.crypto.coins import Coins
from escrow.e2ee.devices import DeviceList
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import Call, GetNotes, LeaveNote, Notes
from escrow.roles.device import enrolment, hosting, joining, own_devices
from escrow.roles.device.linking import (
    Compare,
    Host,
    Join,
    Linking,
    Look,
    Publish,
    RemoveDevice,
    Stage,
    no_linking,
)
from escrow.roles.device.state import load_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Answered, Draft, Read
from escrow.warrant.genesis import Genesis


def command(draft: Draft, genesis: Genesis, view: LightView, call: Call, now: Millis, draw: Coins) -> None:
    """Carry a user's command out; ``PERMISSION_DENIED`` for one that no device knows."""
    new = draft.get(b"me") is None
    match call:
        case Join():
            joining.begin(draft, now, draw)
        case Host(code=code):
            hosting.begin(draft, code, now)
        case Look() if new:
            joining.look(draft, view, now)
        case Look():
            own_devices.look(draft, view, now)
            hosting.look(draft, now)
        case Compare(string=string):
            joining.compare(draft, view, string, now) if new else hosting.compare(draft, genesis, string, now)
        case Publish():
            load_me(draft)
            enrolment.publish(draft, genesis, now, draw)
        case RemoveDevice(number=number):
            own_devices.remove(draft, genesis, number)
        case _:
            raise RefusedError(Reason.PERMISSION_DENIED, type(call).__name__)


def on_answer(draft: Draft, genesis: Genesis, event: Answered, draw: Coins) -> None:
    """The relay has answered about a meeting."""
    match event.todo.call, event.reply:
        case GetNotes() as call, (Notes() | EscrowError()) as reply:
            joining.on_notes(draft, genesis, call, reply)
            hosting.on_notes(draft, genesis, call, reply, draw)
        case LeaveNote() as call, EscrowError() as error:
            joining.on_left(draft, call, error)
            hosting.on_left(draft, call, error)


def on_list(draft: Draft, genesis: Genesis, devices: DeviceList | None, now: Millis, draw: Coins) -> None:
    """The log has answered for a list of ours; None: it did not take it."""
    hosting.on_list(draft, devices)
    if devices is not None:
        enrolment.publish(draft, genesis, now, draw)


def report(view: Read | Draft) -> Linking:
    """Where the linking stands, on either side. ``NOT_FOUND``."""
    new, host = joining.load(view), hosting.load(view)
    if new is not None and view.get(b"me") is None:
        return joining.report(new)
    if host is not None:
        return hosting.report(view, host)
    me = load_me(view)
    if me.account_seed is not None:
        raise no_linking()
    return Linking(Stage.LINKED, "", "", me.name, me.keys.account, me.keys.device, "")
