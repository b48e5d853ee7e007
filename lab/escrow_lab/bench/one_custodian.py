"""One custodian releases thousands of capsules over gRPC: a process of its own, with the log's and the witnesses'.

A World tells the story up to there, since nobody waits there for a disk: people write, a warrant gets both locks and
its seal, the relay produces what it covers, the agency writes its requests, and no custodian is in reach. Then the
parties that matter go on as processes, each with what it had stored, and the custodian is asked.

What it takes at least is, for each capsule once, what a custodian has to compute for it: the check, the share and its
proof, on one processor. A custodian does more: it decides twice, before its intent is in the log and behind it, and
each time it checks two signatures, two paths and the capsule.
"""

import asyncio
import os
import tempfile
from collections.abc import Sequence
from os import urandom
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

from escrow.cli.keys import Keys
from escrow.crypto.suites import SUITES
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.agency.commands import Execute
from escrow.roles.agency.state import all_asked, load_case
from escrow.roles.calls import Release
from escrow.roles.device.commands import Send
from escrow.roles.device.state import ESCROW
from escrow.roles.machine import Writes
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.home import Home
from escrow.secret import Secret
from escrow.store.keyring import unlock
from escrow.store.memory import MemoryStore
from escrow.store.port import Store
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from escrow.warrant.policy import SchemeName
from escrow.warrant.request import sign_request
from escrow.world.founding import APPROVERS, HOUR, ISSUERS, MINUTE, Terms
from escrow.world.loop import complete
from escrow.world.world import World
from escrow_lab.bench.custody import dealt
from escrow_lab.bench.measure import Figure
from escrow_lab.demo import warrants
from escrow_lab.demo.fleet import Fleet
from escrow_lab.demo.world_stage import WorldStage
from escrow_server.deployment import ensure

CAPSULES: Final = 10_000
IN_FLIGHT: Final = 2
"""Requests that wait for an answer at the same time: while one's intent is on its way, another is decided."""
PATIENCE: Final = 120.0
OFFICE: Final = "bench-agency"
CUSTODIAN: Final = Party("custodian/1")


def figure(suite: SchemeName, capsules: int = CAPSULES) -> Figure:
    """Seconds of the clock on the wall, and of the custodian's CPU in milliseconds."""
    # gRPC prints its own view of every process that goes away unless told so before it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    story = Story(suite, capsules)
    with tempfile.TemporaryDirectory(prefix="doublelock-", ignore_cleanup_errors=True) as folder:
        home = ensure(Path(folder), terms=story.terms, seed=Secret(story.seed), start=story.world.now)
        took, cpu = asyncio.run(_release(home, story))
    also = {"requests": len(story.requests), "ms of CPU": round(1000 * cpu)}
    return Figure(f"{suite}-release-{capsules}", "s", took, capsules * _computing(suite), {}, (), 1, 0.0, also)


class Story:
    """So many messages in as many capsules, and the requests for them under one warrant."""

    def __init__(self, suite: SchemeName, capsules: int) -> None:
        self.seed, self.terms = urandom(32), Terms(scheme=suite, custodians=3, threshold=2)
        self.world = World(self.seed, self.terms)
        self.world.make_committee_key()
        alice, _ = self.world.register("alice"), self.world.register("bob")
        begun = self.world.now
        for number in range(capsules):
            self.world.run(alice, Send("bob", ESCROW, f"message {number}"))
        self.requests: Sequence[Release] = complete(self._asked(WorldStage(self.world), alice, begun))

    async def _asked(self, stage: WorldStage, target: Node, begun: int) -> list[Release]:
        await stage.advance_to(stage.now + stage.genesis.policy.ingest_cadence + HOUR)
        await stage.settle()
        account = bytes.fromhex(target.party.split("/")[1])
        terms = warrants.Terms(account, (begun, stage.now), stage.now, stage.now + 24 * HOUR)
        application = await warrants.apply(stage, OFFICE, terms)
        for role, person in (("issuer", ISSUERS[0]), ("approver", APPROVERS[0])):
            await warrants.sign(stage, application, role, person)
        await stage.settle()
        await stage.advance_to(stage.now + 5 * MINUTE)
        await stage.settle()
        self.world.network.down.update(map(Party, stage.genesis.custodian_keys))
        agency = await stage.agency(OFFICE)
        await agency.run(Execute(application.warrant_id))
        key = load_case(self.world.store(agency.party), application.warrant_id).request_key
        asked = all_asked(self.world.store(agency.party), application.warrant_id)
        return [Release(one.request_bytes, sign_request(key, one.request)) for _, one in asked]


async def _release(home: Home, story: Story) -> tuple[float, float]:
    """Seconds until all is released, and of the custodian's CPU meanwhile."""
    witnesses = [Party(f"witness/{index}") for index in range(1, story.terms.witnesses + 1)]
    parties = [Party("log"), *witnesses, CUSTODIAN]
    for party in parties:
        await _written(story.world.store(party), home.part_folder(party), sealed=party == CUSTODIAN)
    fleet, agency = Fleet(home, parties, _nobody_dies, _nobody_dies), Party(f"agency/{OFFICE}")
    transport = GrpcTransport(home.issue(agency), home.endpoints, patience=PATIENCE)
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def ask(call: Release) -> None:
        async with gate:
            reply: Any = await transport.call(agency, CUSTODIAN, call)
            while reply.pending:
                reply = await transport.call(agency, CUSTODIAN, call)
        if not reply.sealed:
            raise AssertionError(f"{CUSTODIAN} denies what is in order: {reply.reason}")

    try:
        await fleet.start()
        pid = fleet.pids()[CUSTODIAN]
        spent, begun = _cpu(pid), perf_counter()
        await asyncio.gather(*map(ask, story.requests))
        return perf_counter() - begun, _cpu(pid) - spent
    finally:
        await transport.close()
        await fleet.stop()


async def _written(state: MemoryStore, folder: Path, *, sealed: bool) -> None:
    """What a party has stored, where its process looks for it."""
    values, streams = state.snapshot()
    appends = tuple((name, record) for name, records in streams.items() for record in records)
    disk = SqliteStore(folder / "state.db")
    try:
        store: Store = disk
        if sealed:
            key = await unlock(disk, lambda kind: Keys().lock(folder, kind), name=folder.name, new=True)
            store = SealedStore(disk, key, folder.name)
        await store.commit(lambda _: (Writes(values, appends), None))
    finally:
        await disk.close()


def _computing(suite: SchemeName) -> float:
    """Seconds of CPU that one capsule takes a custodian at least."""
    committee, took = dealt(SUITES[suite], 2, 3), []
    for _ in range(50):
        begun = process_time()
        for _ in range(10):
            committee.answer()
        took.append((process_time() - begun) / 10)
    return median(took)


def _cpu(pid: int) -> float:
    """Seconds that a process has computed, by what Linux says of it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _nobody_dies(party: Party, number: int) -> None:
    raise AssertionError(f"{party} ended during a measurement ({number})")
