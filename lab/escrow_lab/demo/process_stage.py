"""The stage of real processes: every part behind gRPC with mutual TLS and its own SQLite file, on loopback.

Messengers and agencies run in this process, each with its own certificate, channel and store, as their command lines
would run them.
"""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from escrow.cli.keys import Keys
from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, UnavailableError
from escrow.ids import Millis, Party
from escrow.node import Node, Transport
from escrow.roles.agency import Agency
from escrow.roles.callers import device_party
from escrow.roles.calls import Call, GetCommittee, GetHead, Reply
from escrow.roles.device import Device
from escrow.roles.device.commands import Register
from escrow.roles.machine import Read
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.clocks import LabClock
from escrow.rpc.home import Home
from escrow.rpc.settle import Settle
from escrow.store import MemoryStore
from escrow.store.keyring import PLACE, unlock
from escrow.store.sealed import Seal, SealedStore, SealedView
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.note import Note
from escrow_client.deployment import Deployment

PATIENCE: Final = 20.0
"""Seconds to repeat a call to a part that is being started again."""
PAUSE: Final = 0.5
SETTLE_ATTEMPTS: Final = 10
KEY_GENERATION_WITHIN: Final = 90.0
REGISTERED_AT_ONCE: Final = 16
LABORATORY: Final = "person/laboratory"


