"""A deployment under test: its processes, its clock, and short ways to ask its parts."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from escrow.ids import Party
from escrow.roles.calls import Call, GetCommittee
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.clocks import LabClock
from escrow.rpc.home import Home
from escrow.rpc.settle import Settle
from tests.shell.processes import PATIENCE, Part

DAY = 86_400_000
ONLOOKER = Party("person/onlooker")


@dataclass(frozen=True)
class Deployed:
    """Parts by party."""

    home: Home
    parts: dict[str, Part]

    def ask(self, to: str, call: Call) -> Any:
        """One call as somebody with a certificate and no office."""

        async def story() -> Any:
            transport = GrpcTransport(self.home.issue(ONLOOKER), self.home.endpoints)
            try:
                return await transport.call(ONLOOKER, Party(to), call)
            finally:
                await transport.close()

        return asyncio.run(story())

    @contextmanager
    def without(self, party: str) -> Iterator[None]:
        """Kill a part with signal 9, and start it again at the end."""
        part = self.parts[party]
        part.stop(signal.SIGKILL)
        try:
            yield
        finally:
            part.restart()

    def wait_for_committee(self) -> None:
        """Until every custodian has its share of the present period."""
        end = time.monotonic() + PATIENCE
        waiting = list(self.home.genesis.custodian_keys)
        while waiting:
            if time.monotonic() > end:
                raise AssertionError(f"no committee key at {waiting}")
            waiting = [party for party in waiting if not self.ask(party, GetCommittee()).generation]
            time.sleep(0.1)

    def advance(self, by: int) -> None:
        """Let ``by`` ms of the lab clock pass, and everybody do what is due."""
        clock = LabClock(self.home.clock_path)
        clock.advance_to(clock() + by)
        for party in self.parts:
            self.ask(party, Settle())
