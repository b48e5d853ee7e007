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
    """Queue ``text`` (at most 60 KiB of UTF-8) for ``to`` in ``mode`` (0 plain, 1 escrowed)."""

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


class Sync(Call, frozen=True):
    """Fetch what waits at the relay, and try again what could not be sent."""

    answer = Done


class Inbox(Reply, frozen=True):
    """Messages that were shown, from number ``start`` on."""

    start: int
    messages: tuple[Shown, ...]


class GetInbox(Call, frozen=True):
    """What was shown, from number ``start`` on."""

    answer = Inbox
    start: int


class ConversationStatus(Struct, frozen=True):
    """One conversation as the screen shows it: with whom, and whether an escrow holds its messages."""

    peer: bytes
    peer_name: str
    mode: int
    confirmed: bool


class Status(Reply, frozen=True):
    """This device: what it is, its conversations, what waits (``waiting`` says for what) and what was refused."""

    account: bytes
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


class GetStatus(Call, frozen=True):
    """What the status screen shows."""

    answer: ClassVar[type[Reply]] = Status
