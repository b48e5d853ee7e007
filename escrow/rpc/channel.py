"""The transport between parties: calls over gRPC with mutual TLS.

Every call is idempotent at its receiver, so a call that did not get through is repeated for a bounded time, byte
for byte. Errors that the other side names are never repeated here; what to do about them is the driver's matter.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, TypeVar, final

import grpc

from escrow.errors import EscrowError, Reason, UnavailableError
from escrow.ids import Party
from escrow.roles.calls import Append, Call, GetCase, Produce, Release, Reply, Submit
from escrow.rpc.codec import MAX_MESSAGE, decode_reply, encode_call
from escrow.rpc.identity import Credentials, server_name
from escrow.rpc.methods import METHODS
from escrow.rpc.settle import Settle
from escrow.rpc.status import from_rpc, sent_by_peer

R = TypeVar("R")

DEADLINE: Final = 15.0
DEADLINES: Final[Mapping[type[Call], float]] = {
    Append: 30.0,
    GetCase: 5.0,
    Produce: 60.0,
    Release: 60.0,
    Settle: 120.0,
    Submit: 30.0,
}
"""Seconds that one attempt may take; ``DEADLINE`` where nothing is said."""

LIMITS: Final = (
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.max_receive_message_length", MAX_MESSAGE),
)
"""Options of every channel and every server."""

_RECONNECT: Final = (
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
    # One place repeats calls, and it is here.
    ("grpc.enable_retries", 0),
)
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 0.5


class _UnreachedError(Exception):
    """The call was not delivered, so repeating it now makes sense."""

    def __init__(self, failure: EscrowError) -> None:
        super().__init__(failure)
        self.failure = failure


@final
class GrpcTransport:
    """``escrow.node.Transport`` for one party.

    ``endpoints`` is asked once, and again after each failure. ``patience`` is how many seconds a call is repeated to a
    party that cannot be reached, before ``UnavailableError``; a party that was out of reach last time is tried once.
    """

    def __init__(self, credentials: Credentials, endpoints: Mapping[Party, str], *, patience: float = 2.0) -> None:
        self._party = credentials.party
        self._credentials = credentials.for_client()
        self._endpoints = endpoints
        self._patience = patience
        self._silent: set[Party] = set()
        self._addresses: dict[Party, str] = {}
        self._channels: dict[tuple[Party, str], grpc.aio.Channel] = {}

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        """See ``Transport.call``. ``origin`` can only be the party of our certificate."""
        if origin != self._party:
            raise AssertionError(f"{self._party} cannot speak as {origin}")
        data = encode_call(call)
        clock = asyncio.get_running_loop().time
        end, pause = clock() + (0.0 if to in self._silent else self._patience), _FIRST_PAUSE
        while True:
            try:
                answer = await self._attempt(to, type(call), data)
            except _UnreachedError as unreached:
                self._silent.add(to)
                self._addresses.pop(to, None)
                if clock() + pause > end:
                    raise unreached.failure from None
            else:
                self._silent.discard(to)
                return decode_reply(type(call), answer)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def together(self, jobs: Sequence[Awaitable[R]]) -> list[R]:
        """See ``Transport.together``. All jobs end before an error of one of them is raised."""
        results = await asyncio.gather(*jobs, return_exceptions=True)
        done: list[R] = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            done.append(result)
        return done

    async def close(self) -> None:
        """Close all channels."""
        channels = list(self._channels.values())
        self._channels.clear()
        await asyncio.gather(*(channel.close(grace=None) for channel in channels))

    async def _attempt(self, to: Party, kind: type[Call], data: bytes) -> bytes:
        """Raises what the other side says, or ``_UnreachedError`` if the call did not get there."""
        try:
            channel = self._channel(to)
        except KeyError:
            raise _UnreachedError(UnavailableError(Reason.UNAVAILABLE, f"{to} has not announced itself")) from None
        # The codec reads and writes the bytes; gRPC only carries them.
        method = channel.unary_unary(METHODS[kind].path, request_serializer=None, response_deserializer=None)
        try:
            answer: bytes = await method(data, timeout=DEADLINES.get(kind, DEADLINE))
        except grpc.aio.AioRpcError as error:
            failure = from_rpc(error, to)
            if error.code() is grpc.StatusCode.UNAVAILABLE and sent_by_peer(error) is None:
                raise _UnreachedError(failure) from error
            self._silent.discard(to)
            raise failure from error
        return answer

    def _channel(self, to: Party) -> grpc.aio.Channel:
        """The channel to where ``to`` was last heard of; raises ``KeyError``."""
        address = self._addresses.get(to) or self._endpoints[to]
        self._addresses[to] = address
        # Channels to addresses that a party has left stay open until the end: closing one would cancel calls of others.
        if (to, address) not in self._channels:
            name = ("grpc.ssl_target_name_override", server_name(to))
            options = [name, *LIMITS, *_RECONNECT]
            self._channels[to, address] = grpc.aio.secure_channel(address, self._credentials, options)
        return self._channels[to, address]
