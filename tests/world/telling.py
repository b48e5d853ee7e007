"""Telling the demo's story in a World, and what may happen to the World in the middle of it."""

from collections.abc import Callable, Mapping
from typing import Any

from escrow.ids import Party
from escrow.world.founding import HOUR, Terms
from escrow.world.loop import complete
from escrow.world.world import World
from escrow_lab.demo.messages import lab_time
from escrow_lab.demo.narrator import Narrator
from escrow_lab.demo.story import Story
from escrow_lab.demo.summary import Summary
from escrow_lab.demo.workload import Workload
from escrow_lab.demo.world_stage import WorldStage

Incident = Callable[[World], None]


class Events(Narrator):
    """Keeps what is told, and lets an incident happen right after an event."""

    def __init__(self, world: World, incidents: Mapping[str, Incident]) -> None:
        super().__init__(as_json=False)
        self._world = world
        self._incidents = incidents
        self.told: list[tuple[str, str]] = []
        self.facts: dict[str, dict[str, Any]] = {}

    def say(self, event: str, sentence: str, **facts: Any) -> None:
        self.told.append((event, sentence))
        self.facts[event] = facts
        if event in self._incidents:
            self._incidents[event](self._world)


def founded(work: Workload, seed: int = 0, *, terms: Terms | None = None, seeded: bool = False) -> World:
    """A World an hour before the first message."""
    start = lab_time(work.messages[0].time) - HOUR
    return World(seed.to_bytes(32, "big"), terms=terms, start=start, seeded=seeded)


def tell(work: Workload, world: World | None = None, **incidents: Incident) -> tuple[Summary, Events]:
    """The whole story; ``incidents`` by the event after which they happen."""
    world = world or founded(work)
    events = Events(world, incidents)
    return complete(Story(WorldStage(world), work, events).tell()), events


def down(*parties: str) -> Incident:
    """These, and no others, are out of reach from now on."""

    def happen(world: World) -> None:
        world.network.down = {Party(party) for party in parties}

    return happen
