"""LOG-03: requests that reach a witness at once are decided one after the other, each on the record of the one before.

Otherwise two requests that are both right when they are checked would roll one of them back (C2SP tlog-witness).
"""

import asyncio
import tempfile
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from escrow.encoding import number
from escrow.errors import EscrowError
from escrow.ids import Millis, Party
from escrow.roles.calls import AddCheckpoint, Cosigned
from escrow.roles.pages import Page, read_cosigned
from escrow.roles.witness import Witness
from escrow.store.sqlite import SqliteStore
from escrow.tlog import checkpoint, cosignature, tree
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import leaf_hash
from escrow.tlog.note import Note, parse_lines
from escrow.tlog.witnessing import Request
from escrow_server.driver import ServedNode
from escrow_server.web import Web, visitor
from tests.claims.measures import Census, effort
from tests.core.warrant.office import GENESIS, ORIGIN, key

pytestmark = pytest.mark.claim("LOG-03")

MOST = 24
Asked = tuple[int, int, bool]
"""From which size to which, and whether in the history that began otherwise."""


def history(first: bytes) -> tree.ReadNode:
    def nothing(level: int, index: int) -> bytes:
        raise AssertionError(f"node {level}, {index}")

    _, nodes = tree.append(0, [leaf_hash(first), *(leaf_hash(b"%d" % index) for index in range(1, MOST))], nothing)
    return lambda level, index: nodes[level, index]


HISTORIES = (history(b"0"), history(b"another past"))


def request(old: int, size: int, other: int) -> bytes:
    read = HISTORIES[other]
    proof = tree.consistency(old, size, read) if 0 < old < size else ()
    return Request.of(
        old, proof, checkpoint.sign(Checkpoint(ORIGIN, size, tree.root(size, read)), ORIGIN, key("log"))
    ).encode()


REQUESTS = {
    (old, size, other): request(old, size, other)
    for other in (False, True)
    for size in range(1, MOST)
    for old in range(size + 1)
}


def witness(folder: str) -> ServedNode:
    role, store = Witness(GENESIS, 1, key("witness/1")), SqliteStore(Path(folder) / "state.db")
    return ServedNode(Party("witness/1"), role, store, None, lambda: Millis(5_000), lambda: bytes(32))


def check(asked: Sequence[Asked], answers: Sequence[Cosigned | EscrowError], recorded: bytes | None) -> str:
    """The cosigned checkpoints are steps of one path through one history, and the record is where it ends."""
    steps = [one for one, answer in zip(asked, answers, strict=True) if isinstance(answer, Cosigned) and answer.line]
    for (old, size, other), answer in zip(asked, answers, strict=True):
        if (old, size, other) in steps and isinstance(answer, Cosigned) and answer.line:
            text = Checkpoint(ORIGIN, size, tree.root(size, HISTORIES[other])).text()
            assert cosignature.time_of(Note(text, parse_lines(answer.line)), GENESIS.witness_rule.witnesses[0]) == 5
    assert len({other for _, _, other in steps}) <= 1, "two histories were cosigned"
    growing = {(old, size) for old, size, _ in steps if old < size}
    at = 0
    for old, size in sorted(growing):
        assert old == at, f"size {old} was left twice, or never reached"
        at = size
    assert all(old in {0, *(end for _, end in growing)} for old, _, _ in steps)
    assert at == (number(recorded[:8]) if recorded else 0), "the record was rolled back"
    return "raced" if len(growing) < sum(old == 0 for old, _, _ in asked) else "in turn"


asking = st.integers(1, MOST - 1).flatmap(
    lambda size: st.tuples(st.just(0) | st.integers(0, size), st.just(size), st.integers(0, 4).map(lambda n: n == 4))
)


@pytest.mark.spec("TLG-6")
@effort(0.6)
@given(st.lists(asking, min_size=1, max_size=8), st.lists(asking, max_size=8))
def test_at_once_is_one_after_the_other(census: Census, first: list[Asked], then: list[Asked]) -> None:
    async def story(folder: str) -> tuple[list[Any], bytes | None]:
        node = witness(folder)
        answers: list[Any] = []
        for batch in (first, then):
            calls = [node.ask(Party("anybody"), AddCheckpoint(REQUESTS[one])) for one in batch]
            answers += await asyncio.gather(*calls, return_exceptions=True)
        await node.store.close()
        again = witness(folder)
        recorded = await again.read(lambda view: view.get(b"recorded"))
        await again.store.close()
        return answers, recorded

    with tempfile.TemporaryDirectory() as folder:
        answers, recorded = asyncio.run(story(folder))
    census(check([*first, *then], answers, recorded))


def test_over_http_too(census: Census) -> None:
    asked = [(0, size, size % 3 == 0) for size in range(1, MOST)]

    async def story(folder: str) -> tuple[list[Any], bytes | None]:
        node = witness(folder)
        web = Web(("127.0.0.1", 0), visitor(node, structlog.get_logger(), lambda _: None))
        answers = await asyncio.gather(*(asyncio.to_thread(post, web.address, *one) for one in asked))
        await web.close()
        recorded = await node.read(lambda view: view.get(b"recorded"))
        await node.store.close()
        return list(answers), recorded

    with tempfile.TemporaryDirectory() as folder:
        answers, recorded = asyncio.run(story(folder))
    assert sum(isinstance(one, Cosigned) and bool(one.line) for one in answers) == 1
    census(check(asked, answers, recorded))


def post(address: str, old: int, size: int, other: bool) -> Cosigned | EscrowError:
    connection = HTTPConnection(address, timeout=10)
    connection.request("POST", "/add-checkpoint", REQUESTS[old, size, other])
    answer = connection.getresponse()
    page = Page(answer.status, answer.read(), answer.getheader("Content-Type") or "")
    connection.close()
    try:
        return read_cosigned(page, size)
    except EscrowError as error:
        return error
