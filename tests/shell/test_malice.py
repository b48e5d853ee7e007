"""Every known way to cheat in key generation, played by one process among honest ones, over gRPC.

One committee suffers all of it, run after run: each run names who cheated, and the last one makes the key.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from escrow.committee.dkg import SILENCE
from escrow.ids import Party
from escrow.roles.calls import Call, GetCommittee, GetUpdate
from escrow.rpc.clocks import LabClock
from escrow.rpc.home import Home
from escrow_lab.demo.process_stage import stolen
from escrow_lab.malice.deviations import DEVIATIONS
from escrow_lab.malice.verdicts import Verdict, verdicts
from escrow_server.deployment import ensure
from tests.shell.deployed import DAY, Deployed
from tests.shell.processes import Part
from tests.world.cheating import CHEAT, NAMED, TERMS, UNNAMED, holdings, opens, played

# One worker tells the story, in order.
pytestmark = pytest.mark.xdist_group("malice")

MANY = 10_000
WITHIN = 120.0


class Cheat(Part):
    """A custodian that plays all that is named, one a run, and then all the rest in one run."""

    def __init__(self, home: Home, index: int, period: int) -> None:
        plan = json.dumps({period: [*([name] for name in NAMED), UNNAMED]})
        options = ["--home", str(home.folder), "--index", str(index), "--plan", plan]
        self._command = [sys.executable, "-m", "escrow_lab.malice.serve", *options]
        self.restart()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployed, int]]:
    """A deployment in which custodian 2 cheats, and the period whose key it wants to spoil."""
    home = ensure(tmp_path_factory.mktemp("malice"), terms=TERMS, start=100 * DAY + DAY // 2)
    policy = home.genesis.policy
    period = policy.period_of(policy.epoch_of(LabClock(home.clock_path)()))
    with ExitStack() as stack:
        parts = [Part(home.folder, "log"), Part(home.folder, "witness", 1)]
        parts += [Cheat(home, CHEAT, period), Part(home.folder, "custodian", 1), Part(home.folder, "custodian", 3)]
        for part in parts:
            stack.callback(part.close)
        yield Deployed(home, {part.ready["party"]: part for part in parts}), period


@pytest.fixture(scope="module")
def log(told: tuple[Deployed, int]) -> list[bytes]:
    """All that was logged until every custodian had its share; where nothing moved any more, time has passed."""
    deployed, _ = told
    clock, end, size = LabClock(deployed.home.clock_path), time.monotonic() + WITHIN, -1
    asked: list[tuple[str, Call]] = [("log", GetUpdate(0, 0, MANY))]
    asked += [(party, GetCommittee()) for party in deployed.home.genesis.custodian_keys]
    while time.monotonic() < end:
        deployed.settle()
        update, *statuses = deployed._ask(asked)
        if all(status.generation for status in statuses):
            return list(update.entries)
        if len(update.entries) == size:
            # Not at once until others count as silent: whoever misses something has time to say so first.
            clock.advance_to(clock() + SILENCE // 2)
        size = len(update.entries)
    raise AssertionError("no committee key in time")


def test_each_run_names_the_cheat_for_what_it_did_and_nobody_else(told: tuple[Deployed, int], log: list[bytes]) -> None:
    deployed, period = told
    found = verdicts(deployed.home.genesis, period, log)
    expected = [Verdict(run, DEVIATIONS[name].ends, CHEAT) for run, name in enumerate(NAMED)]
    assert found == [*expected, Verdict(len(NAMED), None, None)]


def test_the_key_of_the_last_run_is_good(told: tuple[Deployed, int], log: list[bytes]) -> None:
    """All custodians have it alike, and any two of them open what is sealed to it: this ends their processes."""
    deployed, period = told
    assert log
    stores = {}
    for index, party in enumerate(deployed.home.genesis.custodian_keys, start=1):
        deployed.parts[party].close()
        stores[index] = asyncio.run(stolen(deployed.home, Party(party)))
    assert played(stores[CHEAT]) == len(NAMED) + 1
    held = holdings(deployed.home.genesis, period, stores)
    for pair in itertools.combinations(sorted(held), 2):
        assert opens(deployed.home.genesis, {index: held[index] for index in pair})
