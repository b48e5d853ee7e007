"""A store whose values nobody reads or exchanges without its key: an adapter around any other store.

Every value and every record of a stream is sealed with XChaCha20-Poly1305 under one data key and a random nonce of 24
bytes, bound to the key or to the stream and number under which it lies: what was put in another place does not open.

In sight of a thief remain the *names* of the keys, because the port sorts and scans them, and how many values there
are, how long, and which of them change. Not noticed are a value that was deleted, or exchanged for an earlier one of
the same name, and a whole store that was put back. Roles are built to survive the last, but nobody tells them.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Final, TypeVar, final

from escrow.crypto import aead
from escrow.encoding import u64
from escrow.errors import IntegrityError, Reason, RefusedError
from escrow.roles.machine import Read, Writes
from escrow.secret import Secret
from escrow.store.port import Query, Step, Store
from escrow.tags import T, Tag

R = TypeVar("R")

VALUES: Final = b"v/"
"""Stands before every key in the inner store, so that no key of a role is ever taken for the keyring's."""
_NONCE: Final = 24


@final
class Seal:
    """Seals and opens for one store. ``name`` is what a refusal calls the store."""

    __slots__ = ("_key", "_name")

    def __init__(self, key: Secret, name: str) -> None:
        self._key = key
        self._name = name

    def value(self, key: bytes, value: bytes) -> bytes:
        """What lies under ``key``."""
        return self._seal(value, _bound_to_key(key))

    def record(self, stream: str, place: int, record: bytes) -> bytes:
        """What lies in ``stream`` as number ``place``."""
        return self._seal(record, _bound_to_place(stream, place))

    def open_value(self, key: bytes, sealed: bytes) -> bytes:
        """Undo ``value``; ``IntegrityError(STORE_CORRUPT)`` naming the key."""
        return self._open(sealed, _bound_to_key(key), _shown(key))

    def open_record(self, stream: str, place: int, sealed: bytes) -> bytes:
        """Undo ``record``; ``IntegrityError(STORE_CORRUPT)`` naming the stream."""
        return self._open(sealed, _bound_to_place(stream, place), f"number {place} of {stream}")

    def _seal(self, plaintext: bytes, ad: bytes) -> bytes:
        # Drawn for each try, not derived from the step: a step that runs again may see another state.
        nonce = secrets.token_bytes(_NONCE)
        return nonce + aead.xseal(self._key.expose(), nonce, plaintext, ad)

    def _open(self, sealed: bytes, ad: bytes, place: str) -> bytes:
        try:
            return aead.xopen(self._key.expose(), sealed[:_NONCE].ljust(_NONCE), sealed[_NONCE:], ad)
        except RefusedError:
            raise IntegrityError(Reason.STORE_CORRUPT, f"{self._name}: {place}") from None


@final
class SealedView:
    """The ``Read`` of a sealed store: the inner view, opened on the way out."""

    __slots__ = ("_seal", "_view")

    def __init__(self, view: Read, seal: Seal) -> None:
        self._view = view
        self._seal = seal

    def get(self, key: bytes) -> bytes | None:
        """See ``Read.get``."""
        sealed = self._view.get(VALUES + key)
        return None if sealed is None else self._seal.open_value(key, sealed)

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = 1 << 30) -> Iterator[tuple[bytes, bytes]]:
        """See ``Read.scan``. Opens as far as it is consumed."""
        for place, sealed in self._view.scan(VALUES + prefix, after=VALUES + after, limit=limit):
            key = place[len(VALUES) :]
            yield key, self._seal.open_value(key, sealed)

    def last(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """See ``Read.last``."""
        found = self._view.last(VALUES + prefix)
        if found is None:
            return None
        key = found[0][len(VALUES) :]
        return key, self._seal.open_value(key, found[1])

    def length(self, stream: str) -> int:
        """See ``Read.length``."""
        return self._view.length(stream)

    def records(self, stream: str, *, start: int, limit: int) -> list[bytes]:
        """See ``Read.records``."""
        found = self._view.records(stream, start=start, limit=limit)
        return [self._seal.open_record(stream, place, sealed) for place, sealed in enumerate(found, start=start)]

    def sealed(self, writes: Writes) -> Writes:
        """What a step on this view has changed, as the inner store is to keep it."""
        puts = {
            VALUES + key: None if value is None else self._seal.value(key, value) for key, value in writes.puts.items()
        }
        following: dict[str, int] = {}
        appends = []
        for stream, record in writes.appends:
            place = following.get(stream) or self._view.length(stream)
            following[stream] = place + 1
            appends.append((stream, self._seal.record(stream, place, record)))
        return Writes(puts, tuple(appends), writes.scrub)


@final
class SealedStore:
    """``inner`` under the data key that ``escrow.store.keyring.unlock`` has found; ``name`` is for refusals.

    Nothing is opened before it is read, so damage is met where it matters: ``IntegrityError(STORE_CORRUPT)`` from the
    step or query that reads it, which then changes nothing.
    """

    def __init__(self, inner: Store, key: Secret, name: str = "store") -> None:
        self._inner = inner
        self._seal = Seal(key, name)

    async def commit(self, step: Step[R]) -> R:
        """See ``Store.commit``."""

        def sealed(view: Read) -> tuple[Writes, R]:
            opened = SealedView(view, self._seal)
            writes, result = step(opened)
            return opened.sealed(writes), result

        return await self._inner.commit(sealed)

    async def read(self, query: Query[R]) -> R:
        """See ``Store.read``."""
        return await self._inner.read(lambda view: query(SealedView(view, self._seal)))

    async def follow(self, stream: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
        """See ``Store.follow``."""
        async for place, sealed in self._inner.follow(stream, after):
            yield place, self._seal.open_record(stream, place, sealed)

    async def close(self) -> None:
        """See ``Store.close``."""
        await self._inner.close()


def _bound_to_key(key: bytes) -> bytes:
    return T(Tag.STORE_VALUE, key)


def _bound_to_place(stream: str, place: int) -> bytes:
    return T(Tag.STORE_RECORD, stream.encode(), u64(place))


def _shown(key: bytes) -> str:
    """A key for people: the word it begins with, and the rest in hexadecimal digits."""
    word, slash, rest = key.partition(b"/")
    return word.decode("ascii", "replace") + slash.decode() + rest.hex()
