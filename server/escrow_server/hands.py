"""Many jobs at once, one on each core: what a custodian gets to make its shares with.

Threads are enough, for nearly all of a share is spent inside libsodium, which lets go of the interpreter meanwhile. And
a share key that never leaves its process is one thing less to protect.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, final

R = TypeVar("R")

FEW: Final = 8
"""Jobs that are done before others could be asked to."""


@final
class Hands:
    """See ``escrow.roles.together.Together``. Threads begin with the first jobs, and end with the process."""

    def __init__(self, count: int | None = None) -> None:
        self._count = count or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._count, "hands")

    def __call__(self, jobs: Sequence[Callable[[], R]]) -> list[R]:
        """Each hand takes a run of the jobs. Every run ends before an error of one is raised, that of the first."""
        if len(jobs) < FEW or self._count == 1:
            return [job() for job in jobs]
        size = -(-len(jobs) // self._count)
        runs = [self._pool.submit(_run, jobs[at : at + size]) for at in range(0, len(jobs), size)]
        failures = [failure for failure in [run.exception() for run in runs] if failure is not None]
        if failures:
            raise failures[0]
        return [result for run in runs for result in run.result()]


def _run(jobs: Sequence[Callable[[], R]]) -> list[R]:
    return [job() for job in jobs]
