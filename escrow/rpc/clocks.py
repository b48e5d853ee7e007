"""The two clocks of a deployment: the machine's, and one that a laboratory moves by hand."""

import mmap
import time
from pathlib import Path
from typing import Final, Self, final

from escrow.encoding import number, u64
from escrow.errors import Reason, UnavailableError
from escrow.ids import Millis
from escrow.rpc.files import write

_WIDTH: Final = 8


def system_clock() -> Millis:
    """Milliseconds since the Unix epoch."""
    return Millis(time.time_ns() // 1_000_000)


@final
class LabClock:
    """One number in a file that all processes of a laboratory map into memory. It only moves forward.

    Eight aligned bytes are read and written in one piece by the processors we run on; one process moves the clock,
    the others look.
    """

    def __init__(self, path: Path) -> None:
        """Raise ``UnavailableError`` if ``path`` holds no clock."""
        try:
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), _WIDTH)
        except (OSError, ValueError) as error:
            raise UnavailableError(Reason.UNAVAILABLE, f"there is no lab clock in {path}") from error

    @classmethod
    def make(cls, path: Path, start: int) -> Self:
        """A clock that stands at ``start`` (ms)."""
        write(path, u64(start))
        return cls(path)

    def __call__(self) -> Millis:
        """What the clock shows."""
        return Millis(number(self._map[:_WIDTH]))

    def advance_to(self, when: int) -> None:
        """Move forward to ``when`` (ms); a clock that would go back is a bug of the caller."""
        if when < self():
            raise AssertionError(f"the clock would go back from {self()} to {when}")
        self._map[:_WIDTH] = u64(when)
