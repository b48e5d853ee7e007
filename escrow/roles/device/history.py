"""What was said, as people tell it to somebody else: sent and received in one row, by the time at which it was taken.

A message has the same ``id`` at its sender and at its receivers, so that what several people tell can be put together.
"""

from collections.abc import Iterator

from msgspec import Struct

from escrow.capsule.receipt import Receipt
from escrow.e2ee.content import Content, Text
from escrow.e2ee.file import File
from escrow.roles.calls import Call, Reply
from escrow.roles.device import delivering
from escrow.roles.device.conversations import Held, held_by_id, held_group
from escrow.roles.device.directory import known_account, names
from escrow.roles.device.groups import is_group
from escrow.roles.device.state import Sent, Shown, load_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft, Read
from escrow.roles.state import unpack

SHOWN, DELIVERED = "shown", "delivered"
"""The state of what was received, and of what everybody has; of other messages of ours it is a ``Sent.state``."""


class Told(Struct, frozen=True):
    """One message: from and to whom, by name; ``peer`` is the other one of a pair, or the group's name here.

    ``time`` (ms) is the relay's, where it has signed for it. ``sent``: ours, whichever of our devices has written it.
    ``delivered``: who of ``to`` has said that it was shown; once all have, that is its ``state``.
    """

    id: bytes
    source: str
    to: tuple[str, ...]
    peer: str
    mode: int
    time: int
    content: Content
    state: str
    sent: bool
    delivered: tuple[str, ...] = ()


class History(Reply, frozen=True):
    """Everything that was sent or shown, oldest first."""

    messages: tuple[Told, ...]


class GetHistory(Call, frozen=True):
    """What was said in all conversations, or only with ``peer``: a name, an account id in hex digits, or a group."""

    answer = History
    peer: str = ""


def history(view: Read | Draft, light: LightView, peer: str) -> History:
    """What was sealed here and what was shown; what still waits in the queue was not said yet."""
    account = known_account(view, peer)
    wanted = peer if account is None else names(view, light, account)
    told = (one for one in (*_sent(view, light), *_received(view, light)) if wanted in ("", one.peer))
    return History(tuple(sorted(told, key=lambda one: (one.time, one.id))))


def _sent(view: Read | Draft, light: LightView) -> Iterator[Told]:
    me = load_me(view)
    for key, data in view.scan(b"sent/"):
        sent = unpack(data, Sent)
        content, to, mode = sent.message.content, sent.message.to, sent.message.mode
        if not isinstance(content, Text | File) or not sent.id:
            continue
        held, account = held_group(view, to) if is_group(to) else None, known_account(view, to)
        peer = to if account is None else names(view, light, account)
        everybody = _others(view, light, held, me.keys.account) if held else (peer,)
        time = Receipt.decode(sent.receipt).ingest_time if sent.receipt else sent.time
        told = {names(view, light, one) for one in delivering.accounts(view, key.removeprefix(b"sent/"))}
        has = tuple(one for one in everybody if one in told)
        state = DELIVERED if has == everybody else sent.state
        yield Told(sent.id, me.name, everybody, peer, mode, time, content, state, sent=True, delivered=has)


def _received(view: Read | Draft, light: LightView) -> Iterator[Told]:
    me = load_me(view)
    for _, data in view.scan(b"inbox/"):
        one = unpack(data, Shown)
        held = held_by_id(view, one.conversation)
        to, ours = _others(view, light, held, one.sender), one.sender == me.keys.account
        peer = one.group or (to[0] if ours else one.sender_name)
        yield Told(one.body_id, one.sender_name, to, peer, one.mode, one.time, one.content, SHOWN, sent=ours)


def _others(view: Read | Draft, light: LightView, held: Held, sender: bytes) -> tuple[str, ...]:
    me = load_me(view)
    members = (one for one in held.conversation.members if one != sender)
    return tuple(me.name if one == me.keys.account else names(view, light, one) for one in members)
