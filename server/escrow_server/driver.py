"""A node among tasks: the driver of ``escrow.node``, entered by many callers at once, and the loop that ticks it."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol, final, runtime_checkable

from structlog.typing import FilteringBoundLogger

from escrow.encoding import u64
from escrow.errors import EscrowError, IntegrityError
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.calls import Call, Reply, Update
from escrow.roles.machine import OUTBOX, Answered, Called, Event, Read, Writes
from escrow.rpc.settle import Settled

QUICK: Final = 0.05
"""Seconds between two ticks while there is work."""
SLOW: Final = 0.5
"""The same once nothing happens any more."""


@runtime_checkable
class Scheduled(Protocol):
    """A role for which something falls due that no call brings about."""

    def next_due(self, view: Read) -> int | None:
        """When (ms), or None."""
        ...


@final
class ServedNode(Node):
    """A node whose pumps may overlap: one for each caller that waits, and one for the ticks."""

    busy = False
    """Whether something has happened since somebody last asked."""

    async def step(self, event: Event) -> Any:
        """See ``Node.step``. A to-do that two pumps have delivered is answered once."""
        self.busy = self.busy or _is_work(event)
        if not isinstance(event, Answered):
            return await super().step(event)
        place, now, coins = OUTBOX + u64(event.todo.number), self._clock(), self._entropy()

        def once(view: Read) -> tuple[Writes, object]:
            return (Writes(), None) if view.get(place) is None else self.role.handle(view, event, now, coins)

        return await self.store.commit(once)

    async def settle(self, _caller: Party, _call: Call) -> Reply:
        """Answer a laboratory's ``Settle``: do what is due, deliver it, and say when there is more."""
        await self.tick()
        role = self.role
        due = await self.read(role.next_due) if isinstance(role, Scheduled) else None
        return Settled(due or 0)


async def keep_ticking(
    node: ServedNode, log: FilteringBoundLogger, on_integrity_loss: Callable[[IntegrityError], None]
) -> None:
    """Tick for ever: quickly while there is work, and more and more slowly when there is none."""
    pause = QUICK
    while True:
        node.busy = False
        try:
            await node.tick()
        except IntegrityError as error:
            on_integrity_loss(error)
            return
        except EscrowError as error:
            # Nothing is lost: what could not be done is still owed, and the next tick tries again.
            log.warning("tick", outcome=error.reason.name, detail=error.detail)
        pause = QUICK if node.busy else min(2 * pause, SLOW)
        await asyncio.sleep(pause)


def _is_work(event: Event) -> bool:
    """Whether an event is likely to lead to more. That a follower asks and hears of nothing new is not."""
    match event:
        case Answered(reply=Update(entries=entries)):
            return bool(entries)
        case Answered(todo=todo):
            return todo.call.durable
        case Called(call=call):
            return call.durable
        case _:
            return False
