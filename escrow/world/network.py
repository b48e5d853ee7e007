"""The World's network: direct calls between nodes, and what an adversary may do to them."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from escrow.errors import EscrowError, Reason, UnavailableError
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.calls import Call, Reply

R = TypeVar("R")
OnCall = Callable[[Party, Party, Call], Call]
OnReply = Callable[[Party, Party, Call, Reply], Reply]


def _pass_call(_origin: Party, _to: Party, call: Call) -> Call:
    return call


def _pass_reply(_origin: Party, _to: Party, _call: Call, reply: Reply) -> Reply:
    return reply


class Network:
    """A ``Transport`` between the nodes of one World.

    ``down`` parties neither call nor answer. ``on_call`` and ``on_reply`` see and may replace every message: the
    network adversary, who cannot speak as another party because the real transport authenticates callers.
    """

    def __init__(self) -> None:
        self.nodes: dict[Party, Node] = {}
        self.down: set[Party] = set()
        self.on_call: OnCall = _pass_call
        self.on_reply: OnReply = _pass_reply
        self.calls = 0

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        """See ``Transport.call``."""
        if to in self.down or origin in self.down or to not in self.nodes:
            raise UnavailableError(Reason.UNAVAILABLE, to)
        self.calls += 1
        reply = await self.nodes[to].ask(origin, self.on_call(origin, to, call))
        return self.on_reply(origin, to, call, reply)

    async def together(self, jobs: Sequence[Awaitable[R]]) -> list[R]:
        """See ``Transport.together``: one after the other, in order; all end before an error of one is raised."""
        done: list[R] = []
        failed: EscrowError | None = None
        for job in jobs:
            try:
                done.append(await job)
            except EscrowError as error:
                failed = failed or error
        if failed is not None:
            raise failed
        return done
