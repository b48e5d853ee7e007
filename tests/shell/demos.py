"""Demos as processes of their own, for tests: their events one by one, their parts, and what they leave behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

COMMAND = [sys.executable, "-c", "from escrow.cli import main; main()", "demo", "--json"]
GONE_WITHIN = 10.0
LONG = 120.0

Event = dict[str, Any]


class Demo:
    """One run of ``doublelock demo --json``; its temporary files go into ``folder``."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self._said = folder / "stderr"
        with self._said.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*COMMAND, *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )
        self.events: list[Event] = []
        self.pids: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def until(self, event: str, **facts: object) -> Event:
        """Read on to an event with these facts."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            row: Event = json.loads(line)
            self.events.append(row)
            if row["event"] == "started":
                self.pids = dict(row["pids"])
            elif row["event"] == "restarted":
                self.pids[row["party"]] = row["pid"]
            if row["event"] == event and facts.items() <= row.items():
                return row
        raise AssertionError(f"no {event} {facts} before the end: {self.said}")

    def kill(self, party: str) -> None:
        """End a part as a power cut does."""
        os.kill(self.pids[party], signal.SIGKILL)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The demo itself stands still; its parts run on."""
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)

    def end(self) -> int:
        """Read to the end; return the exit code."""
        assert self.process.stdout is not None
        self.events += [json.loads(line) for line in self.process.stdout]
        return self.process.wait(LONG)

    @property
    def said(self) -> str:
        """What it told people."""
        return self._said.read_text(encoding="utf-8")

    def parts(self) -> list[int]:
        """Process ids of its parts that run, whoever their parent is by now."""
        return [pid for pid, command in _commands() if str(self.temporary) in command and "serve" in command]


def eventually(holds: Callable[[], bool], within: float = GONE_WITHIN) -> bool:
    """Whether something comes true in time."""
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def command_line(pid: int) -> list[str]:
    """With which words a process was started."""
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0")


def _commands() -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield int(folder.name), (folder / "cmdline").read_text(encoding="utf-8")
            except OSError:
                continue  # gone since
