"""Somebody with a monitor, beside a ``Scene``: no office, no secret."""

from typing import cast

from escrow.ids import Party
from escrow.node import Node
from escrow.roles.monitor import Monitor
from escrow.roles.monitor.commands import Alarm, Compare, Findings, GetFindings, GetReport, Report, Watched
from escrow.store.memory import MemoryStore
from escrow.world.clock import SeededEntropy
from escrow.world.loop import complete
from tests.core.roles.scene import Scene

NAME = Party("person/onlooker")


class Onlooker:
    """A monitor that looks at the log when it is told to."""

    def __init__(self, at: Scene) -> None:
        role, world = Monitor(at.world.genesis, NAME), at.world
        self.store = MemoryStore()
        self.node = Node(NAME, role, self.store, world.network, world.clock, SeededEntropy(b"monitor", NAME))

    def look(self) -> "Onlooker":
        complete(self.node.catch_up())
        return self

    def findings(self, *watched: Watched) -> Findings:
        return cast(Findings, complete(self.node.ask(NAME, GetFindings(watched))))

    def alarms(self, *watched: Watched) -> set[str]:
        """The kinds of alarm after another look."""
        return {str(Alarm(one.alarm)) for one in self.look().findings(*watched).findings}

    def compare(self, note: bytes) -> None:
        complete(self.node.ask(NAME, Compare(note)))

    def report(self, year: int) -> Report:
        return cast(Report, complete(self.look().node.ask(NAME, GetReport(year))))
