"""Telling a sender that a message was shown, and keeping what others tell: in the conversation itself, when one is done
with the mailbox.

Nothing is told of a message before it has passed every check, and nothing ever of one that was refused. What is told
is a message like any other, escrowed where the conversation is, and nobody is told of it in turn. It is a device's word
and no proof; the relay may keep it back, so silence says nothing.
"""

from collections.abc import Iterator

from escrow.e2ee.content import Delivered
from escrow.e2ee.keys import Identity
from escrow.ids import AccountId
from escrow.roles.device.conversations import held_by_id
from escrow.roles.device.retrying import copies_of
from escrow.roles.device.state import PLAIN, Sent, Shown, load_me, say
from escrow.roles.machine import Draft, Read
from escrow.roles.state import unpack

_DUE = b"due/"
_DELIVERED = b"delivered/"
_CHOICE = b"receipts"
_KEY = 16
"""Bytes of an idempotency key."""


def choose(draft: Draft, *, on: bool) -> None:
    """The user wants to tell, or not."""
    draft.put(_CHOICE, bytes([on]))


def chosen(view: Read | Draft, *, default: bool) -> bool:
    """What the user wants; ``default`` if she has not said so."""
    data = view.get(_CHOICE)
    return default if data is None else data != b"\x00"


def note(draft: Draft, shown: Shown, sender: Identity | None, *, default: bool) -> None:
    """A message was shown: ``sender``, the device that wrote it, is to be told, unless it is ours."""
    if sender and chosen(draft, default=default) and shown.sender != load_me(draft).keys.account:
        draft.put(_DUE + shown.conversation + shown.body_id, sender.encode())


def is_due(view: Read | Draft) -> bool:
    """Whether there is anything to tell."""
    return next(iter(view.scan(_DUE, limit=1)), None) is not None


def send(draft: Draft, *, default: bool) -> None:
    """Tell what is due: one message for each conversation and whom it concerns there, or as many as it takes."""
    due = [(key.removeprefix(_DUE), Identity.decode(sender)) for key, sender in draft.scan(_DUE)]
    told: dict[tuple[bytes, Identity | None], list[bytes]] = {}
    for key, sender in due:
        draft.delete(_DUE + key)
        told.setdefault((key[:32], _alone(draft, key[:32], sender)), []).append(key[32:])
    # SPEC DLV-2: whoever does not want to tell, tells nothing.
    if not chosen(draft, default=default):
        return
    for (conversation, only), ids in told.items():
        held, me = held_by_id(draft, conversation), load_me(draft)
        # SPEC DLV-1: only what was shown is told, in its own conversation and mode, and all of it at once.
        for first in range(0, len(ids), Delivered.MOST):
            content = Delivered(tuple(ids[first : first + Delivered.MOST]))
            say(draft, held.name or held.peer(me).hex(), held.conversation.mode, content, only)


def _alone(draft: Draft, conversation: bytes, sender: Identity) -> Identity | None:
    """The sender, where it can be told alone: in a group without escrow. With escrow a message is for all of them."""
    held = held_by_id(draft, conversation)
    # SPEC DLV-4: what the others read is nobody's business but the sender's.
    return sender if held.name and held.conversation.mode == PLAIN else None


def take(draft: Draft, device: Identity, mode: int, told: Delivered) -> None:
    """Keep what a device tells of messages that were sealed for it, in their mode; the rest is no news of ours."""
    for name in told.ids:
        copies = copies_of(draft, name)
        # SPEC DLV-3: only who got a message can tell that it was shown.
        data = draft.get(b"sent/" + copies.key) if copies.are_for(device) else None
        if data is not None and unpack(data, Sent).message.mode == mode:
            draft.put(_DELIVERED + copies.key + device.place, b"")


def accounts(view: Read | Draft, key: bytes) -> Iterator[AccountId]:
    """Whose devices have told of the submission ``key``."""
    for place, _ in view.scan(_DELIVERED + key):
        yield AccountId(place[len(_DELIVERED) + _KEY :][:32])


def count(view: Read | Draft) -> int:
    """Of how many messages somebody has told."""
    return len({place[len(_DELIVERED) :][:_KEY] for place, _ in view.scan(_DELIVERED)})
