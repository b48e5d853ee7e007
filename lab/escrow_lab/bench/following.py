"""What it takes a custodian to follow the log of a country: start-up with an empty store, until it may decide anything.

As many warrants as were in force in the United Kingdom at the end of 2017 (1,974), and as many acts as its commissioner
counted in 2023 (just under 360,000; both from IPCO's annual reports), each an entry under its party's signature. The
least that this can cost is to check the signatures.
"""

import asyncio
import hashlib
import resource
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from os import urandom
from pathlib import Path
from time import process_time
from typing import Final, NamedTuple

from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u32, u64
from escrow.ids import Millis, Party
from escrow.roles.calls import GetUpdate, Update
from escrow.roles.follower import LIMIT, LOG, Follower
from escrow.roles.machine import Draft, Read, Todo, Writes
from escrow.roles.warrant_ledger import SEAL
from escrow.secret import Secret
from escrow.store.port import Step
from escrow.store.sqlite import SqliteStore
from escrow.tlog import checkpoint, cosignature, tree
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.tlog.note import Note
from escrow.warrant.genesis import Genesis
from escrow.warrant.release import Outcome, ReleaseIntent, ReleaseRecord
from escrow.warrant.sealing import SealedLeaf, WarrantClass
from escrow.world.founding import Founding, Terms, found
from escrow_lab.bench.measure import Figure

WARRANTS: Final = 1974
ACTS: Final = 360_000
NOW: Final = 1_700_000_000
"""Seconds; when the witnesses have cosigned."""
END: Final = 1000 * (NOW + 365 * 86_400)
SAMPLE: Final = 40
"""Signatures of each page that are checked once more, alone, for the limit."""


class Followed(NamedTuple):
    """What a follower's process counted: seconds of CPU for all and for the bare signatures, MB, intents found."""

    seconds: float
    least: float
    megabytes: int
    intents: int


