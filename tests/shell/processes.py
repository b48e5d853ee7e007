"""Parts of a deployment as real processes, for tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

COMMAND = [sys.executable, "-c", "from escrow.cli import main; main()", "serve"]
PATIENCE = 30.0


class Part:
    """One running service."""

    def __init__(self, home: Path, part: str, index: int | None = None, *more: str, lab: bool = True) -> None:
        options = [*more] if index is None else [*more, "--index", str(index)]
        options += ["--lab"] if lab else []
        self._command = [*COMMAND, part, "--home", str(home), "--json", *options]
        self.restart()

    def restart(self) -> None:
        """Start it, as it was started the first time."""
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.ready: dict[str, str] = json.loads(line)
        self.address = self.ready["address"]

    def stop_hard(self) -> None:
        """End it without a word, as a power cut does."""
        self.process.kill()
        self.process.communicate()

    def stop(self, signal_number: int) -> tuple[int, str]:
        """Send a signal; return the exit code and what was said on stderr."""
        self.process.send_signal(signal_number)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextmanager
def running(home: Path, *parts: tuple[str, int | None]) -> Iterator[list[Part]]:
    """Several services of one deployment, one after the other."""
    with ExitStack() as stack:
        started = []
        for part, index in parts:
            started.append(Part(home, part, index))
            stack.callback(started[-1].close)
        yield started
