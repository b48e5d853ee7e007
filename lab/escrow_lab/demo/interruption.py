"""Ending in order when told to: the first signal cancels the run, later ones do not disturb the clearing away."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, Final, Self, TypeVar

R = TypeVar("R")

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Holds the signals that ask a program to end, as a context manager around everything that must be cleared away."""

    def __init__(self) -> None:
        self._caught: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._cancel: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        for number in SIGNALS:
            # Whoever started us under nohup wants us to outlive the terminal.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._catch)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def run(self, job: Coroutine[Any, Any, R]) -> R | signal.Signals:
        """Run ``job`` in an event loop of its own; return its result, or the signal that ended it."""
        try:
            result = asyncio.run(self._cancellable(job))
        except asyncio.CancelledError:
            if self._caught is None:
                raise
            return self._caught
        return result

    async def _cancellable(self, job: Coroutine[Any, Any, R]) -> R:
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(job)
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            if self._caught is not None:
                task.cancel()
            return await task
        finally:
            self._cancel = lambda: None

    def _catch(self, number: int, _frame: FrameType | None) -> None:
        if self._caught is None:
            self._caught = signal.Signals(number)
            self._cancel()
