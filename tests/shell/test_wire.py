"""A network that flips bits between real processes: what was touched is refused, and nobody's state has changed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from escrow.errors import UnavailableError
from escrow.ids import Party
from escrow.roles.calls import Append
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.home import Home
from escrow.tlog.entry import Entry, EntryType
from escrow_server.deployment import ensure
from tests.shell.processes import Part, running

LOG, ONLOOKER = Party("log"), Party("person/onlooker")
PLACES = range(0, 400, 16)
MOSTLY = 5
"""Places within every call: the others lie behind the end of some."""
NEVER = 1 << 40
MOMENT = 0.1
"""Seconds from a flipped bit to a cut line: a length that claims too much would be waited for until the deadline."""


class BadLine:
    """Forwards one party's connections; flips one bit at a chosen byte of one direction, once armed."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._to_go = {True: NEVER, False: NEVER}
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def armed(self) -> bool:
        """Whether the bit has yet to be flipped."""
        return min(self._to_go.values()) < NEVER

    def arm(self, *, towards_server: bool, place: int) -> None:
        self._to_go = {towards_server: place, not towards_server: NEVER}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            server.close()
            for task in self._connections:
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await asyncio.sleep(0)  # what was aborted is closed in the loop's next round

    def _accept(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.create_task(self._connect(near, near_out)))

    async def _connect(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        writers, jobs = [near_out], list[asyncio.Task[None]]()
        try:
            far, far_out = await asyncio.open_connection(self._host, int(self._port))
            writers.append(far_out)
            both = (self._pass(near, far_out, towards_server=True), self._pass(far, near_out, towards_server=False))
            jobs += [asyncio.create_task(each) for each in both]
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            for writer in writers:
                writer.transport.abort()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, towards_server: bool) -> None:
        while data := bytearray(await reader.read(65_536)):
            place = self._to_go[towards_server]
            hit = place < len(data)
            if hit:
                data[place] ^= 1 << (place % 8)
                self._to_go = {True: NEVER, False: NEVER}
            elif place != NEVER:
                self._to_go[towards_server] = place - len(data)
            writer.write(data)
            await writer.drain()
            if hit:
                await asyncio.sleep(MOMENT)
                return


@pytest.fixture(scope="module", name="home")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return ensure(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module", name="log")
def _log(home: Home) -> Iterator[Part]:
    with running(home.folder, ("log", None)) as (part,):
        yield part


@pytest.mark.parametrize("towards_server", [True, False], ids=["requests", "replies"])
@pytest.mark.parametrize("handshake", [True, False], ids=["handshake", "call"])
def test_a_bit_flipped_on_the_wire_is_refused_and_changes_nothing(
    home: Home, log: Part, *, towards_server: bool, handshake: bool
) -> None:
    accepted, refused = asyncio.run(_flip_everywhere(home, log, towards_server=towards_server, handshake=handshake))
    assert accepted == len(PLACES)
    assert refused >= MOSTLY


async def _flip_everywhere(home: Home, log: Part, *, towards_server: bool, handshake: bool) -> tuple[int, int]:
    """How many untouched calls were accepted, and how many touched ones refused with nothing but what was said left."""
    authority, origin = home.identity(Party("authority")), home.genesis.log.origin
    line, credentials = BadLine(log.address), home.issue(ONLOOKER)
    accepted = refused = 0

    async def index(transport: GrpcTransport, what: str) -> int:
        """Where the log puts an entry of these words; the same words have one place."""
        words = f"{towards_server} {handshake} {what}".encode()
        entry = Entry.make(EntryType.AUDIT, words, authority, origin)
        reply: Any = await transport.call(ONLOOKER, LOG, Append((entry,)))
        assert reply.results[0].reason == ""
        return int(reply.results[0].index)

    async with line.open() as address:
        straight = GrpcTransport(credentials, {LOG: log.address})
        for place in PLACES:
            bad = GrpcTransport(credentials, {LOG: address}, patience=0.0)
            before = await index(straight if handshake else bad, f"before {place}")
            accepted += 1
            line.arm(towards_server=towards_server, place=place)
            answer = None
            with suppress(UnavailableError):
                answer = await index(bad, f"touched {place}")
            after = await index(straight, f"after {place}")
            if answer is None and not line.armed:
                refused += 1
                # A touched request left nothing; before a touched reply the log may have taken what was really said.
                taken = 0 if towards_server or handshake else 1
                assert after - before - 1 in {0, taken}, place
            else:
                assert answer == before + 1, place
            line.arm(towards_server=towards_server, place=NEVER)
            await bad.close()
        await straight.close()
    return accepted, refused