def figure(*, quick: bool = False) -> Figure:
    """Seconds of CPU to follow the whole log into SQLite; how much memory that took beyond an empty one."""
    acts, warrants = (2_000, 20) if quick else (ACTS, WARRANTS)
    founding = found(Secret(urandom(32)), Terms())
    with tempfile.TemporaryDirectory(prefix="doublelock-", ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "entries"
        intents = sum(entry.type is EntryType.RELEASE_INTENT for entry in _written(path, founding, warrants, acts))
        note, proofs = _cosigned(path, founding)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            got = pool.submit(follow, path, founding.document, note, proofs).result()
    if got.intents != intents:
        raise AssertionError("what was logged is found again under its warrant")
    also = {"warrants": warrants, "MB of memory": got.megabytes, "us an entry": round(1e6 * got.seconds / acts)}
    return Figure(f"follow-{acts}", "s", got.seconds, got.least, {}, (), 1, 0.0, also)


def follow(path: Path, document: bytes, note: bytes, proofs: list[tuple[bytes, ...]]) -> Followed:
    """In a process of its own: take the log page by page, as its answers come, into a new store."""
    return asyncio.run(_follow(path, Genesis.parse(document), note, proofs))


async def _follow(path: Path, genesis: Genesis, note: bytes, proofs: list[tuple[bytes, ...]]) -> Followed:
    store, follower = SqliteStore(path.parent / "follower.db"), Follower(genesis)
    before, seconds, least, start = _memory(), 0.0, 0.0, 0
    try:
        for page, proof in zip(_pages(path), proofs, strict=True):
            begun = process_time()
            await store.commit(_taking(follower, Update(start, tuple(page), note, proof)))
            seconds += process_time() - begun
            sample = [Entry.decode(data) for data in page[:SAMPLE]]
            begun = process_time()
            for entry in sample:
                entry.verify(genesis.log.origin)
            least += (process_time() - begun) * len(page) / len(sample)
            start += len(page)
        tags = await store.read(lambda view: [key[len(SEAL) : len(SEAL) + 32] for key, _ in view.scan(SEAL)])
        intents = await store.read(lambda view: sum(len(follower.intents(view, tag)) for tag in tags))
    finally:
        await store.close()
    return Followed(seconds, least, _memory() - before, intents)


def _taking(follower: Follower, update: Update) -> Step[None]:
    todo = Todo(0, LOG, GetUpdate(update.start, 0, LIMIT))

    def step(view: Read) -> tuple[Writes, None]:
        draft = Draft(view)
        follower.on_update(draft, todo, update, Millis(1000 * NOW))
        return draft.writes(), None

    return step


def _memory() -> int:
    """The most that this process has had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


# -- the log ----------------------------------------------------------------------------------------------


def _written(path: Path, founding: Founding, warrants: int, acts: int) -> Iterator[Entry]:
    """Write a log to a file, one entry after the other, and say what is in it."""
    with path.open("wb") as file:
        for entry in _entries(founding, warrants, acts):
            file.write(u32(len(entry)) + entry)
            yield Entry.decode(entry)


def _entries(founding: Founding, warrants: int, acts: int) -> Iterator[bytes]:
    """Seals first; then requests, each announced by three custodians and recorded by them."""
    genesis, authority = founding.genesis, SigningKey.from_seed(founding.parties[Party("authority")])
    custodians = [SigningKey.from_seed(founding.parties[Party(f"custodian/{index}")]) for index in (1, 2, 3)]
    tags = [hashlib.sha256(u64(number)).digest() for number in range(warrants)]

    def signed(kind: EntryType, payload: bytes, key: SigningKey) -> bytes:
        return Entry.make(kind, payload, key, genesis.log.origin)

    for tag in tags:
        terms = WarrantClass.HISTORICAL, 4, False, 0, END, genesis.policy.hash, 60
        yield signed(EntryType.WARRANT_SEALED, SealedLeaf(tag, tag, authority.public, *terms).encode(), authority)
    for place in range(acts - warrants):
        request, turn = divmod(place, 2 * len(custodians))
        releasing, custodian = divmod(turn, len(custodians))
        tag, key, name = tags[request % warrants], custodians[custodian], hashlib.sha256(u32(request)).digest()
        if releasing:
            record = ReleaseRecord(tag, key.public, name, name, Outcome.RELEASED)
            yield signed(EntryType.RELEASE_RECORD, record.encode(), key)
        else:
            intent = ReleaseIntent(tag, key.public, tag, 0, name, name, 3, bytes(64))
            yield signed(EntryType.RELEASE_INTENT, intent.encode(), key)


def _pages(path: Path) -> Iterator[list[bytes]]:
    """What is in the file, as the log hands it out."""
    with path.open("rb") as file:
        page = list[bytes]()
        while header := file.read(4):
            page.append(file.read(number(header)))
            if len(page) == LIMIT:
                yield page
                page = []
    if page:
        yield page


def _cosigned(path: Path, founding: Founding) -> tuple[bytes, list[tuple[bytes, ...]]]:
    """The checkpoint of the whole log under all its witnesses, and the consistency proof of each page."""
    nodes: tree.Nodes = {}
    sizes, size = list[int](), 0

    def read(level: int, index: int) -> bytes:
        return nodes[level, index]

    for page in _pages(path):
        size, more = tree.append(size, [leaf_hash(data) for data in page], read)
        nodes |= more
        sizes.append(size)
    origin = founding.genesis.log.origin
    note = checkpoint.sign(
        Checkpoint(origin, size, tree.root(size, read)), origin, SigningKey.from_seed(founding.parties[Party("log")])
    )
    text = Note.parse(note).text
    for party, seed in founding.parties.items():
        if party.startswith("witness/"):
            note += cosignature.sign(text, f"doublelock.lab/{party}", SigningKey.from_seed(seed), NOW)
    return note, [tree.consistency(each, size, read) if each < size else () for each in sizes]
