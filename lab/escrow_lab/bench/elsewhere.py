"""A peer that cannot be installed beside us, measured in an interpreter of its own.

pyUmbral demands a ``cryptography`` of years ago. DOUBLELOCK_BENCH_UMBRAL names a Python that has it; without that it is
missing like any other peer. It counts its own CPU time, in slices that we begin, so that it alternates with ours.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

VARIABLE: Final = "DOUBLELOCK_BENCH_UMBRAL"
CASES: Final = ("encrypt", "verify", "share", "verify-share", "request", "open-3", "open-67")
SCRIPT: Final = Path(__file__).with_name("umbral_steps.py")


class Remote:
    """One operation of the other process."""

    def __init__(self, process: "subprocess.Popen[str]", case: str) -> None:
        self._process = process
        self._case = case

    def spend(self, count: int) -> int:
        """See ``measure.Elsewhere``."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        print(self._case, count, file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


@contextmanager
def umbral() -> Iterator[dict[str, Remote] | None]:
    """pyUmbral's operations by the name of ours while it lives; None if no interpreter is named or it has no umbral."""
    python = os.environ.get(VARIABLE)
    if not python:
        yield None
        return
    command = [python, str(SCRIPT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            ready = process.stdout is not None and process.stdout.readline() == "ready\n"
            yield {case: Remote(process, case) for case in CASES} if ready else None
        finally:
            process.terminate()
