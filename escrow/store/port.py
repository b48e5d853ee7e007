"""The Store port: a few methods between a pure role and whatever keeps its state.

``commit`` runs a pure step on a consistent view and makes its writes durable before it returns. Steps that
are queued together may share one durable write (group commit); a step that raises contributes nothing and
its exception reaches only its own caller. A step may run more than once: it is pure.
"""

from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar

from escrow.roles.machine import Read, Writes

R = TypeVar("R")
Step = Callable[[Read], tuple[Writes, R]]
Query = Callable[[Read], R]


class Store(Protocol):
    """State of one role of one party: a sorted map of bytes and append-only streams."""

    async def commit(self, step: Step[R]) -> R:
        """Run ``step``, make its writes durable, return its result. Raises what the step raises."""
        ...

    async def read(self, query: Query[R]) -> R:
        """Run ``query`` on a consistent view of what is durable, and return its result."""
        ...

    def follow(self, stream: str, after: int) -> AsyncIterator[tuple[int, bytes]]:
        """Records of ``stream`` from number ``after`` on, as they become durable; never ends by itself."""
        ...

    async def close(self) -> None:
        """Finish what was queued and let go of the resource."""
        ...
