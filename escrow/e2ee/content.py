"""What is inside a message once all layers are off: a line of text, a file that is fetched apart, a note of a device.

Each kind of content is a type of its own. Padded, because whoever sees a body sees its length. The same bytes go into
an escrowed body and into the session message of an un-escrowed conversation, so that the two differ in nothing but the
escrow.
"""

from typing import ClassVar, Final, Self

from msgspec import Struct

from escrow.capsule.header import ContentClass
from escrow.e2ee.file import File
from escrow.e2ee.padding import pad, unpad
from escrow.encoding import expect, number, u8, u64
from escrow.errors import MalformedError, Reason
from escrow.tags import T, Tag, fields


class Text(Struct, frozen=True, tag="text"):
    """What people write."""

    KIND: ClassVar[int] = 0
    text: str

    def encode(self) -> bytes:
        """UTF-8; ``MalformedError(CONTENT_INVALID)`` for half a surrogate pair."""
        try:
            return self.text.encode()
        except UnicodeEncodeError as error:
            raise MalformedError(error.reason, Reason.CONTENT_INVALID) from None

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        try:
            return cls(data.decode())
        except UnicodeDecodeError as error:
            raise MalformedError(error.reason) from None


class NewRoster(Struct, frozen=True, tag="new-roster"):
    """The message with which a ``version`` of a conversation travels; the version itself stands in the envelopes."""

    KIND: ClassVar[int] = 16
    """From 16 on kinds are for devices, and nothing is shown."""
    text: ClassVar[str] = ""
    version: int

    def encode(self) -> bytes:
        """u64."""
        return u64(self.version)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        return cls(number(expect(data, 8, "a roster's version")))


Original = Text | File | NewRoster
"""What somebody wanted said, and what can be said again."""

_ORIGINALS: Final[dict[bytes, type[Original]]] = {u8(kind.KIND): kind for kind in (Text, File, NewRoster)}


class NeedRetry(Struct, frozen=True, tag="need-retry"):
    """A device cannot open some messages and asks for them again: 1 to 64 names of 32 bytes, none twice.

    A name is the message's body id or, where there is no escrow, the SHA-256 of the envelope for that device.
    """

    KIND: ClassVar[int] = 17
    MOST: ClassVar[int] = 64
    text: ClassVar[str] = ""
    names: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The names, one after the other."""
        return b"".join(self.names)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        names = tuple(data[place : place + 32] for place in range(0, len(data), 32))
        if len(data) % 32 or not 0 < len(set(names)) == len(names) <= cls.MOST:
            raise MalformedError("not a question for some messages")
        return cls(names)


class Retry(Struct, frozen=True, tag="retry"):
    """A message said again. ``of`` is the name it was asked for by, ``id`` its own: 32 bytes, without escrow 16."""

    KIND: ClassVar[int] = 18
    of: bytes
    id: bytes
    content: Original

    @property
    def text(self) -> str:
        """What people read."""
        return self.content.text

    def encode(self) -> bytes:
        """``T("retry", of 32, id 16 or 32, kind u8, data)``."""
        return T(Tag.RETRY, self.of, self.id, u8(self.content.KIND), self.content.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``: also for what is nobody's own words."""
        of, name, kind, said = fields(Tag.RETRY, data, 32, None, 1, None)
        if len(name) not in (16, 32) or kind not in _ORIGINALS:
            raise MalformedError("not a message that could be said again")
        return cls(of, name, _ORIGINALS[kind].decode(said))


class Delivered(Struct, frozen=True, tag="delivered"):
    """A device has shown the messages with these ids, 1 to 256, none twice: of 32 bytes, or of 16 without escrow."""

    KIND: ClassVar[int] = 19
    MOST: ClassVar[int] = 256
    text: ClassVar[str] = ""
    ids: tuple[bytes, ...]

    def encode(self) -> bytes:
        """size u8 ‖ the ids, one after the other."""
        return u8(len(self.ids[0]) if self.ids else 0) + b"".join(self.ids)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        size = number(data[:1])
        if size not in (16, 32):
            raise MalformedError("ids of messages have 16 or 32 bytes")
        ids = tuple(data[place : place + size] for place in range(1, len(data), size))
        if (len(data) - 1) % size or not 0 < len(set(ids)) == len(ids) <= cls.MOST:
            raise MalformedError("not a list of messages")
        return cls(ids)


Content = Original | NeedRetry | Retry | Delivered
"""The content of one message."""

_ALL: Final = (Text, File, NewRoster, NeedRetry, Retry, Delivered)
_KINDS: Final[dict[bytes, type[Content]]] = {u8(kind.KIND): kind for kind in _ALL}


def is_control(content: Content) -> bool:
    """Whether devices say it to each other and no screen shows it."""
    return isinstance(content, NewRoster | NeedRetry | Delivered)


def class_of(content: Content) -> ContentClass:
    """What an escrowed body says in public of its content."""
    if isinstance(content, Retry):
        return ContentClass.RETRY
    return ContentClass.CONTROL if is_control(content) else ContentClass.CONTENT


def is_automatic(content: object) -> bool:
    """Whether a device says it by itself: nobody has asked for it and nobody waits for its outcome."""
    return isinstance(content, NeedRetry | Retry | Delivered)


def check_size(content: Original) -> None:
    """Raise as ``encode_content`` for what could not be sent, also if it had to be said again."""
    encode_content(Retry(bytes(32), bytes(32), content))


def encode_content(content: Content) -> bytes:
    """Padded ``T("content", kind u8, data)``.

    Raises ``RefusedError(TOO_LARGE)`` beyond 60 KiB, ``MalformedError(CONTENT_INVALID)`` for what has no encoding.
    """
    return pad(T(Tag.CONTENT, u8(content.KIND), content.encode()))


def decode_content(padded: bytes) -> Content:
    """Undo ``encode_content``; raise ``MalformedError(CONTENT_INVALID)`` for anything else."""
    try:
        kind, data = fields(Tag.CONTENT, unpad(padded), 1, None)
        return _kind(kind).decode(data)
    except MalformedError as error:
        raise MalformedError(error.detail, Reason.CONTENT_INVALID) from None


def _kind(number: bytes) -> type[Content]:
    if number not in _KINDS:
        raise MalformedError(f"content of an unknown kind, {number[0]}")
    return _KINDS[number]
