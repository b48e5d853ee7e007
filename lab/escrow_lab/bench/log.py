"""The cases of ``doublelock bench log``: entries made durable under a signed root, and proofs out of large logs.

Ours is the code that a served log runs, over its store: one SQLite file with ``synchronous = FULL``. The limit is the
hashing that nobody can avoid, or as many look-ups as a proof has nodes.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from escrow_lab.bench import floor, peers
from escrow_lab.bench.logs import BATCH, TURNS, Bare, Logged, Proofs, Pymerkle, Tree, batch, hashing, look_ups, turns
from escrow_lab.bench.measure import Contest, Effort, Figure, contend

FULL: Final = Effort(9, 3, 12_000_000, 1)
QUICK: Final = Effort(3, 1, 1, 1)
"""Few commits a slice: what a log does at once takes longer than a message."""

PEER: Final = "pymerkle"
_BATCHES: Final = 200
"""Batches of signed entries that are made in advance: more than the case uses."""


def figures(*, quick: bool = False) -> Iterator[Figure]:
    """Every case, one after the other. With ``quick`` small logs, and only long enough to see that all of them run."""
    effort = QUICK if quick else FULL
    for case in CASES:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            runner = stack.enter_context(asyncio.Runner())
            yield contend(case, CASES[case](folder, runner, quick), effort)


def _append(size: int, folder: Path, runner: asyncio.Runner) -> Contest:
    entries = batch(size)
    there = {PEER: turns(Pymerkle(folder).appending(entries))} if peers.installed(PEER) else {}
    missing = [] if there else [PEER]
    floors = {"durable": turns(Bare(folder).appending(entries))}
    ours = Tree(folder, runner).appending(entries)
    return Contest(ours, turns(hashing(entries)), there, missing, TURNS * size, floors)


def _logged(size: int, folder: Path, runner: asyncio.Runner) -> Contest:
    ours = Logged(folder, runner, _BATCHES, size).append
    limit = floor.both(hashing(batch(size)), *size * [floor.check])
    return Contest(ours, turns(limit), per=TURNS * size)


def _leaves(size: int, quick: bool) -> int:  # noqa: FBT001 - what the option says
    return size // 1_000 if quick else size


def _inclusion(size: int, folder: Path, runner: asyncio.Runner, *, peer: bool) -> Contest:
    there = {PEER: turns(Pymerkle(folder, size).inclusion)} if peer and peers.installed(PEER) else {}
    missing = [PEER] if peer and not there else []
    limit = look_ups((size - 1).bit_length())
    ours = Proofs(folder, runner, size).inclusion
    return Contest(ours, turns(limit), there, missing, per=TURNS)


Make = Callable[[Path, asyncio.Runner, bool], Contest]

CASES: Final[dict[str, Make]] = {
    "append-256-durable": lambda folder, runner, _: _append(BATCH, folder, runner),
    "append-256-logged": lambda folder, runner, quick: _logged(8 if quick else BATCH, folder, runner),
    "append-one": lambda folder, runner, _: _append(1, folder, runner),
    "inclusion-1e5": lambda folder, runner, quick: _inclusion(_leaves(100_000, quick), folder, runner, peer=True),
    "inclusion-1e6": lambda folder, runner, quick: _inclusion(_leaves(1_000_000, quick), folder, runner, peer=False),
}
"""By name, in the order of the report."""