class ProcessStage:
    """See ``Stage``."""

    def __init__(self, home: Home, people: Path) -> None:
        self.genesis = home.genesis
        self._home = home
        self._people = people
        self._keys = Keys(key_file=people / "store.key")
        self._writer = ThreadPoolExecutor(1, "store")
        self._deployment = Deployment.open(home.folder, lab=True, executor=self._writer, patience=PATIENCE)
        self._clock = LabClock(home.clock_path)
        self._settled = self._clock()
        self._devices: dict[str, Node] = {}
        self._agencies: dict[str, Node] = {}
        self._transports: dict[str, GrpcTransport] = {}
        self._stores: list[SealedStore] = []
        self._begun: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Let go of stores and channels, and of whatever was begun and nobody waits for any more."""
        begun = list(self._begun)
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        for store in self._stores:
            await store.close()
        for transport in self._transports.values():
            await transport.close()
        self._writer.shutdown()

    # -- time ---------------------------------------------------------------------------------

    @property
    def now(self) -> Millis:
        """See ``Stage.now``."""
        return self._clock()

    async def advance_to(self, when: int) -> None:
        """See ``Stage.advance_to``: the relay logs its receipts on the way, as it would have."""
        cadence = self.genesis.policy.ingest_cadence
        while when - self._settled >= cadence:
            self._clock.advance_to(max(self.now, min(when, self._settled + cadence)))
            self._settled = self.now
            if await self._settle("relay") == 0:
                break  # nothing is waiting for the log
        self._clock.advance_to(max(when, self.now))

    async def pause(self) -> None:
        """See ``Stage.pause``."""
        await asyncio.sleep(PAUSE)

    async def begin(self, job: Coroutine[Any, Any, None]) -> Awaitable[None]:
        """See ``Stage.begin``."""
        task = asyncio.create_task(job)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return task

    async def settle(self) -> None:
        """See ``Stage.settle``: first whoever logs something, then whoever follows the log."""
        for parties in (["authority", "relay"], ["log"], ["authority", "relay", *self.genesis.custodian_keys]):
            await asyncio.gather(*(self._settle(party) for party in parties), return_exceptions=True)

    async def _settle(self, party: str) -> int:
        """Settle one part, which may be closing its store to be started again; when it has to do something next."""
        for attempt in range(1, SETTLE_ATTEMPTS + 1):
            try:
                settled: Any = await self.call(LABORATORY, party, Settle())
            except UnavailableError:
                if attempt == SETTLE_ATTEMPTS:
                    raise
                await self.pause()
            else:
                return int(settled.next_due)
        raise AssertionError("the last attempt returns or raises")

    # -- parties ------------------------------------------------------------------------------

    async def committee(self) -> int:
        """See ``Stage.committee``."""
        end = asyncio.get_running_loop().time() + KEY_GENERATION_WITHIN
        while asyncio.get_running_loop().time() < end:
            asked = (self.call(LABORATORY, party, GetCommittee()) for party in self.genesis.custodian_keys)
            replies: list[Any] = await asyncio.gather(*asked)
            if all(reply.generation for reply in replies):
                return 1 + max(int(reply.run) for reply in replies)
            await asyncio.sleep(0.2)
        raise UnavailableError(Reason.NO_COMMITTEE_KEY)

    async def register(self, names: Sequence[str]) -> None:
        """See ``Stage.register``; several at a time."""
        gate = asyncio.Semaphore(REGISTERED_AT_ONCE)

        async def one(place: int, name: str) -> None:
            async with gate:
                self._devices[name] = await self._register(f"{place:04d}", name)

        await asyncio.gather(*(one(place, name) for place, name in enumerate(names, start=len(self._devices))))

    async def _register(self, folder: str, name: str) -> Node:
        store, role = await self._open(self._people / folder / "device.db"), Device(self.genesis)
        # An account gets its id, and with it its certificate, by being made.
        newborn = self._deployment.node(Party(LABORATORY), role, store, self._transport(LABORATORY))
        registered: Any = await newborn.ask(newborn.party, Register(name))
        party = device_party(registered.account, 1)
        node = self._deployment.node(party, role, store, self._transport(party))
        left = await node.pump()
        if left:
            raise UnavailableError(Reason.UNAVAILABLE, left[0].to)
        return node

    def device(self, name: str) -> Node:
        """See ``Stage.device``."""
        return self._devices[name]

    async def agency(self, name: str) -> Node:
        """See ``Stage.agency``."""
        if name not in self._agencies:
            party, store = Party(f"agency/{name}"), await self._open(self._people / f"agency-{name}" / "state.db")
            role = Agency(self.genesis, name)
            self._agencies[name] = self._deployment.node(party, role, store, self._transport(party))
        return self._agencies[name]

    async def call(self, origin: str, to: str, call: Call) -> Reply:
        """See ``Stage.call``."""
        return await self._transport(origin).call(Party(origin), Party(to), call)

    def person_key(self, name: str) -> SigningKey:
        """See ``Stage.person_key``."""
        return self._home.person(name)

    def party_key(self, party: str) -> SigningKey:
        """See ``Stage.party_key``."""
        return self._home.identity(Party(party))

    async def stolen_disk(self, party: str) -> Read:
        """See ``Stage.stolen_disk``."""
        return await stolen(self._home, Party(party))

    async def log_size(self) -> int:
        """See ``Stage.log_size``."""
        head: Any = await self.call(LABORATORY, "log", GetHead(0, 0))
        return Checkpoint.parse(Note.parse(head.note).text).size

    # -- means --------------------------------------------------------------------------------

    async def _open(self, path: Path) -> SealedStore:
        path.parent.mkdir(parents=True, exist_ok=True)
        store = await self._deployment.store(path, self._keys, new=True)
        self._stores.append(store)
        return store

    def _transport(self, origin: str) -> Transport:
        if origin not in self._transports:
            self._transports[origin] = self._deployment.transport(self._home.issue(Party(origin)))
        return self._transports[origin]


async def stolen(home: Home, party: Party) -> Read:
    """A part's state from its database file, past its process.

    A custodian's store is sealed; its key lies beside it, and whoever takes the disk takes both.
    """
    folder = home.part_folder(party)
    disk = _copy(folder / "state.db")
    if disk.get(PLACE) is None:
        return disk
    key = await unlock(disk, lambda kind: Keys(make=False).lock(folder, kind), name=party, new=False)
    return SealedView(disk, Seal(key, party))


def _copy(path: Path) -> MemoryStore:
    """The whole state in a database file: the part's process holds the file alone, a thief takes the disk."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", folder)
        with closing(sqlite3.connect(Path(folder) / path.name)) as database:
            values = dict(database.execute("SELECT key, value FROM kv"))
            streams: dict[str, list[bytes]] = {}
            for name, record in database.execute("SELECT name, value FROM stream ORDER BY name, seq"):
                streams.setdefault(name, []).append(record)
    copy = MemoryStore()
    copy.restore((values, streams))
    return copy
