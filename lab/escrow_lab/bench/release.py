"""From the second lock's signature to plaintext, with real processes: one warrant after the other on the same messages.

Each is signed by the approver, sealed, logged, cosigned by the witnesses, followed by relay and custodians, asked for,
released by all of them, and opened. Where the time goes is told by the calls that the agency makes, one after the
other, and by what is left behind the last one: its own computation.
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from math import ceil
from os import urandom
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final, TypeVar, final

from escrow.errors import Reason, UnavailableError
from escrow.ids import Party
from escrow.node import Transport
from escrow.roles.calls import Call, Produce, Release, Reply
from escrow.roles.device.commands import Send, Sync
from escrow.roles.device.state import ESCROW
from escrow.rpc.home import Home
from escrow.world.founding import APPROVERS, HOUR, ISSUERS, Terms
from escrow.world.loop import complete
from escrow.world.world import World
from escrow_lab.bench import following
from escrow_lab.bench.keymaking import nobody_dies
from escrow_lab.bench.measure import Figure
from escrow_lab.demo import warrants
from escrow_lab.demo.fleet import Fleet
from escrow_lab.demo.messages import account_of
from escrow_lab.demo.process_stage import ProcessStage
from escrow_lab.demo.stage import Stage
from escrow_lab.demo.world_stage import WorldStage
from escrow_server.deployment import ensure

R = TypeVar("R")
MESSAGES: Final = 1000
WARRANTS: Final = 21
OFFICE: Final = "bench"
TERMS: Final = Terms(activation_delay_s=0)
PHASES: Final = {Produce: "produced", Release: "released"}
SECOND: Final = 1000
PATIENCE: Final = 200
"""How often the agency asks again, while the seal is on its way."""


@final
class Stopwatch(Transport):
    """A transport that adds up from the first to the last call of each kind, in seconds."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.spans: dict[str, tuple[float, float]] = {}

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        """See ``Transport.call``."""
        begun = perf_counter()
        try:
            return await self._inner.call(origin, to, call)
        finally:
            name = PHASES.get(type(call), "sealed")
            first, _ = self.spans.get(name, (begun, begun))
            self.spans[name] = first, perf_counter()

    async def together(self, jobs: Sequence[Awaitable[R]]) -> list[R]:
        """See ``Transport.together``."""
        return await self._inner.together(jobs)


class _Watched(ProcessStage):
    """A stage whose agencies are timed."""

    def __init__(self, home: Home, people: Path) -> None:
        super().__init__(home, people)
        self.watches: dict[str, Stopwatch] = {}

    def _transport(self, origin: str) -> Transport:
        inner = super()._transport(origin)
        return self.watches.setdefault(origin, Stopwatch(inner)) if origin.startswith("agency/") else inner


def figures(*, quick: bool = False) -> Iterator[Figure]:
    """Seconds until everything is opened: the 95th percentile of the warrants, and the phases of the median one."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    messages, count = (10, 2) if quick else (MESSAGES, WARRANTS)
    least = _computing(messages) / (os.cpu_count() or 1)
    with tempfile.TemporaryDirectory(prefix="doublelock-", ignore_cleanup_errors=True) as folder:
        runs = asyncio.run(_runs(ensure(Path(folder), terms=TERMS), messages, count))
    ordered = sorted(runs, key=lambda run: run["all"])
    p95, middle = ordered[ceil(0.95 * count) - 1]["all"], ordered[count // 2]
    spread = (ordered[-1]["all"] - ordered[0]["all"]) / median(run["all"] for run in runs)
    phases = {f"ms {name}": round(1000 * seconds) for name, seconds in middle.items() if name != "all"}
    yield Figure(f"warrant-to-plaintext-{messages}", "s", p95, least, {}, (), count, spread, phases)
    yield following.figure(quick=quick)


def _computing(messages: int) -> float:
    """Seconds of CPU of all parties together, for one warrant, in the one thread of a World."""
    stage = WorldStage(World(urandom(32), TERMS))
    complete(_prepare(stage, messages))
    application = complete(_issued(stage))
    begun = process_time()
    complete(_until_opened(stage, application, messages))
    return process_time() - begun


async def _runs(home: Home, messages: int, count: int) -> list[dict[str, float]]:
    witnesses = [Party(f"witness/{index}") for index in range(1, len(home.genesis.witnesses) + 1)]
    parts = [Party("log"), *witnesses, Party("relay"), Party("authority"), *map(Party, home.genesis.custodian_keys)]
    fleet, stage = Fleet(home, parts, nobody_dies, nobody_dies), _Watched(home, home.folder / "people")
    try:
        await fleet.start()
        await _prepare(stage, messages)
        return [await _timed(stage, messages) for _ in range(count)]
    finally:
        await stage.close()
        await fleet.stop()


async def _prepare(stage: Stage, messages: int) -> None:
    """Alice has written to Bob, and the relay's receipts are in the log."""
    await stage.committee()
    await stage.register(["alice", "bob"])
    alice = stage.device("alice")
    for number in range(messages):
        await alice.run(Send("bob", ESCROW, f"message {number}"))
    await alice.run(Sync())
    await stage.advance_to(stage.now + stage.genesis.policy.ingest_cadence + HOUR)
    await stage.settle()


async def _issued(stage: Stage) -> warrants.Application:
    """A warrant on everything that Alice has sent, under its first lock."""
    # Witnesses say their time in whole seconds.
    account, now = await account_of(stage.device("alice")), stage.now // SECOND * SECOND
    window = max(0, now - stage.genesis.policy.limits.max_window // 2), now
    terms = warrants.Terms(account, window, now, now + 24 * HOUR)
    application = await warrants.apply(stage, OFFICE, terms)
    await warrants.sign(stage, application, "issuer", ISSUERS[0])
    return application


async def _until_opened(stage: Stage, application: warrants.Application, messages: int) -> None:
    await warrants.sign(stage, application, "approver", APPROVERS[0])
    for _ in range(PATIENCE):
        report = await warrants.execute(stage, OFFICE, application.warrant_id)
        if report.opened == messages:
            return
    raise UnavailableError(Reason.UNAVAILABLE, f"not all of {messages} messages were opened")


async def _timed(stage: _Watched, messages: int) -> dict[str, float]:
    application = await _issued(stage)
    watch = stage.watches[f"agency/{OFFICE}"]
    watch.spans.clear()
    begun = perf_counter()
    await _until_opened(stage, application, messages)
    ended = perf_counter()
    spans = Counter({name: last - first for name, (first, last) in watch.spans.items() if name != "sealed"})
    first = min(first for name, (first, _) in watch.spans.items() if name == "produced")
    last = watch.spans["released"][1]
    return {"all": ended - begun, "sealed": first - begun, **spans, "opened": ended - last}
