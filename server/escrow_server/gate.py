"""What every call passes on its way to the role and back, in one place and one order.

request id -> who calls -> deadline -> who may call -> strict reading -> the role -> error to status -> log line.
A handler is only ever made here, so no method can miss a step. Log lines name methods, parties and reasons; they
never hold a payload.
"""

import secrets
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, final

import grpc
from structlog.typing import FilteringBoundLogger

from escrow.errors import EscrowError, IntegrityError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import Call, Reply
from escrow.rpc.codec import decode_call, encode_reply
from escrow.rpc.identity import party_of
from escrow.rpc.methods import METHODS, Method
from escrow.rpc.status import code_of, trailers
from escrow_server.access import check_access

REQUEST_ID: Final = "x-request-id"
SHORTEST_DEADLINE: Final = 0.001
"""Seconds; with less there is no use in beginning."""

Answer = Callable[[Party, Call], Awaitable[Reply]]
Context = grpc.aio.ServicerContext[bytes, bytes]


@final
@dataclass(frozen=True, slots=True)
class Gate:
    """Makes handlers. ``on_integrity_loss`` is told when our own store or the log contradicts itself."""

    log: FilteringBoundLogger
    on_integrity_loss: Callable[[IntegrityError], None]

    def handlers(self, service: str, answer: Answer) -> "grpc.GenericRpcHandler[bytes, bytes]":
        """Handlers for all methods of ``service``; ``answer`` gets the caller and the call."""
        methods = {
            method.name: grpc.unary_unary_rpc_method_handler(self._handler(method, answer))
            for method in METHODS.values()
            if method.service == service
        }
        return grpc.method_handlers_generic_handler(service, methods)

    def _handler(self, method: Method, answer: Answer) -> Callable[[bytes, Context], Awaitable[bytes]]:
        async def handle(data: bytes, context: Context) -> bytes:
            line = self.log.bind(method=method.name, request_id=_request_id(context))
            started = time.monotonic()
            try:
                caller = party_of(context.auth_context())
                line = line.bind(caller=caller)
                _check_deadline(context)
                check_access(caller, method.call)
                reply = encode_reply(method.call, await answer(caller, decode_call(method.call, data)))
            except EscrowError as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - the caller gets a status, the operator the place
                line = line.bind(bug=type(error).__name__, place=_place(error))
                failure = RefusedError(Reason.INTERNAL)
            else:
                line.info("call", outcome="OK", ms=_since(started))
                return reply
            line.warning("call", outcome=failure.reason.name, ms=_since(started))
            if isinstance(failure, IntegrityError):
                self.on_integrity_loss(failure)
            return await _abort(context, failure)

        return handle


async def _abort(context: Context, error: EscrowError) -> bytes:
    await context.abort(code_of(error), error.reason.sentence, trailers(error))
    raise AssertionError("abort does not return")


def _check_deadline(context: Context) -> None:
    remaining = context.time_remaining()
    if remaining is None:
        raise RefusedError(Reason.USAGE, "a call without a deadline")
    if remaining < SHORTEST_DEADLINE:
        raise RefusedError(Reason.TIMED_OUT, "no time is left for this call")


def _request_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str) and len(value) <= 64 and value.isprintable():
            return value
    return secrets.token_hex(8)


def _place(error: Exception) -> list[str]:
    """Where it happened; frames only, because messages of strangers' exceptions may quote what they were given."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-6:]]


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 2)
