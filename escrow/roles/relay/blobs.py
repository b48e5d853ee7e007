"""Attachments at the relay: sealed chunks, each under a key of its own, in rows that are written once and in order.

The relay knows the name, the uploader and the padded size of a blob, and not which message it belongs to: that is said
inside the message, so the calls are the same with escrow and without. A name commits to every chunk, and a row that is
not what its name says never becomes whole. Whoever knows the name may read: it travels under the same lock as the key.
"""

from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from escrow.e2ee.blob import MOST_CHUNK, MOST_CHUNKS, NAMELESS, extend_name
from escrow.encoding import expect, number, u32, u64
from escrow.errors import BehindError, MalformedError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.callers import device_of
from escrow.roles.calls import Chunk, ChunkStored, GetChunk, PutChunk
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read
from escrow.roles.relay.checks import Sender
from escrow.roles.state import pack, unpack

_DAY = 86_400_000

_BLOB = b"blob/"
_CHUNK = b"chunk-of/"
_OPEN = b"blob-open/"
_DUE = b"blob-due/"
_SPENT = b"blob-spent/"


@dataclass(frozen=True, slots=True)
class BlobTerms:
    """What the relay grants: times in ms, and for each device new bytes in a day and unfinished blobs.

    The times are the same for all blobs, because the relay must not know whose message is escrowed.
    """

    keep: int = 45 * _DAY
    keep_unfinished: int = _DAY
    bytes_a_day: int = 2 << 30
    unfinished: int = 8


class Blob(Struct, frozen=True):
    """A row of chunks, called ``name`` so far. ``due``: when it is forgotten."""

    owner: bytes
    chunks: int
    name: bytes
    whole: bool
    due: int

    @property
    def stored(self) -> ChunkStored:
        """What its uploader is told."""
        return ChunkStored(self.chunks, self.whole)


