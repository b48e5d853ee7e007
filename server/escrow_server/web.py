"""Plain HTTP/1.1 for what anybody may see and ask: pages of the log, and ``add-checkpoint`` of a witness.

Requests are parsed by the standard library, on threads that touch nothing else; what to answer is decided on the event
loop, where everything else is. Loopback only. Connections, bodies, silences and the time of a request are bounded.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TooLateError
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread
from typing import Any, Final, Protocol, final, runtime_checkable

from structlog.typing import FilteringBoundLogger

from escrow.errors import EscrowError, IntegrityError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import AddCheckpoint
from escrow.roles.machine import Read
from escrow.roles.pages import NOT_FOUND, Page, cosigned_page
from escrow_server.driver import ServedNode

MOST_BODY: Final = 1 << 16
"""Bytes; the largest request that a log may send is a tenth of it."""
MOST_CONNECTIONS: Final = 32
SILENCE: Final = 10.0
"""Seconds that a connection may say nothing."""
DEADLINE: Final = 10.0
"""Seconds that an answer may take."""
MOST_SECONDS: Final = 30.0
"""That one request may take with its answer, however often its sender says another byte."""
ANYBODY: Final = Party("anybody")

_DIGITS: Final = len(str(MOST_BODY))
_BUSY: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Visit = Callable[[str, str, bytes], Coroutine[Any, Any, Page]]
"""Answers method, path and body."""


@runtime_checkable
class Shown(Protocol):
    """A role that shows pages."""

    def page(self, view: Read, path: str) -> Page:
        """What ``GET /path`` shows."""
        ...


@final
class Web:
    """Serves from its making until ``close``. ``address`` is where."""

    def __init__(self, listen: tuple[str, int], visit: Visit) -> None:
        loop = asyncio.get_running_loop()

        def ask(method: str, path: str, body: bytes) -> Page:
            answer = asyncio.run_coroutine_threadsafe(visit(method, path, body), loop)
            try:
                return answer.result(DEADLINE)
            except (TooLateError, CancelledError):
                answer.cancel()
                return Page(503, b"no answer in time\n")

        self._server = _Server(listen, ask)
        host, port = self._server.server_address[:2]
        self.address = f"[{host!s}]:{port}" if ":" in str(host) else f"{host!s}:{port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="web", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Take no more connections, and end those that are open."""
        await asyncio.to_thread(self._server.end)
        self._thread.join()


def visitor(node: ServedNode, log: FilteringBoundLogger, on_integrity_loss: Callable[[IntegrityError], None]) -> Visit:
    """How a log or a witness answers: ``GET`` with a page of its role, ``POST /add-checkpoint`` with a step."""

    async def visit(method: str, path: str, body: bytes) -> Page:
        started = time.monotonic()
        line = log.bind(method=method, path=path[:100])
        try:
            page = await _page(node, method, path[1:], body, on_integrity_loss) if path.startswith("/") else NOT_FOUND
        except Exception as error:  # noqa: BLE001 - the caller gets a status, the operator the kind
            line, page = line.bind(bug=type(error).__name__), Page(500, b"something failed that should not\n")
        line.info("page", status=page.status, ms=round((time.monotonic() - started) * 1000, 2))
        return page

    return visit


async def _page(
    node: ServedNode, method: str, path: str, body: bytes, on_integrity_loss: Callable[[IntegrityError], None]
) -> Page:
    role = node.role
    try:
        match method:
            case "GET" | "HEAD" if isinstance(role, Shown):
                return await node.read(lambda view: role.page(view, path))
            case "POST" if path == "add-checkpoint":
                reply: Any = await node.ask(ANYBODY, AddCheckpoint(body))
                return cosigned_page(reply)
            case _:
                return NOT_FOUND
    except EscrowError as error:
        if isinstance(error, IntegrityError):
            on_integrity_loss(error)
        if isinstance(error, RefusedError) and error.reason is Reason.PERMISSION_DENIED:
            return NOT_FOUND
        return cosigned_page(error)


class _Server(HTTPServer):
    """A thread for each connection, of which there are not too many."""

    request_queue_size = MOST_CONNECTIONS

    def __init__(self, listen: tuple[str, int], ask: Callable[[str, str, bytes], Page]) -> None:
        self.address_family = socket.AF_INET6 if ":" in listen[0] else socket.AF_INET
        self.ask = ask
        self._free = BoundedSemaphore(MOST_CONNECTIONS)
        self._open: dict[socket.socket, float] = {}
        super().__init__(listen, _Handler)

    def server_bind(self) -> None:
        """As ``TCPServer``: nobody needs the name of this host, which ``HTTPServer`` would look up."""
        TCPServer.server_bind(self)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        self.begins(request)
        Thread(target=self._converse, args=(request, client_address), daemon=True).start()

    def begins(self, connection: socket.socket) -> None:
        """From now on the next request of this connection counts its time."""
        self._open[connection] = time.monotonic()

    def service_actions(self) -> None:
        """Between any two looks for new connections: cut off what has taken too long."""
        latest = time.monotonic() - MOST_SECONDS
        for connection, since in list(self._open.items()):
            if since < latest:
                # Its thread finds the end of the connection, and frees the place.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            self.shutdown_request(connection)

    def _converse(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except (OSError, ValueError):
            pass  # gone, silent for too long, or closed by us
        finally:
            self.shutdown_request(request)
            self._open.pop(request, None)
            self._free.release()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "doublelock", ""
    timeout = SILENCE
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Nothing: every answer has its line, and what does not even parse is not worth one."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """What the base class answers to requests that it cannot read: with a status line, always, and then the end."""
        self.request_version, self.close_connection = self.protocol_version, True
        self._send(Page(int(code), b"not a request\n"))

    def _answer(self) -> None:
        length = self._length()
        if length is None:
            return
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        self._send(self.server.ask(self.command, self.path, body))
        self.server.begins(self.connection)

    def _length(self) -> int | None:
        """Bytes of the body; ``None`` if that was answered already: where the next request begins is not known then."""
        said = self.headers.get_all("Content-Length", ["0"])
        if "Transfer-Encoding" in self.headers:
            refused = Page(411, b"say how long the body is\n")
        elif len(said) != 1 or not (said[0].isascii() and said[0].isdigit()):
            refused = Page(400, b"one length\n")
        elif len(said[0]) > _DIGITS or int(said[0]) > MOST_BODY:
            refused = Page(413, b"too large\n")
        else:
            return int(said[0])
        self.close_connection = True
        self._send(refused)
        return None

    def _send(self, page: Page) -> None:
        self.send_response(page.status)
        headers = {"Content-Type": page.type, "Content-Length": len(page.body), "Cache-Control": page.keep}
        for name, value in headers.items():
            self.send_header(name, str(value))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page.body)
