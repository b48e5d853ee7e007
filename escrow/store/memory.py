"""The Store port over dictionaries: for the World, which runs everything in one thread.

Nothing here waits, so a coroutine over this store never suspends (except in ``follow`` at the end of a stream).
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

from escrow.errors import Reason, UnavailableError
from escrow.roles.machine import Writes
from escrow.store.port import Query, Step

R = TypeVar("R")


class MemoryStore:
    """State that lives as long as this object. ``snapshot`` and ``restore`` model theft and rolled-back disks."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []
        self._streams: dict[str, list[bytes]] = {}
        self.commits = 0

    # -- the view a step reads ----------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """See ``Read.get``."""
        return self._values.get(key)

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = 1 << 30) -> Iterator[tuple[bytes, bytes]]:
        """See ``Read.scan``."""
        at = bisect_right(self._keys, after) if after >= prefix else bisect_left(self._keys, prefix)
        for place in range(at, min(at + limit, len(self._keys))):
            key = self._keys[place]
            if not key.startswith(prefix):
                return
            yield key, self._values[key]

    def last(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """See ``Read.last``."""
        at = bisect_right(self._keys, prefix + b"\xff" * 64) - 1
        if at >= 0 and self._keys[at].startswith(prefix):
            return self._keys[at], self._values[self._keys[at]]
        return None

    def length(self, stream: str) -> int:
        """See ``Read.length``."""
        return len(self._streams.get(stream, ()))

    def records(self, stream: str, *, start: int, limit: int) -> list[bytes]:
        """See ``Read.records``."""
        return self._streams.get(stream, [])[start : start + limit]

    # -- the port -----------------------------------------------------------------------------

    async def commit(self, step: Step[R]) -> R:
        """See ``Store.commit``."""
        writes, result = step(self)
        self._apply(writes)
        self.commits += 1
        return result

    async def read(self, query: Query[R]) -> R:
        """See ``Store.read``."""
        return query(self)

    async def follow(self, stream: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
        """See ``Store.follow``; at the end of the stream it says so instead of waiting for ever."""
        while after < self.length(stream):
            yield after, self._streams[stream][after]
            after += 1
        raise UnavailableError(Reason.UNAVAILABLE, f"nothing more in {stream}")

    async def close(self) -> None:
        """See ``Store.close``."""

    # -- for adversaries ----------------------------------------------------------------------

    def snapshot(self) -> tuple[dict[bytes, bytes], dict[str, list[bytes]]]:
        """A copy of everything, as a thief or a backup would have it."""
        return dict(self._values), {name: list(records) for name, records in self._streams.items()}

    def restore(self, snapshot: tuple[dict[bytes, bytes], dict[str, list[bytes]]]) -> None:
        """Put a copy back, as a restored backup does."""
        values, streams = snapshot
        self._values = dict(values)
        self._keys = sorted(self._values)
        self._streams = {name: list(records) for name, records in streams.items()}

    def _apply(self, writes: Writes) -> None:
        for key, value in writes.puts.items():
            known = key in self._values
            if value is None:
                if known:
                    del self._values[key]
                    del self._keys[bisect_right(self._keys, key) - 1]
            else:
                if not known:
                    insort(self._keys, key)
                self._values[key] = value
        for stream, record in writes.appends:
            self._streams.setdefault(stream, []).append(record)
