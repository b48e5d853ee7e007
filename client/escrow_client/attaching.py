"""A file on its way out: read twice, first to be named by its hash and then to be sealed into a copy.

The key of an attachment depends on its content, so the content must not change under it. Only the copy is sent: a file
that somebody writes to while it is read is noticed before anything of it leaves the machine.
"""

import hashlib
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self, cast, final

from escrow.e2ee.attachment import seal
from escrow.e2ee.blob import COMMITMENT, MOST_CHUNK, NAMELESS, chunk_count, extend_name, padded_size
from escrow.e2ee.file import File
from escrow.errors import Reason, RefusedError
from escrow.node import Node
from escrow.roles.device.commands import AttachmentKey, NewAttachment
from escrow.secret import Secret
from escrow_client.saving import safe_name
from escrow_client.transfer import Ask, Progress, unseen, upload

_PIECE: Final = 1 << 16
_STEP: Final = MOST_CHUNK - COMMITMENT
"""Bytes of every chunk that is neither the first nor the last."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A file as it was read the first time: its size in bytes and its SHA-256."""

    path: Path
    size: int
    content_hash: bytes

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a file. Raises ``RefusedError``: USAGE if it cannot be read, TOO_LARGE before it is."""
        padded_size(_stated_size(path))
        hashing, size = hashlib.sha256(), 0
        for piece in _read(path, hashing):
            size += len(piece)
            padded_size(size)
        return cls(path, size, hashing.digest())


@final
class Spool:
    """The sealed chunks of a file, in a temporary file that others cannot read."""

    def __init__(self, file: IO[bytes], blob: bytes, count: int) -> None:
        self._file = file
        self.blob = blob
        self.count = count

    def chunk(self, index: int) -> bytes:
        """The sealed chunk at ``index``."""
        self._file.seek(index and COMMITMENT + index * _STEP)
        return self._file.read(_STEP if index else MOST_CHUNK)


async def attach(node: Node, ask: Ask, path: Path, folder: Path, progress: Progress = unseen) -> File:
    """Bring the file at ``path`` to the relay through ``ask``, by way of ``folder``; return what a message says of it.

    Repeating it after it was cut off goes on where it was. Raises ``RefusedError`` (USAGE, TOO_LARGE, FILE_CHANGED,
    RATE_LIMITED) and ``UnavailableError``.
    """
    measured = Measured.of(path)
    begun = await node.ask(node.party, NewAttachment(measured.content_hash, measured.size))
    key = cast(AttachmentKey, begun).key
    with sealed_copy(measured, key, folder) as sealed:
        await upload(ask, sealed, progress)
        return File(safe_name(path.name), measured.size, sealed.blob, key)


@contextmanager
def sealed_copy(measured: Measured, key: Secret, folder: Path) -> Iterator[Spool]:
    """The file, sealed under ``key`` into ``folder`` for as long as this lasts; ``FILE_CHANGED`` since it was measured.

    Sealing the same content under the same key gives the same chunks.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        hashing, blob, count = hashlib.sha256(), NAMELESS, chunk_count(measured.size)
        for index, chunk in enumerate(seal(key, measured.size, _read(measured.path, hashing))):
            blob = extend_name(blob, chunk, last=index + 1 == count)
            file.write(chunk)
        if hashing.digest() != measured.content_hash:
            raise RefusedError(Reason.FILE_CHANGED, str(measured.path))
        yield Spool(file, blob, count)


def _stated_size(path: Path) -> int:
    """What the file system says of a file; ``USAGE`` for what is none, such as a pipe, which cannot be read twice."""
    try:
        stated = path.stat()
    except OSError as error:
        raise RefusedError(Reason.USAGE, f"{path}: {error.strerror}") from error
    if not stat.S_ISREG(stated.st_mode):
        raise RefusedError(Reason.USAGE, f"{path} is no file")
    return stated.st_size


def _read(path: Path, hashing: "hashlib._Hash") -> Iterator[bytes]:
    """A file in pieces, each of them hashed; ``USAGE`` if it cannot be read."""
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                hashing.update(piece)
                yield piece
    except OSError as error:
        raise RefusedError(Reason.USAGE, f"{path}: {error.strerror}") from error