@dataclass(frozen=True, slots=True)
class Blobs:
    """The blobs in a relay's state."""

    ledger: Ledger
    terms: BlobTerms

    def answer(self, draft: Draft, caller: Party, call: PutChunk | GetChunk, now: Millis) -> ChunkStored | Chunk:
        """Take a chunk of a device, or hand one to a device or an agency; ``UNAUTHENTICATED`` for others."""
        if isinstance(call, PutChunk):
            return self.put(draft, Sender(*device_of(caller)), call, now)
        if not caller.startswith("agency/"):
            device_of(caller)
        return self.get(draft, call)

    def put(self, draft: Draft, sender: Sender, call: PutChunk, now: Millis) -> ChunkStored:
        """Take a chunk if it comes next.

        Raises ``MalformedError`` (TOO_LARGE), ``RefusedError``: IDEMPOTENCY_CONFLICT for other bytes than before,
        PERMISSION_DENIED for another device than began it, RATE_LIMITED, ATTACHMENT_INVALID with a last chunk that
        does not complete what the name says; ``BehindError(DEVICE_UNKNOWN)`` while we know no such device.
        """
        # SPEC ATT-6: a name has 32 bytes, a chunk at most 128 KiB and its frame, a blob at most 800 of them.
        expect(call.blob, 32, "the name of a blob")
        if not 0 < len(call.data) <= MOST_CHUNK or call.index >= MOST_CHUNKS:
            raise MalformedError("a chunk, or a number of chunks, beyond its limit", Reason.TOO_LARGE)
        blob = _load(draft, call.blob) or self._begin(draft, sender, now)
        if call.index < blob.chunks:
            return self._again(draft, blob, call)
        # SPEC ATT-8: only the device that began a blob adds to it.
        if blob.owner != sender.place():
            raise RefusedError(Reason.PERMISSION_DENIED, "another device is sending this")
        if call.index > blob.chunks or blob.whole:
            return blob.stored
        self._spend(draft, sender, len(call.data), now)
        name = extend_name(blob.name, call.data, last=call.last)
        # SPEC ATT-9: a blob is whole when it is what its name says, and is never changed then.
        if call.last and name != call.blob:
            raise RefusedError(Reason.ATTACHMENT_INVALID, "not what its name commits to")
        draft.put(_chunk(call.blob, call.index), call.data)
        longer = replace(blob, chunks=blob.chunks + 1, name=name, whole=call.last)
        return self._keep(draft, call.blob, longer, now).stored

    def get(self, view: Read | Draft, call: GetChunk) -> Chunk:
        """A chunk of a whole blob. ``NOT_RETAINED``; ``NOT_FOUND`` behind its end."""
        blob = _load(view, call.blob)
        # SPEC ATT-11: what is not there as a whole, or not any more, is not handed out.
        if blob is None or not blob.whole:
            raise RefusedError(Reason.NOT_RETAINED, "no such attachment")
        data = view.get(_chunk(call.blob, call.index)) if call.index < blob.chunks else None
        if data is None:
            raise RefusedError(Reason.NOT_FOUND, f"the attachment has {blob.chunks} chunks")
        return Chunk(data)

    def purge(self, draft: Draft, now: Millis) -> None:
        """Forget a blob whose time is over: one in each tick, because one may have 800 chunks."""
        for key, _ in list(draft.scan(_DUE, limit=1)):
            name = key[-32:]
            blob = _load(draft, name)
            if blob is None or blob.due > now:
                continue
            for index in range(blob.chunks):
                draft.delete(_chunk(name, index))
            for gone in (key, _BLOB + name, _OPEN + blob.owner + name):
                draft.delete(gone)

    def _begin(self, draft: Draft, sender: Sender, now: Millis) -> Blob:
        devices = self.ledger.device_list(draft, sender.account)
        if devices is None:
            raise BehindError(Reason.DEVICE_UNKNOWN, "the account has no logged device list")
        devices.device(sender.device)
        # SPEC ATT-10: a device has only so many unfinished blobs, and so many new bytes in a day.
        if sum(1 for _ in draft.scan(_OPEN + sender.place())) >= self.terms.unfinished:
            raise RefusedError(Reason.RATE_LIMITED, "too many attachments are unfinished")
        return Blob(sender.place(), 0, NAMELESS, whole=False, due=now + self.terms.keep_unfinished)

    def _again(self, draft: Draft, blob: Blob, call: PutChunk) -> ChunkStored:
        # SPEC ATT-7: a chunk is written once; the same again is answered, another is refused.
        ends = blob.whole and call.index + 1 == blob.chunks
        if draft.get(_chunk(call.blob, call.index)) != call.data or call.last != ends:
            raise RefusedError(Reason.IDEMPOTENCY_CONFLICT, "a chunk is written once")
        return blob.stored

    def _keep(self, draft: Draft, name: bytes, blob: Blob, now: Millis) -> Blob:
        if blob.chunks == 1:
            draft.put(_OPEN + blob.owner + name, b"")
        if blob.whole:
            draft.delete(_OPEN + blob.owner + name)
            draft.delete(_due(blob, name))
            blob = replace(blob, due=now + self.terms.keep)
        draft.put(_due(blob, name), b"")
        draft.put(_BLOB + name, pack(blob))
        return blob

    def _spend(self, draft: Draft, sender: Sender, size: int, now: Millis) -> None:
        day = u64(now // _DAY)
        seen = draft.get(_SPENT + sender.place()) or b""
        spent = number(seen[8:]) if seen[:8] == day else 0
        if spent + size > self.terms.bytes_a_day:
            raise RefusedError(Reason.RATE_LIMITED, "too many bytes of attachments in one day")
        draft.put(_SPENT + sender.place(), day + u64(spent + size))


def _load(view: Read | Draft, name: bytes) -> Blob | None:
    data = view.get(_BLOB + name)
    return None if data is None else unpack(data, Blob)


def _chunk(name: bytes, index: int) -> bytes:
    return _CHUNK + name + u32(index)


def _due(blob: Blob, name: bytes) -> bytes:
    return _DUE + u64(blob.due) + name
