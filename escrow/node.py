"""The driver: one party's role, its store, and the delivery of what it owes.

The same driver runs in the World and over gRPC; they differ in the ``Transport``, the clock and the store they
plug in. It knows nothing of any protocol: it commits steps, delivers to-dos, and feeds answers back as events.
A crash between two lines of this file loses nothing: what was promised is in the outbox.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar, cast

from escrow.errors import BehindError, EscrowError, UnavailableError
from escrow.ids import Millis, Party
from escrow.roles.calls import Call, Reply
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Role, Tick, Todo, Writes, outbox
from escrow.store.port import Store

R = TypeVar("R")
ROUNDS = 10_000
"""A pump that is not done after this many rounds is a bug, not a busy peer."""
PATIENCE = 3
"""How often one question may ask the driver to catch up before its refusal stands."""


class Transport(Protocol):
    """How calls reach other parties."""

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        """Deliver and return the answer. Raises the other side's ``EscrowError``, or ``UnavailableError``."""
        ...

    async def together(self, jobs: Sequence[Awaitable[R]]) -> list[R]:
        """Run jobs that are independent of each other; return their results in order."""
        ...


class Node:
    """One party at work. All methods are safe to call again after a failure."""

    def __init__(
        self,
        party: Party,
        role: Role,
        store: Store,
        transport: Transport,
        clock: Callable[[], Millis],
        entropy: Callable[[], bytes],
    ) -> None:
        self.party = party
        self.role = role
        self.store = store
        self._transport = transport
        self._clock = clock
        self._entropy = entropy

    async def ask(self, caller: Party, call: Call) -> Reply:
        """Answer ``caller``. If the role says that its view is behind, catch up and try again, a few times."""
        for _ in range(PATIENCE):
            try:
                reply: Reply = await self.step(Called(caller, call))
            except BehindError:
                await self.catch_up()
                continue
            if not getattr(reply, "pending", False):
                return reply
            # The role has promised something that must happen first, and written the promise down.
            await self.pump()
            await self.catch_up()
        return cast(Reply, await self.step(Called(caller, call)))

    async def run(self, call: Call) -> Reply:
        """A command of our own: take it, deliver everything it leads to, return its answer."""
        reply = await self.ask(self.party, call)
        await self.pump()
        return reply

    async def tick(self) -> None:
        """Let the role do what is due, and deliver it."""
        await self.step(Tick())
        await self.pump()

    async def catch_up(self) -> None:
        """Bring the role's view up to date, as far as the others answer."""
        await self.step(CatchUp())
        await self.pump()

    async def step(self, event: Event) -> Any:
        """Commit one step of the role; its result is durable when this returns."""
        now, coins = self._clock(), self._entropy()
        return await self.store.commit(lambda view: self.role.handle(view, event, now, coins))

    async def read(self, query: Callable[[Read], R]) -> R:
        """Run a query on a consistent view."""
        return await self.store.read(query)

    async def pump(self) -> list[Todo]:
        """Deliver to-dos until none is left that can be delivered; return those whose peers are out of reach.

        To-dos for one party go in order, and a party that does not answer holds up only its own.
        """
        stuck: set[int] = set()
        for _ in range(ROUNDS):
            todos = await self.read(outbox)
            lanes: dict[Party, list[Todo]] = defaultdict(list)
            blocked = {todo.to for todo in todos if todo.number in stuck}
            for todo in todos:
                if todo.to not in blocked:
                    lanes[todo.to].append(todo)
            if not lanes:
                return todos
            for undelivered in await self._transport.together([self._deliver(lane) for lane in lanes.values()]):
                if undelivered is not None:
                    stuck.add(undelivered.number)
        raise RuntimeError(f"{self.party} never comes to rest")

    async def _deliver(self, lane: list[Todo]) -> Todo | None:
        """Deliver one party's to-dos in order; return the first that could not be delivered."""
        for todo in lane:
            try:
                reply: Reply | EscrowError = await self._transport.call(self.party, todo.to, cast(Call, todo.call))
            except UnavailableError as error:
                if todo.call.durable:
                    return todo
                reply = error
            except EscrowError as error:
                reply = error
            try:
                await self.step(Answered(todo, reply))
            except EscrowError:
                # The answer itself is unacceptable. It must not come back for ever: strike it off, then say so.
                await self.store.commit(partial(_struck_off, todo))
                raise
        return None


def _struck_off(todo: Todo, view: Read) -> tuple[Writes, None]:
    draft = Draft(view)
    draft.settle(todo)
    return draft.writes(), None
