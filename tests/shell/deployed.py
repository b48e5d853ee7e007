"""A deployment under test: its processes, its clock, and short ways to ask its parts."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from escrow.ids import Party
from escrow.roles.calls import Call, GetCommittee, GetHead
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

    @contextmanager
    def without(self, party: str) -> Iterator[None]:
        """Kill a part with signal 9, and start it again at the end."""
        part = self.parts[party]
        part.stop_hard()
        try:
            yield
        finally:
            part.restart()

    def wait_for_committee(self) -> None:
        """Until every custodian has its share of the present period."""
        end = time.monotonic() + PATIENCE
        calls = [(party, GetCommittee()) for party in self.home.genesis.custodian_keys]
        while not all(status.generation for status in self._ask(calls)):
            if time.monotonic() > end:
                raise AssertionError("no committee key in time")
            time.sleep(0.2)

    def settle(self) -> None:
        """Everybody does what is due and hears of what the others did."""
        self._ask([(party, Settle()) for party in (*self.parts, *self.parts)])

    def advance(self, by: int) -> None:
        """Let ``by`` ms of the lab clock pass: what was done before was seen before, as if they had really passed."""
        self.settle()
        clock = LabClock(self.home.clock_path)
        clock.advance_to(clock() + by)
        self.settle()

    def checkpoint(self) -> bytes:
        """The newest cosigned checkpoint, as the log shows it to anybody."""
        (head,) = self._ask([("log", GetHead(0, 0))])
        return bytes(head.note)

    # As somebody with a certificate and no office.
    def _ask(self, calls: Sequence[tuple[str, Call]]) -> list[Any]:
        async def story() -> list[Any]:
            transport = GrpcTransport(self.home.issue(ONLOOKER), self.home.endpoints)
            try:
                return [await transport.call(ONLOOKER, Party(to), call) for to, call in calls]
            finally:
                await transport.close()

        return asyncio.run(story())
