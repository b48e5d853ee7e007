"""What a user asks of her own device. Local: none of this is a message to anybody."""

from typing import ClassVar

from msgspec import Struct

from escrow.e2ee.file import File
from escrow.roles.calls import Call, Done, Reply
from escrow.roles.device.state import Alarm, Shown
from escrow.secret import Secret


class Registered(Reply, frozen=True):
    """The account that was made; its id is the hash of its key."""

    account: bytes
    name: str


class Register(Call, frozen=True):
    """Make the keys of a new account with this one device, log them, and publish prekeys under ``name``."""

    answer = Registered
    name: str


class Send(Call, frozen=True):
    """Queue ``text`` (at most 60 KiB of UTF-8) for ``to`` in ``mode`` (0 plain, 1 escrowed).

    A ``to`` that begins with ``#`` is a group, which has a mode of its own.
    """

    answer = Done
    to: str
    mode: int
    text: str


class AttachmentKey(Reply, frozen=True):
    """The key (32 bytes) under which a file is to be sealed (``escrow.e2ee.attachment``)."""

    key: Secret


class NewAttachment(Call, frozen=True):
    """A key for the file with this SHA-256 and size; the same one until the file is sent, so that one can resume."""

    answer = AttachmentKey
    content_hash: bytes
    size: int


class SendFile(Call, frozen=True):
    """Queue a file for ``to`` in ``mode``. The relay holds its chunks by now."""

    answer = Done
    to: str
    mode: int
    file: File


class CreateGroup(Call, frozen=True):
    """Begin a group called ``#title`` in ``mode``, of the accounts called ``members`` and this one, its admin."""

    answer = Done
    name: str
    members: tuple[str, ...]
    mode: int


class ChangeGroup(Call, frozen=True):
    """Add and remove members of a group of ours: a new version, which goes to all who are in it then."""

    answer = Done
    name: str
    add: tuple[str, ...]
    remove: tuple[str, ...]


class Sync(Call, frozen=True):
    """Fetch what waits at the relay, and try again what could not be sent."""

    answer = Done


class SendReceipts(Call, frozen=True):
    """Tell senders from now on what was shown here, or do not."""

    answer = Done
    on: bool


class Inbox(Reply, frozen=True):
    """Messages that were shown, from number ``start`` on."""

    start: int
    messages: tuple[Shown, ...]


class GetInbox(Call, frozen=True):
    """What was shown, from number ``start`` on."""

    answer = Inbox
    start: int


class WatchMe(Call, frozen=True):
    """Read the log up to its newest head, for lists of devices of this account that this device did not approve."""

    answer = Done


class Meet(Call, frozen=True):
    """Find out who ``peer`` is (a name, or an account id in 64 hex digits) and which devices the log shows."""

    answer = Done
    peer: str


class Safety(Reply, frozen=True):
    """What two people compare: ``number`` by eye (60 digits), ``text`` by camera. ``trust`` is a ``pins.Trust``.

    ``own_key`` and ``peer_key`` are the accounts' public keys, ``version``, ``devices`` and ``list_hash`` (32 bytes)
    those of the newest list of the peer's devices that we know.
    """

    account: bytes
    name: str
    number: str
    text: str
    own_key: bytes
    peer_key: bytes
    trust: str
    version: int
    devices: tuple[int, ...]
    list_hash: bytes


class GetSafety(Call, frozen=True):
    """What is known of ``peer``; ``NOT_FOUND`` before ``Meet``, or a message, has found it out."""

    answer = Safety
    peer: str


class Confirm(Call, frozen=True):
    """The user has compared safety numbers with ``peer`` and agrees to the devices whose ``list_hash`` she was shown.

    What waited for that goes out. ``KEY_CHANGED`` if the devices have changed again.
    """

    answer = Done
    peer: str
    list_hash: bytes


class ConversationStatus(Struct, frozen=True):
    """One conversation as the screen shows it: with whom, and whether an escrow holds its messages.

    ``trust`` is a ``pins.Trust``: how the user stands to the devices of the peer, or of whom she trusts least in a
    group; ``changed`` names those whose devices nobody has agreed to. ``confirmed``: every other member has written in
    it. A group has no peer; ``peer_name`` is its name here, ``title`` what its admin has called it, ``admin`` and
    ``admin_name`` whose it is, ``members`` are the names of all.
    """

    peer: bytes
    peer_name: str
    mode: int
    confirmed: bool
    trust: str
    id: bytes = b""
    admin: bytes = b""
    members: tuple[str, ...] = ()
    version: int = 0
    title: str = ""
    admin_name: str = ""
    changed: tuple[str, ...] = ()


class Watched(Struct, frozen=True):
    """How the log was read for this account: ``size`` entries, none of them unread that is older than ``time_ms``.

    ``ghosts``: lists of its devices that this device did not approve; ``omitted``: lists that the log has lost.
    """

    size: int
    time_ms: int
    ghosts: int
    omitted: int


class Status(Reply, frozen=True):
    """This device: what it is, its conversations, what waits (``waiting`` says for what) and what was refused.

    ``delivered``: messages that a device of somebody else says it has shown; ``receipts``: whether this one says so.
    ``overdue``: receipts whose promised time is over and about which the relay gives no answer.
    """

    account: bytes
    device: int
    name: str
    enrolled: bool
    conversations: tuple[ConversationStatus, ...]
    queued: int
    unanswered: int
    accepted: int
    refused: tuple[str, ...]
    deferred: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    waiting: tuple[str, ...]
    watched: Watched
    overdue: int
    delivered: int
    receipts: bool


class GetStatus(Call, frozen=True):
    """What the status screen shows."""

    answer: ClassVar[type[Reply]] = Status
