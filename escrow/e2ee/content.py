"""What is inside a message once all layers are off: a line of text, a file that is fetched apart, a note of a device.

Each kind of content is a type of its own. Padded, because whoever sees a body sees its length. The same bytes go into
an escrowed body and into the session message of an un-escrowed conversation, so that the two differ in nothing but the
escrow.
"""

from typing import ClassVar, Final, Self

from msgspec import Struct

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


Content = Text | File | NewRoster
"""The content of one message."""

_KINDS: Final[dict[bytes, type[Content]]] = {u8(kind.KIND): kind for kind in (Text, File, NewRoster)}


def is_control(content: Content) -> bool:
    """Whether devices say it to each other and no screen shows it."""
    return isinstance(content, NewRoster)


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
