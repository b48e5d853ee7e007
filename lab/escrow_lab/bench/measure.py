"""Timing contestants against each other, in slices so short that a busy machine hurts all of them alike.

CPU time of this process, not of the clock on the wall. What is measured stands in ``e2ee`` and ``escrow``, how it is
shown in ``report``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median, quantiles
from time import process_time_ns
from typing import Final, NamedTuple, Protocol, runtime_checkable

Step = Callable[[], object]


@runtime_checkable
class Elsewhere(Protocol):
    """A step that another process takes, which counts its own CPU time."""

    def spend(self, count: int) -> int:
        """Take so many steps; return their nanoseconds."""
        ...


Contestant = Step | Elsewhere


class Effort(NamedTuple):
    """``rounds`` values of each contestant, each the sum of ``slices`` slices of about ``slice_ns``.

    A slice has ``least`` steps or more: right after another contestant's, a step finds the caches of the processor full
    of other things, and a program in Python suffers more from that than a call of a library.
    """

    rounds: int
    slices: int
    slice_ns: int
    least: int


FULL: Final = Effort(9, 10, 4_000_000, 12)
QUICK: Final = Effort(3, 2, 300_000, 1)
LONG: Final = Effort(9, 2, 4_000_000, 2)
"""For steps that take longer than a slice."""


@dataclass(frozen=True)
class Contest:
    """One case, ready to run. A step does the work of ``per`` messages. ``missing`` peers are not installed.

    ``floors`` are other bounds than the limit, by name. ``beyond`` names the peer that ours and the limit both contain.
    """

    ours: Step
    limit: Step
    peers: Mapping[str, Contestant] = field(default_factory=dict)
    missing: Iterable[str] = ()
    per: int = 1
    floors: Mapping[str, Step] = field(default_factory=dict)
    beyond: str = ""


@dataclass(frozen=True)
class Figure:
    """Medians over the rounds, in ``unit``. ``spread`` is the interquartile range of ours over its median."""

    case: str
    unit: str
    ours: float
    limit: float
    peers: Mapping[str, float]
    missing: tuple[str, ...]
    rounds: int
    spread: float
    also: Mapping[str, int] = field(default_factory=dict)
    """What else was counted, by name."""
    floors: Mapping[str, float] = field(default_factory=dict)
    beyond: str = ""


def contend(case: str, contest: Contest, effort: Effort) -> Figure:
    """Run a contest; µs per message."""
    runners: dict[str, Contestant] = {"ours": contest.ours, "limit": contest.limit, **contest.peers, **contest.floors}
    counts = {name: _calibrated(step, effort) for name, step in runners.items()}
    values: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(effort.rounds):
        spent = dict.fromkeys(runners, 0)
        for _ in range(effort.slices):
            for name, step in runners.items():
                spent[name] += _time(step, counts[name])
        for name, taken in spent.items():
            values[name].append(taken / (counts[name] * effort.slices * contest.per) / 1000)
    middle = {name: median(each) for name, each in values.items()}
    ours, limit = middle["ours"], middle["limit"]
    peers, floors = ({name: middle[name] for name in these} for these in (contest.peers, contest.floors))
    lower, _, upper = quantiles(values["ours"], n=4)
    missing, spread = tuple(contest.missing), (upper - lower) / ours
    measured = case, "us", ours, limit, peers, missing, effort.rounds, spread
    return Figure(*measured, floors=floors, beyond=contest.beyond)


def _time(step: Contestant, count: int) -> int:
    if isinstance(step, Elsewhere):
        return step.spend(count)
    begun = process_time_ns()
    for _ in range(count):
        step()
    return process_time_ns() - begun


def _calibrated(step: Contestant, effort: Effort) -> int:
    """How many steps fill a slice, after a few to warm up."""
    _time(step, 3)
    return max(effort.least, effort.slice_ns * 3 // max(1, _time(step, 3)))
