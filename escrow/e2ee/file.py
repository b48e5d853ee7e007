"""A file as a message carries it: its name, and what is needed to fetch and open it. The file itself is a blob."""

from typing import ClassVar, Final, Self

from msgspec import Struct

from escrow.e2ee.blob import MOST
from escrow.encoding import number, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag, fields

MOST_NAME: Final = 255
"""Bytes of a name in UTF-8."""


class File(Struct, frozen=True, tag="file"):
    """``name`` is the sender's word and no path; ``size`` is in bytes, ``blob`` (32 bytes) names the sealed chunks.

    ``key`` (32 bytes) opens them and nothing else.
    """

    KIND: ClassVar[int] = 1
    name: str
    size: int
    blob: bytes
    key: Secret

    @property
    def text(self) -> str:
        """What people read."""
        return f"file {self.name!r} of {self.size} bytes"

    def encode(self) -> bytes:
        """``T("file", name, size u64, blob 32, key 32)``.

        Raises ``RefusedError(TOO_LARGE)``, ``MalformedError(CONTENT_INVALID)`` for a name that is none.
        """
        if self.size > MOST:
            raise RefusedError(Reason.TOO_LARGE, f"a file of {self.size} bytes; {MOST} fit")
        try:
            name = self.name.encode()
        except UnicodeEncodeError as error:
            raise MalformedError(error.reason, Reason.CONTENT_INVALID) from None
        if len(name) > MOST_NAME:
            raise RefusedError(Reason.TOO_LARGE, f"a name of {len(name)} bytes; {MOST_NAME} fit")
        return T(Tag.FILE, name, u64(self.size), self.blob, self.key.expose())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``; what claims to be too large is refused before it is fetched."""
        name, size, blob, key = fields(Tag.FILE, data, None, 8, 32, 32)
        if len(name) > MOST_NAME or number(size) > MOST:
            raise MalformedError("a file with a name or of a size beyond its limit")
        try:
            return cls(name.decode(), number(size), blob, Secret(key))
        except UnicodeDecodeError as error:
            raise MalformedError(error.reason) from None
