"""The Store port over one SQLite file: WAL, ``synchronous = FULL``, one writer, natural group commit.

Everything that is queued while the last transaction was being made durable goes into the next one, so the
price of an fsync is shared by as many steps as wait for it, and nobody waits for a timer. All bookkeeping
happens on the event loop; the worker thread sees one batch at a time and touches nothing but the file.
"""

import asyncio
import sqlite3
from asyncio import AbstractEventLoop, Future
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, final

from escrow.errors import Reason, UnavailableError
from escrow.roles.machine import Writes
from escrow.store.overlay import Overlay
from escrow.store.port import Query, Step
from escrow.store.schema import empty_journal, open_database, translated

R = TypeVar("R")
_PAGE = 256


@dataclass(frozen=True, slots=True)
class _Queued:
    """A step and the future that its caller awaits."""

    step: Step[Any]
    future: Future[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A result, or what was raised instead."""

    result: Any = None
    error: Exception | None = None


@final
class SqliteStore:
    """One role's state in one file. Use it from one event loop at a time.

    ``executor`` may be shared by many stores; it decides how many files are written at once. Without one the
    store has a thread of its own. Opening raises what ``escrow.store.schema.open_database`` raises.
    """

    def __init__(self, path: Path, *, executor: Executor | None = None) -> None:
        self._path = path
        self._database = open_database(path)
        self._own = None if executor else ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"store-{path.stem}")
        self._queue: list[_Queued] = []
        self._followers: set[tuple[str, Future[None]]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._executor = executor or self._own

    async def commit(self, step: Step[R]) -> R:
        """See ``Store.commit``. ``UnavailableError`` when the file cannot be written: then nothing was."""
        if self._closed:
            raise self._closed_error()
        loop = asyncio.get_running_loop()
        queued = _Queued(step, loop.create_future())
        self._queue.append(queued)
        if self._idle.is_set():
            self._idle.clear()
            # One turn later, so that whatever else is queued in this turn shares the transaction.
            loop.call_soon(self._start, loop)
        result: R = await queued.future
        return result

    async def read(self, query: Query[R]) -> R:
        """See ``Store.read``. Between two batches nobody else touches the file, so no thread has to be asked."""
        if self._closed or not self._idle.is_set():
            return await self.commit(lambda view: (Writes(), query(view)))
        try:
            return query(Overlay(self._database))
        except sqlite3.Error as error:
            raise translated(error, self._path) from error

    async def follow(self, stream: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
        """See ``Store.follow``. Ends with ``UnavailableError`` when the store is closed."""
        while True:
            # Waiting begins before reading, so that a record that lands between the two wakes us.
            waiting = stream, asyncio.get_running_loop().create_future()
            self._followers.add(waiting)
            try:
                start = after
                page = await self.read(lambda view: view.records(stream, start=start, limit=_PAGE))  # noqa: B023 - runs before the loop goes on
                if not page:
                    await waiting[1]
            finally:
                self._followers.discard(waiting)
            for record in page:
                yield after, record
                after += 1

    async def close(self) -> None:
        """See ``Store.close``. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        await self._idle.wait()
        for _, woken in self._followers:
            if not woken.done():
                woken.set_exception(self._closed_error())
        await asyncio.get_running_loop().run_in_executor(self._executor, self._database.close)
        if self._own:
            self._own.shutdown()

    # -- on the event loop ----------------------------------------------------------------------

    def _start(self, loop: AbstractEventLoop) -> None:
        batch, self._queue = self._queue, []
        assert self._executor is not None
        self._executor.submit(self._work, loop, batch)

    def _deliver(
        self, loop: AbstractEventLoop, batch: Sequence[_Queued], outcomes: Sequence[_Outcome], grown: frozenset[str]
    ) -> None:
        if self._queue:
            self._start(loop)
        else:
            self._idle.set()
        for queued, outcome in zip(batch, outcomes, strict=True):
            if queued.future.done():
                continue  # its caller was cancelled; the step counts all the same
            if outcome.error is None:
                queued.future.set_result(outcome.result)
            else:
                queued.future.set_exception(outcome.error)
        for stream, woken in self._followers:
            if stream in grown and not woken.done():
                woken.set_result(None)

    def _closed_error(self) -> UnavailableError:
        return UnavailableError(Reason.STORE_UNAVAILABLE, f"{self._path.name} is closed")

    # -- on the worker thread -------------------------------------------------------------------

    def _work(self, loop: AbstractEventLoop, batch: Sequence[_Queued]) -> None:
        outcomes, grown = self._transact(batch)
        # One wake-up for the whole batch: a wake-up for each step would cost more than the steps.
        loop.call_soon_threadsafe(self._deliver, loop, batch, outcomes, grown)

    def _transact(self, batch: Sequence[_Queued]) -> tuple[list[_Outcome], frozenset[str]]:
        try:
            self._database.execute("BEGIN")
            overlay = Overlay(self._database)
            outcomes = [_run(queued.step, overlay) for queued in batch]
            overlay.write()
            # The commit point. A crash before it leaves the old state; nobody has seen a result yet. When
            # nothing was written, this ends a read transaction and touches no disk.
            self._database.execute("COMMIT")
            if overlay.scrub:
                # A crash before this is made good by the next start, so whoever sees a result may rely on it.
                empty_journal(self._database)
            return outcomes, overlay.grown()
        except Exception as error:  # noqa: BLE001 - every caller of this batch must hear of it
            with suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            # Steps that failed by themselves may have failed because of a neighbour that is now undone.
            return [_Outcome(error=self._failure(error)) for _ in batch], frozenset()

    def _failure(self, error: Exception) -> Exception:
        return translated(error, self._path) if isinstance(error, sqlite3.Error) else error


def _run(step: Step[Any], overlay: Overlay) -> _Outcome:
    """Run one step on the batch so far. Its error is its caller's alone, unless the file itself failed."""
    try:
        writes, result = step(overlay)
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 - a bug in one step must not take its neighbours along
        return _Outcome(error=error)
    overlay.add(writes)
    return _Outcome(result)
