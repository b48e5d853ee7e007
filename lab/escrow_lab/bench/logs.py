"""Logs to be measured: ours as it is served, the least that could be durable, and pymerkle, if it is installed."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from importlib import import_module
from itertools import count
from os import urandom
from pathlib import Path
from random import Random
from typing import Any, Final

from escrow.crypto.sign import SigningKey
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.calls import Append
from escrow.roles.ledger import LEAVES
from escrow.roles.log import Log
from escrow.roles.log.publishing import TREE
from escrow.roles.machine import Called, Draft, Read, Writes
from escrow.secret import Secret
from escrow.store.sqlite import SqliteStore
from escrow.tlog import checkpoint
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.world.founding import Terms, found
from escrow_lab.bench import floor
from escrow_lab.bench.measure import Step

BATCH: Final = 256
ENTRY: Final = 300
"""Bytes of an entry; a release intent has about as many."""
OVERHEAD: Final = 153
"""Bytes of an entry that are not its payload."""
ORIGIN: Final = "log.example/bench"

TURNS: Final = 4
"""How often ours does its work in one step: a service is in its event loop already when it is called."""

_KEY = SigningKey.from_seed(b"s" * 32)
_BUILDING: Final = 1 << 16


def batch(size: int) -> list[bytes]:
    """Entries that nobody has seen."""
    return [urandom(ENTRY) for _ in range(size)]


def hashing(entries: Sequence[bytes]) -> Step:
    """RFC 6962 over a batch that fills a subtree: each leaf, and nearly one node for each leaf above them."""
    single = len(entries) == 1

    def run() -> None:
        row = [sha256(b"\x00" + entry).digest() for entry in entries]
        while len(row) > 1:
            row = [sha256(b"\x01" + row[at] + row[at + 1]).digest() for at in range(0, len(row) - 1, 2)]
        if single:
            sha256(b"\x01" + row[0] + row[0]).digest()

    return run


def look_ups(number: int) -> Step:
    """So many hashes looked up by their primary key, each by itself, in a table in memory."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE node (place INTEGER PRIMARY KEY, hash BLOB NOT NULL)")
    database.executemany("INSERT INTO node VALUES (?, ?)", ((place, urandom(32)) for place in range(10_000)))
    places = Random(0).choices(range(10_000), k=number)

    def run() -> None:
        for place in places:
            database.execute("SELECT hash FROM node WHERE place = ?", (place,)).fetchone()

    return run


async def _each(job: Callable[[], Awaitable[object]]) -> None:
    for _ in range(TURNS):
        await job()


def turns(step: Step) -> Step:
    """The same number of turns of somebody else's step."""
    return floor.both(*TURNS * [step])


class Tree:
    """Our log without its register: entries, tree, signed checkpoint, one commit."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.store = SqliteStore(folder / "ours.db")
        self._runner = runner

    def appending(self, entries: Sequence[bytes]) -> Step:
        """``TURNS`` commits, each of which adds ``entries`` and signs the new root."""

        def step(view: Read) -> tuple[Writes, None]:
            draft = Draft(view)
            for entry in entries:
                draft.append(LEAVES, entry)
            size = TREE.grow(draft, [leaf_hash(entry) for entry in entries]) + len(entries)
            note = checkpoint.sign(Checkpoint(ORIGIN, size, TREE.root(draft, size)), ORIGIN, _KEY)
            draft.put(b"head", note)
            return draft.writes(), None

        return lambda: self._runner.run(_each(lambda: self.store.commit(step)))


class Logged:
    """Our log as it is called: what a custodian says is parsed, entitled, its signature checked, filed, then kept."""

    def __init__(self, folder: Path, runner: asyncio.Runner, batches: int, size: int) -> None:
        founding = found(Secret(bytes(32)), Terms())
        genesis, submitter = founding.genesis, SigningKey.from_seed(founding.parties[Party("custodian/1")])
        log = Log(genesis, SigningKey.from_seed(founding.parties[Party("log")]))
        store = SqliteStore(folder / "logged.db")
        transport: Any = None  # nothing is delivered
        self.node = Node(Party("log"), log, store, transport, lambda: Millis(1_000), lambda: bytes(32))
        self._runner = runner

        def said() -> bytes:
            return Entry.make(EntryType.DKG_COMMIT, urandom(ENTRY - OVERHEAD), submitter, genesis.log.origin)

        self._calls = iter([Append(tuple(said() for _ in range(size))) for _ in range(batches)])

    def append(self) -> None:
        """Take the next ``TURNS`` batches; fails loudly if a single entry of them is refused."""
        self._runner.run(_each(self._append))

    async def _append(self) -> None:
        reply = await self.node.step(Called(Party("custodian/1"), next(self._calls)))
        if any(result.reason for result in reply.results):
            raise AssertionError("the log refuses what is to be measured")


class Proofs:
    """A log of ours with ``size`` leaves, asked for proofs of entries all over it."""

    def __init__(self, folder: Path, runner: asyncio.Runner, size: int) -> None:
        self.store, self._runner, self._size = SqliteStore(folder / "proofs.db"), runner, size
        for start in range(0, size, _BUILDING):
            leaves = [leaf_hash(b"%d" % index) for index in range(start, min(size, start + _BUILDING))]
            runner.run(self.store.commit(_growing(leaves)))
        self._indices = Random(0).choices(range(size), k=1_000)
        self._turn = count()

    def inclusion(self) -> None:
        """``TURNS`` proofs, read from the store."""
        self._runner.run(_each(self._inclusion))

    async def _inclusion(self) -> object:
        index = self._indices[next(self._turn) % len(self._indices)]
        return await self.store.read(lambda view: TREE.inclusion(view, index, self._size))


def _growing(leaves: list[bytes]) -> Callable[[Read], tuple[Writes, None]]:
    def step(view: Read) -> tuple[Writes, None]:
        draft = Draft(view)
        TREE.grow(draft, leaves)
        return draft.writes(), None

    return step


class Bare:
    """The least that is durable and signed: the hashing, a signature, and the entries in a table of their own."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "bare.db", isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "locking_mode = EXCLUSIVE"):
            self._database.execute(f"PRAGMA {pragma}")
        self._database.execute("CREATE TABLE entry (place INTEGER PRIMARY KEY, data BLOB NOT NULL)")

    def appending(self, entries: Sequence[bytes]) -> Step:
        """One transaction."""
        hashed, rows = hashing(entries), [(entry,) for entry in entries]

        def run() -> None:
            hashed()
            _KEY.sign(bytes(100))
            self._database.execute("BEGIN")
            self._database.executemany("INSERT INTO entry (data) VALUES (?)", rows)
            self._database.execute("COMMIT")

        return run


class Pymerkle:
    """pymerkle 7 over SQLite, at the durability that SQLite has by itself, which is FULL."""

    def __init__(self, folder: Path, size: int = 0) -> None:
        # Nobody publishes types for it, and where it is not installed a type checker does not even find it.
        tree: Any = import_module("pymerkle").SqliteTree
        self._tree = tree(str(folder / "pymerkle.db"))
        self._tree.append_entries([b"%d" % index for index in range(size)])
        self._indices = Random(0).choices(range(1, size + 1), k=1_000) if size else []
        self._turn = count()

    def appending(self, entries: Sequence[bytes]) -> Step:
        """Entries added in its bulk operation, the new root, a signature."""

        def run() -> None:
            self._tree.append_entries(entries)
            _KEY.sign(self._tree.get_root())

        return run

    def inclusion(self) -> object:
        """One proof."""
        return self._tree.prove_inclusion(self._indices[next(self._turn) % len(self._indices)])
