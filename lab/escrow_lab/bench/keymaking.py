"""Key generation as a deployment has it: a process for each custodian, witness and the log, on this machine.

Everybody serves before the log does, so that the clock starts with the first thing a custodian can do. What it takes
at least is the computation of the same parties in one thread of a World, spread over the processors; rounds and bytes
are counted there, too, since both say the same things.
"""

import asyncio
import os
import tempfile
from os import urandom
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final

from escrow.ids import Party
from escrow.roles.calls import Append, Call, Reply
from escrow.rpc.codec import encode_call, encode_reply
from escrow.rpc.home import Home
from escrow.tlog.entry import Entry, EntryType
from escrow.world.founding import Terms
from escrow.world.world import World
from escrow_lab.bench.measure import Figure
from escrow_lab.demo.fleet import Fleet
from escrow_lab.demo.process_stage import ProcessStage
from escrow_server.deployment import ensure

SIZES: Final = {5: 3, 15: 8}
"""Threshold by number of custodians."""
ROUNDS: Final = 3


def figure(custodians: int, threshold: int, rounds: int = ROUNDS) -> Figure:
    """Key generations in new deployments, in seconds each."""
    terms = Terms(custodians=custodians, threshold=threshold)
    computed, said = computing(terms)
    # gRPC prints its own view of every process that goes away unless told so before it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    took = [_timed(terms) for _ in range(rounds)]
    least = computed / (os.cpu_count() or 1)
    spread = (max(took) - min(took)) / median(took)
    return Figure(f"keygen-{custodians}", "s", median(took), least, {}, (), rounds, spread, said)


def _timed(terms: Terms) -> float:
    with tempfile.TemporaryDirectory(prefix="doublelock-", ignore_cleanup_errors=True) as folder:
        return asyncio.run(_generate(ensure(Path(folder), terms=terms)))


def computing(terms: Terms) -> tuple[float, dict[str, int]]:
    """Seconds of CPU of all parties together; rounds, and bytes that custodians sent and received, as on the wire."""
    world = World(urandom(32), terms)
    kinds, counted = set[EntryType](), 0

    def on_call(origin: Party, _to: Party, call: Call) -> Call:
        nonlocal counted
        if origin.startswith("custodian/"):
            counted += len(encode_call(call))
            if isinstance(call, Append):
                kinds.update(Entry.decode(entry).type for entry in call.entries)
        return call

    def on_reply(origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        nonlocal counted
        if origin.startswith("custodian/"):
            counted += len(encode_reply(type(call), reply))
        return reply

    world.network.on_call, world.network.on_reply = on_call, on_reply
    begun = process_time()
    world.make_committee_key()
    # Each kind of entry is said by all before anybody goes on to the next.
    return process_time() - begun, {"rounds": len(kinds), "bytes": counted}


async def _generate(home: Home) -> float:
    witnesses = [Party(f"witness/{index}") for index in range(1, len(home.genesis.witnesses) + 1)]
    fleets: list[Fleet] = []
    try:
        for parties in ([*witnesses, *map(Party, home.genesis.custodian_keys)], [Party("log")]):
            fleets.append(Fleet(home, parties, nobody_dies, nobody_dies))
            await fleets[-1].start()
        begun = perf_counter()
        stage = ProcessStage(home, home.folder / "people")
        try:
            await stage.committee()
            return perf_counter() - begun
        finally:
            await stage.close()
    finally:
        for fleet in fleets:
            await fleet.stop()


def nobody_dies(party: Party, number: int) -> None:
    """What to do when a part ends in the middle."""
    raise AssertionError(f"{party} ended during a measurement ({number})")
