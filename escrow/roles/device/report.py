"""What the screen shows: read from the device's state, changing nothing."""

from msgspec.structs import replace

from escrow.e2ee.content import is_automatic
from escrow.encoding import number, u64
from escrow.roles.device import delivering
from escrow.roles.device.audit import overdue
from escrow.roles.device.commands import ConversationStatus, Inbox, Status, Watched
from escrow.roles.device.conversations import Held, all_held, known_held
from escrow.roles.device.directory import names
from escrow.roles.device.linking import Devices, OwnDevice
from escrow.roles.device.monitor import progress
from escrow.roles.device.own_devices import newest_known
from escrow.roles.device.pins import Trust, trust
from escrow.roles.device.state import Alarm, Deferred, Me, Queued, Sent, Shown, load_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read
from escrow.roles.state import unpack

_LEAST_FIRST = (Trust.CHANGED, Trust.UNKNOWN, Trust.FIRST_SEEN, Trust.COMPARED)


def inbox(view: Read | Draft, light: LightView, start: int) -> Inbox:
    """Shown messages from number ``start`` on."""
    after = b"inbox/" + u64(start - 1) if start else b""
    rows = list(view.scan(b"inbox/", after=after))
    first = number(rows[0][0][len(b"inbox/") :]) if rows else start
    return Inbox(first, tuple(_addressed(view, light, unpack(data, Shown)) for _, data in rows))


def _addressed(view: Read | Draft, light: LightView, message: Shown) -> Shown:
    """Whom a message went to, if another device of ours has written it."""
    me, held = load_me(view), known_held(view, message.conversation)
    if message.sender != me.keys.account or held is None:
        return message
    return replace(message, to=held.name or names(view, light, held.peer(me)))


def devices(view: Read | Draft, light: LightView) -> Devices:
    """The devices of this account, as far as this one has heard."""
    me = load_me(view)
    listed = newest_known(view, light, me).devices
    return Devices(tuple(OwnDevice(one.number, one.signing, one.number == me.keys.device) for one in listed))


def status(view: Read | Draft, light: LightView, *, receipts: bool = False) -> Status:
    """The device and everything that waits or was refused."""
    me, head = load_me(view), light.head(view)
    sent = [unpack(data, Sent) for _, data in view.scan(b"sent/")]
    queued = [unpack(data, Queued) for _, data in view.scan(b"queue/")]
    sent = [each for each in sent if not is_automatic(each.message.content)]
    queued = [each for each in queued if not is_automatic(each.content)]
    read = progress(view)
    return Status(
        account=me.keys.account,
        device=me.keys.device,
        name=me.name,
        enrolled=me.enrolled,
        conversations=tuple(_conversation(view, light, me, held) for held in all_held(view)),
        queued=len(queued),
        unanswered=sum(each.state == "sent" for each in sent),
        accepted=sum(each.state == "accepted" for each in sent),
        refused=tuple(each.state for each in sent if each.state not in ("sent", "accepted")),
        deferred=tuple(unpack(data, Deferred).reason for _, data in view.scan(b"deferred/")),
        alarms=tuple(unpack(data, Alarm) for _, data in view.scan(b"alarm/")),
        waiting=tuple(each.waits for each in queued if each.waits),
        watched=Watched(read.size, read.time_ms, read.ghosts, read.omitted),
        overdue=overdue(view, 0 if head is None else head.time_ms),
        delivered=delivering.count(view),
        receipts=delivering.chosen(view, default=receipts),
    )


def _conversation(view: Read | Draft, light: LightView, me: Me, held: Held) -> ConversationStatus:
    conversation, own = held.conversation, me.keys.account
    others = [member for member in conversation.members if member != own]
    wrote = {one.account for one in held.confirmed if one.version == conversation.version}
    called = {member: names(view, light, member) for member in others} | {own: me.name}
    trusted = {member: trust(view, member, light.device_list(view, member)) for member in others}
    return ConversationStatus(
        peer=b"" if held.name else held.peer(me),
        peer_name=held.name or called[held.peer(me)],
        mode=conversation.mode,
        confirmed=wrote >= set(others),
        trust=next(each for each in _LEAST_FIRST if each in trusted.values()),
        id=conversation.id,
        admin=conversation.admin,
        members=tuple(called[member] for member in conversation.members),
        version=conversation.version,
        title=conversation.title,
        admin_name=called[conversation.admin],
        changed=tuple(called[member] for member in others if trusted[member] is Trust.CHANGED),
    )
