"""What the steps of one group commit see: the tables, with the writes of the steps before them on top.

Nothing here writes to the file. The steps of a batch run one after the other in the order in which they were
queued, each on the result of the one before; what they leave is written by one transaction afterwards.
"""

import sqlite3
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import groupby, islice
from operator import itemgetter

from escrow.roles.machine import Writes

_LIMIT = (1 << 63) - 1
_STREAM = itemgetter(0)


class Overlay:
    """A ``Read`` over an open transaction plus pending writes. Lives as long as the transaction."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._puts: dict[bytes, bytes | None] = {}
        self._keys: list[bytes] = []
        self._stored: dict[str, int] = {}
        self._appends: dict[str, list[bytes]] = {}
        self.scrub = False
        """Whether a step of this batch asks for ``Writes.scrub``."""

    # -- what a step reads ----------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """See ``Read.get``."""
        if key in self._puts:
            return self._puts[key]
        row = self._database.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = _LIMIT) -> Iterator[tuple[bytes, bytes]]:
        """See ``Read.scan``. Reads as far as it is consumed."""
        pending = self._pending(prefix, after)
        if not pending:
            return self._rows(prefix, after, limit)
        return islice(self._merged(pending, self._rows(prefix, after, _LIMIT)), limit)

    def last(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """See ``Read.last``."""
        end = _end(prefix)
        found: tuple[bytes, bytes] | None = None
        for key, value in self._descending(prefix, end):
            if key not in self._puts:
                found = key, value
                break
        for key in reversed(self._pending(prefix, None)):
            value_or_none = self._puts[key]
            if value_or_none is not None:
                return max(found, (key, value_or_none)) if found else (key, value_or_none)
        return found

    def length(self, stream: str) -> int:
        """See ``Read.length``."""
        return self._stored_length(stream) + len(self._appends.get(stream, ()))

    def records(self, stream: str, *, start: int, limit: int) -> list[bytes]:
        """See ``Read.records``."""
        query = "SELECT value FROM stream WHERE name = ? AND seq >= ? ORDER BY seq LIMIT ?"
        found = [value for (value,) in self._database.execute(query, (stream, start, limit))]
        pending = self._appends.get(stream, [])
        first = max(0, start - self._stored_length(stream)) if pending else 0
        return found + pending[first : first + limit - len(found)]

    # -- what the batch leaves ------------------------------------------------------------------

    def add(self, writes: Writes) -> None:
        """Put one step's writes on top."""
        for key, value in writes.puts.items():
            if key not in self._puts:
                insort(self._keys, key)
            self._puts[key] = value
        # One look-up for each run of records of one stream: a batch of log entries is a single run.
        for stream, run in groupby(writes.appends, _STREAM):
            self._appends.setdefault(stream, []).extend(record for _, record in run)
        self.scrub |= writes.scrub

    def grown(self) -> frozenset[str]:
        """The streams that got new records."""
        return frozenset(self._appends)

    def write(self) -> None:
        """Execute everything pending in the open transaction."""
        puts = [(key, value) for key, value in self._puts.items() if value is not None]
        gone = [(key,) for key, value in self._puts.items() if value is None]
        records = [
            (stream, place, record)
            for stream, pending in self._appends.items()
            for place, record in enumerate(pending, self._stored_length(stream))
        ]
        for statement, rows in (
            ("INSERT OR REPLACE INTO kv VALUES (?, ?)", puts),
            ("DELETE FROM kv WHERE key = ?", gone),
            ("INSERT INTO stream VALUES (?, ?, ?)", records),
        ):
            if rows:
                self._database.executemany(statement, rows)

    # -- ranges ---------------------------------------------------------------------------------

    def _pending(self, prefix: bytes, after: bytes | None) -> list[bytes]:
        low = bisect_left(self._keys, prefix) if after is None or after < prefix else bisect_right(self._keys, after)
        end = _end(prefix)
        return self._keys[low : len(self._keys) if end is None else bisect_left(self._keys, end)]

    def _rows(self, prefix: bytes, after: bytes, limit: int) -> Iterator[tuple[bytes, bytes]]:
        low, bound = ("key > ?", after) if after >= prefix else ("key >= ?", prefix)
        end = _end(prefix)
        high = "" if end is None else "AND key < ?"
        values = (bound, limit) if end is None else (bound, end, limit)
        query = f"SELECT key, value FROM kv WHERE {low} {high} ORDER BY key LIMIT ?"  # noqa: S608 - only constants
        return self._database.execute(query, values)

    def _descending(self, prefix: bytes, end: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        if end is None:
            return self._database.execute("SELECT key, value FROM kv WHERE key >= ? ORDER BY key DESC", (prefix,))
        query = "SELECT key, value FROM kv WHERE key >= ? AND key < ? ORDER BY key DESC"
        return self._database.execute(query, (prefix, end))

    def _merged(self, pending: list[bytes], rows: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
        place = 0
        for key, value in rows:
            while place < len(pending) and pending[place] < key:
                yield from self._present(pending[place])
                place += 1
            if key not in self._puts:
                yield key, value
        for mine in pending[place:]:
            yield from self._present(mine)

    def _present(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        value = self._puts[key]
        if value is not None:
            yield key, value

    def _stored_length(self, stream: str) -> int:
        if stream not in self._stored:
            query = "SELECT max(seq) + 1 FROM stream WHERE name = ?"
            (length,) = self._database.execute(query, (stream,)).fetchone()
            self._stored[stream] = length or 0
        return self._stored[stream]


def _end(prefix: bytes) -> bytes | None:
    """The least key behind every key with ``prefix``; None if there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
