"""One service from start to end: open the store, listen, announce, tick, and on a signal let go in order."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from escrow.cli.keys import Keys
from escrow.crypto.edwards25519 import self_test
from escrow.errors import IntegrityError, Reason, UnavailableError
from escrow.ids import Party
from escrow.roles.machine import Role
from escrow.rpc.channel import LIMITS, GrpcTransport
from escrow.rpc.home import Home
from escrow.rpc.http_witness import WithHttpWitnesses
from escrow.rpc.methods import LAB_SERVICE, service_of
from escrow.store.keyring import unlock
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from escrow_server.driver import ServedNode, keep_ticking
from escrow_server.gate import Gate
from escrow_server.lines import open_log
from escrow_server.listening import check_free
from escrow_server.parts import role_of
from escrow_server.web import Web, visitor

GRACE: Final = 3.0
"""Seconds that calls under way may take to end."""
PATIENCE: Final = 1.0
"""Seconds to repeat a call to another part that is out of reach; what is owed is tried again by later ticks."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Where a part meets others: its own service, pages over HTTP if any, and witnesses that it asks over HTTP."""

    listen: tuple[str, int]
    http: tuple[str, int] | None = None
    witnesses: Mapping[Party, str] = field(default_factory=dict)


class Health(Protocol):
    """The asyncio health servicer, for which nobody publishes types."""

    async def set(self, service: str, status: int) -> None:
        """Tell watchers of ``service``."""
        ...

    async def enter_graceful_shutdown(self) -> None:
        """Tell all watchers NOT_SERVING, for good."""
        ...


async def serve(
    home: Home,
    party: Party,
    faces: Faces,
    *,
    lab: bool,
    ready: Callable[[str, str | None], None],
    with_parent: bool = False,
    keys: Keys | None = None,
    make: Callable[[Party, Home], Role] | None = None,
) -> None:
    """Serve ``party`` until SIGTERM or SIGINT, or ``with_parent`` until standard input ends.

    ``ready`` gets the bound address, and that of the pages if there are any, once calls are answered. ``keys`` open its
    store, which is sealed then. ``make`` makes another machine than the honest one, for a laboratory.

    Raises ``IntegrityError`` when the store or the log contradicts itself: the service has then stopped.
    """
    self_test()
    ended: asyncio.Future[IntegrityError | None] = asyncio.get_running_loop().create_future()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(_stopped_by_signals(ended, with_parent=with_parent))
        role = (make or role_of)(party, home)
        ready(*await _start(stack, home, party, role, faces, keys, lab=lab, ended=ended))
        failure = await ended
    if failure is not None:
        raise failure


async def _start(
    stack: AsyncExitStack,
    home: Home,
    party: Party,
    role: Role,
    faces: Faces,
    keys: Keys | None,
    *,
    lab: bool,
    ended: asyncio.Future[IntegrityError | None],
) -> tuple[str, str | None]:
    """Put everything in place; ``stack`` takes it down again in reverse order."""
    credentials, folder = home.credentials(party), home.part_folder(party)
    for listen in [faces.listen, *([faces.http] if faces.http else [])]:
        check_free(*listen)
    log, file = open_log(folder / "log.jsonl", party)
    stack.callback(file.close)

    def on_integrity_loss(error: IntegrityError) -> None:
        log.critical("integrity lost", outcome=error.reason.name, detail=error.detail)
        if not ended.done():
            ended.set_result(error)

    file_store = SqliteStore(folder / "state.db")
    stack.push_async_callback(file_store.close)
    store = file_store if keys is None else await _sealed(file_store, keys, folder)
    transport = WithHttpWitnesses(GrpcTransport(credentials, home.endpoints, patience=PATIENCE), faces.witnesses)
    stack.push_async_callback(transport.close)
    node = ServedNode(party, role, store, transport, home.clock(lab=lab), lambda: secrets.token_bytes(32))

    service = service_of(party.partition("/")[0])
    server, health_servicer = _server(Gate(log, on_integrity_loss), node, service, lab=lab)
    stack.push_async_callback(server.stop, GRACE)
    address = _bind(server, credentials.for_server(), faces.listen)
    await server.start()
    stack.push_async_callback(health_servicer.enter_graceful_shutdown)

    web = Web(faces.http, visitor(node, log, on_integrity_loss)) if faces.http else None
    if web:
        stack.push_async_callback(web.close)
    ticking = asyncio.create_task(keep_ticking(node, log, on_integrity_loss))
    stack.push_async_callback(_cancel, ticking)
    for name in ("", service):
        await health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    home.endpoints.announce(party, address)
    log.info("serving", address=address, http=web and web.address)
    stack.callback(log.info, "stopping")
    return address, web and web.address


async def _sealed(inner: SqliteStore, keys: Keys, folder: Path) -> SealedStore:
    """``inner`` under its key. Raises ``STORE_LOCKED``, ``KEY_EXPOSED``, ``STORE_CORRUPT``; nothing is changed then."""
    key = await unlock(inner, lambda kind: keys.lock(folder, kind), name=folder.name, new=True)
    return SealedStore(inner, key, folder.name)


def _server(gate: Gate, node: ServedNode, service: str, *, lab: bool) -> tuple[grpc.aio.Server, Health]:
    # Without this option a second process could listen on the same port and take half of the calls.
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *LIMITS])
    handlers = [gate.handlers(service, node.ask)]
    if lab:
        handlers.append(gate.handlers(LAB_SERVICE, node.settle))
        names = (service, LAB_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)
    server.add_generic_rpc_handlers(tuple(handlers))
    health_servicer: Health = health.aio.HealthServicer()  # type: ignore[attr-defined]
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    return server, health_servicer


def _bind(server: grpc.aio.Server, credentials: grpc.ServerCredentials, listen: tuple[str, int]) -> str:
    host, port = listen
    literal = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_secure_port(f"{literal}:{port}", credentials)
    except RuntimeError as error:
        raise UnavailableError(Reason.PORT_IN_USE, f"{literal}:{port}") from error
    return f"{literal}:{bound}"


async def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait([task])


@asynccontextmanager
async def _stopped_by_signals(
    ended: "asyncio.Future[IntegrityError | None]", *, with_parent: bool
) -> AsyncIterator[None]:
    def stop() -> None:
        if not ended.done():
            ended.set_result(None)

    def look_at_input() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop()

    loop = asyncio.get_running_loop()
    if with_parent:
        try:
            loop.add_reader(0, look_at_input)
        except OSError:
            stop()  # a file, or nothing at all: nobody holds the other end
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
