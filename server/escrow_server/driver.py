"""A node among tasks: the driver of ``escrow.node``, entered by many callers at once, and the loop that ticks it."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol, final, runtime_checkable

from structlog.typing import FilteringBoundLogger

from escrow.encoding import u64
from escrow.errors import EscrowError, IntegrityError
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.calls import Call, Reply
from escrow.roles.machine import OUTBOX, Answered, Called, Event, Read, Todo, Writes
from escrow.rpc.settle import Settled

QUICK: Final = 0.05
"""Seconds between two ticks while there is work."""
SLOW: Final = 1.0
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

    def __init__(self, *means: Any) -> None:
        """Take what ``Node`` takes."""
        super().__init__(*means)
        self.busy = False
        """Whether something has happened since somebody last asked."""
        self._under_way: dict[Party, asyncio.Future[Todo | None]] = {}

    async def step(self, event: Event) -> Any:
        """See ``Node.step``. A to-do that two pumps have delivered is answered once."""
        now, coins = self._clock(), self._entropy()

        def handle(view: Read) -> tuple[Writes, tuple[object, bool]]:
            if isinstance(event, Answered) and view.get(OUTBOX + u64(event.todo.number)) is None:
                return Writes(), (None, False)
            writes, result = self.role.handle(view, event, now, coins)
            return writes, (result, _is_work(event, writes))

        result, work = await self.store.commit(handle)
        self.busy = self.busy or work
        return result

    async def _deliver(self, lane: list[Todo]) -> Todo | None:
        """See ``Node._deliver``. While one pump delivers to a party, the others wait for what it finds out."""
        to = lane[0].to
        if to in self._under_way:
            return await asyncio.shield(self._under_way[to])
        under_way = self._under_way[to] = asyncio.get_running_loop().create_future()
        undelivered = None
        try:
            undelivered = await super()._deliver(lane)
        finally:
            del self._under_way[to]
            under_way.set_result(undelivered)
        return undelivered

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
        except Exception as error:  # noqa: BLE001 - a mistake in one tick must not end all: shares retire by ticks
            log.critical("tick", bug=type(error).__name__)
        pause = QUICK if node.busy else min(2 * pause, SLOW)
        await asyncio.sleep(pause)


def _is_work(event: Event, writes: Writes) -> bool:
    """Whether a step is likely to lead to more: a call left something to deliver, or something was delivered."""
    match event:
        case Answered(todo=todo):
            return todo.call.durable
        case Called():
            return any(key.startswith(OUTBOX) for key in writes.puts)
        case _:
            return False
