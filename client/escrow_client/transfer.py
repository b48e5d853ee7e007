"""Attachments on their way to the relay and back, chunk by chunk: neither end ever holds more than one.

A transfer that was cut off goes on where it was: the relay says which chunk comes next, and the sealed chunks of one
file under one key are always the same.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, cast

from escrow.e2ee.attachment import Opening
from escrow.e2ee.blob import chunk_count
from escrow.e2ee.file import File
from escrow.errors import Reason, UnavailableError
from escrow.roles.calls import Call, Chunk, ChunkStored, GetChunk, PutChunk, Reply

Ask = Callable[[Call], Awaitable[Reply]]
"""Puts a call to the relay."""
Progress = Callable[[int, int], None]
"""Told how many chunks of how many are done."""


class Sealed(Protocol):
    """Sealed chunks that can be read again."""

    blob: bytes
    count: int

    def chunk(self, index: int) -> bytes:
        """The chunk at ``index``."""
        ...


def unseen(_done: int, _count: int) -> None:
    """The progress of a transfer that nobody watches."""


async def upload(ask: Ask, sealed: Sealed, progress: Progress = unseen) -> None:
    """Bring all chunks to the relay that are not there yet.

    Raises what the relay refuses with, and ``UnavailableError`` if it cannot be reached or loses what it had.
    """
    done = 0
    while done < sealed.count:
        last = done + 1 == sealed.count
        stored = cast(ChunkStored, await ask(PutChunk(sealed.blob, done, last, sealed.chunk(done))))
        if not done < stored.chunks <= sealed.count or stored.whole != (stored.chunks == sealed.count):
            raise UnavailableError(Reason.UNAVAILABLE, "the relay has lost a part of the attachment")
        done = stored.chunks
        progress(done, sealed.count)


async def download(ask: Ask, file: File, progress: Progress = unseen) -> AsyncIterator[bytes]:
    """The content of a file in pieces. Before the last one has come without an error, none of them may be used.

    Raises ``RefusedError`` (NOT_RETAINED, COMMITMENT_MISMATCH, ATTACHMENT_INVALID, TOO_LARGE before anything is asked).
    """
    opening, count = Opening(file.key, file.size, file.blob), chunk_count(file.size)
    for index in range(count):
        chunk = cast(Chunk, await ask(GetChunk(file.blob, index)))
        yield opening.take(chunk.data)
        progress(index + 1, count)
    opening.finish()
