"""A transport that remembers whom it could not get an answer from: what a user is told when something has to wait.

A role keeps what it owes and tries again later, without a word. That is right for a machine and wrong for a screen.
"""

from collections.abc import Awaitable, Sequence
from typing import TypeVar, final

from escrow.errors import EscrowError, Kind, Reason, UnavailableError
from escrow.ids import Party
from escrow.node import Transport
from escrow.roles.calls import Call, Reply
from escrow.rpc.channel import GrpcTransport

R = TypeVar("R")


@final
class Line(Transport):
    """``escrow.node.Transport`` of a party whose certificate may come later: an account gets its id by being made."""

    def __init__(self) -> None:
        self._transport: GrpcTransport | None = None
        self.failures: dict[Party, EscrowError] = {}
        """Party -> with what its latest answer, or silence, refused us; parties that answered since are not in it."""

    @property
    def connected(self) -> bool:
        """Whether there is a certificate to speak under."""
        return self._transport is not None

    async def connect(self, transport: GrpcTransport) -> None:
        """Speak through ``transport`` from now on."""
        await self.close()
        self._transport = transport

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        """See ``Transport.call``."""
        if self._transport is None:
            raise UnavailableError(Reason.CERTIFICATE_MISSING, origin)
        try:
            reply = await self._transport.call(origin, to, call)
        except EscrowError as error:
            self.failures[to] = error
            raise
        self.failures.pop(to, None)
        return reply

    async def together(self, jobs: Sequence[Awaitable[R]]) -> list[R]:
        """See ``Transport.together``."""
        if self._transport is None:
            return [await job for job in jobs]
        return await self._transport.together(jobs)

    def why_waiting(self) -> EscrowError | None:
        """What keeps things waiting, first of all somebody out of reach. That something does not exist is no reason."""
        known = [error for error in self.failures.values() if error.reason.kind is not Kind.NOT_FOUND]
        return next((error for error in known if isinstance(error, UnavailableError)), known[0] if known else None)

    async def close(self) -> None:
        """Close all channels."""
        if self._transport is not None:
            await self._transport.close()
