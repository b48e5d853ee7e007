"""Log and witnesses over plain HTTP, as anybody meets them who has the C2SP texts and no certificate of ours."""

import asyncio
import hashlib
import io
import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import structlog

from escrow.cli import run
from escrow.crypto.sign import SigningKey
from escrow.ids import Millis, Party
from escrow.roles.machine import Event, Read, Writes
from escrow.roles.pages import Page
from escrow.rpc.home import Home
from escrow.store.memory import MemoryStore
from escrow.tlog import checkpoint, cosignature
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import EMPTY_ROOT, leaf_hash, root_of
from escrow.tlog.note import Note, parse_lines
from escrow.tlog.policy import Policy
from escrow.tlog.quorum import Head
from escrow.tlog.tiles import read_bundle
from escrow.tlog.witnessing import Request
from escrow.warrant.log_policy import policy_file
from escrow.world.founding import Terms
from escrow_server import web
from escrow_server.deployment import ensure
from escrow_server.driver import ServedNode
from escrow_server.web import MOST_BODY, MOST_CONNECTIONS, Web, visitor
from tests.shell.processes import Part

pytestmark = pytest.mark.xdist_group("pages")

GENESIS_ONLY = 1


def visit(address: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(address, timeout=10)
    connection.request(method, path, body or None, headers)
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    return answer, said


def get(address: str, path: str) -> tuple[HTTPResponse, bytes]:
    return visit(address, "GET", path)


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return ensure(tmp_path_factory.mktemp("home"), terms=Terms(witnesses=2, quorum=2))


@pytest.fixture(name="parts", scope="module")
def _parts(home: Home) -> Iterator[dict[str, Part]]:
    """A log that asks its first witness over HTTP and its second over gRPC; the first has never announced itself."""
    with ExitStack() as stack:

        def start(name: str, index: int | None, *options: str) -> Part:
            part = Part(home.folder, name, index, *options)
            stack.callback(part.close)
            return part

        one, two = start("witness", 1, "--http", "127.0.0.1:0"), start("witness", 2)
        (home.folder / "endpoints" / "witness-1").unlink()
        log = start("log", None, "--http", "127.0.0.1:0", "--witness", f"1=http://{one.ready['http']}")
        yield {"log": log, "one": one, "two": two}


@pytest.fixture(name="log", scope="module")
def _log(parts: dict[str, Part]) -> str:
    """Where the log's pages are, once it has a checkpoint."""
    address = parts["log"].ready["http"]
    end = time.monotonic() + 20
    while get(address, "/checkpoint")[0].status != 200:
        assert time.monotonic() < end
        time.sleep(0.05)
    return address


@pytest.fixture(name="witness", scope="module")
def _witness(parts: dict[str, Part], log: str) -> str:
    return parts["one"].ready["http"]


@pytest.fixture(name="policy", scope="module")
def _policy(home: Home) -> Policy:
    return Policy.parse(policy_file(home.genesis))


def head(log: str, policy: Policy) -> Head:
    return policy.head(get(log, "/checkpoint")[1])


# -- the log --------------------------------------------------------------------------------------


def test_the_checkpoint_is_under_the_quorum_and_not_kept_for_long(log: str, policy: Policy, home: Home) -> None:
    answer, note = get(log, "/checkpoint")
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/plain; charset=utf-8")
    assert answer.getheader("Cache-Control") == "public, max-age=2"
    assert policy.head(note).size >= GENESIS_ONLY
    by = {line.name: len(line.blob) for line in Note.parse(note).signatures}
    assert len(by) == 3, "the log, the witness over HTTP and the one over gRPC"
    assert sum(len(line.blob) > 2000 for line in Note.parse(note).signatures) == 3


@pytest.mark.spec("TLG-5")
def test_tiles_and_bundles_make_the_root_of_the_checkpoint(log: str, policy: Policy) -> None:
    size = head(log, policy).size
    answer, data = get(log, f"/tile/entries/000.p/{size}")
    entries = read_bundle(data)
    _, tile = get(log, f"/tile/0/000.p/{size}")
    assert root_of(entries) == policy.head(get(log, "/checkpoint")[1]).root
    assert tile == b"".join(map(leaf_hash, entries))
    assert (answer.status, answer.getheader("Content-Type")) == (200, "application/octet-stream")
    assert "immutable" in str(answer.getheader("Cache-Control"))
    for beyond in (f"/tile/0/000.p/{size + 1}", f"/tile/entries/000.p/{size + 1}", "/tile/0/000", "/tile/1/000.p/1"):
        assert get(log, beyond)[0].status == 404


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/checkpoint/", "/checkpoint?size=1", "/tile/0/0", "/tile/00/000.p/1", "/tile/0/000.p/01"),
        *("/tile/0/000.p/0", "/tile/0/000.p/256", "/tile/0/x000/000.p/1", "/tile/64/000.p/1", "/tile/-1/000.p/1"),
        *("/tile/0/%30%30%30.p/1", "/tile/0/../0/000.p/1", "/tile/entries/1000", "/state.db", "/add-checkpoint"),
    ],
)
def test_there_are_no_other_pages(log: str, path: str) -> None:
    answer, _ = get(log, path)
    assert (answer.status, answer.getheader("Cache-Control")) == (404, "no-store")


def test_the_log_cosigns_nothing(log: str) -> None:
    assert visit(log, "POST", "/add-checkpoint", b"old 0\n\n")[0].status == 404
    assert visit(log, "POST", "/checkpoint", b"x")[0].status == 404


def test_a_head_request_gets_the_headers(log: str) -> None:
    answer, body = visit(log, "HEAD", "/checkpoint")
    assert (answer.status, body) == (200, b"")
    assert int(str(answer.getheader("Content-Length"))) > 1000


def test_one_connection_serves_many_requests(log: str) -> None:
    connection = HTTPConnection(log, timeout=10)
    for path, status in (("/checkpoint", 200), ("/nothing", 404), ("/tile/0/000.p/1", 200)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


# -- what is no proper request --------------------------------------------------------------------


def raw(address: str, data: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b""))


POST = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", b" 400 "),
        (b"GET /checkpoint HTTP/9.9\r\n\r\n", b" 505 "),
        (b"DELETE /checkpoint HTTP/1.1\r\n\r\n", b" 501 "),
        (b"GET /checkpoint HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b" 431 "),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", b" 414 "),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b" 411 "),
        (POST + b"Content-Length: -1\r\n\r\n", b" 400 "),
        (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b" 400 "),
        (POST + b"Content-Length: %d\r\n\r\n" % (MOST_BODY + 1), b" 413 "),
        (POST + b"Content-Length: 999999999999999999999999\r\n\r\n", b" 413 "),
        (POST + b"Content-Length: " + 30 * b"0" + b"9999999\r\n\r\n", b" 413 "),
    ],
)
def test_an_improper_request_is_answered_and_ends_the_connection(witness: str, data: bytes, status: bytes) -> None:
    said = raw(witness, data)
    assert status in said.splitlines()[0]
    assert said.count(b"HTTP/1.1 ") == 1
    assert get(witness, "/checkpoint")[0].status == 404, "and everybody else is served"


def test_a_body_cut_short_is_no_request(witness: str) -> None:
    assert raw(witness, POST + b"Content-Length: 10\r\n\r\nold 0\n") == b""


def test_too_many_connections_are_turned_away_and_the_others_served(log: str) -> None:
    host, _, port = log.rpartition(":")
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection((host, int(port)))) for _ in range(MOST_CONNECTIONS)]
        idle[0].sendall(b"GET /checkpoint HTTP/1.1\r\n\r\n")
        assert b" 200 " in idle[0].recv(4096)
        assert b" 503 " in raw(log, b"").splitlines()[0]
    end = time.monotonic() + 10
    while b" 200 " not in raw(log, b"GET /checkpoint HTTP/1.0\r\n\r\n")[:20]:
        assert time.monotonic() < end
        time.sleep(0.05)


# -- the witness ----------------------------------------------------------------------------------


def add(witness: str, body: bytes) -> tuple[int, str | None, bytes]:
    answer, said = visit(witness, "POST", "/add-checkpoint", body)
    return answer.status, answer.getheader("Content-Type"), said


def request(home: Home, old: int, stated: Checkpoint, *proof: bytes, key: SigningKey | None = None) -> bytes:
    signed = checkpoint.sign(stated, home.genesis.log_key.name, key or home.identity(Party("log")))
    return Request.of(old, proof, signed).encode()


def test_a_witness_answers_with_the_statuses_of_the_specification(
    home: Home, log: str, witness: str, policy: Policy
) -> None:
    now = head(log, policy)
    same = Checkpoint(now.origin, now.size, now.root)
    status, _, said = add(witness, request(home, now.size, same))
    assert status == 200
    keys = home.genesis.witness_keys[0]
    assert [line.claims(key) for line, key in zip(parse_lines(said), keys, strict=True)] == [True, True]
    assert all(cosignature.time_of(Note(same.text(), parse_lines(said)), key) for key in keys)
    conflict = (409, "text/x.tlog.size", b"%d\n" % now.size)
    assert add(witness, request(home, now.size + 1, Checkpoint(now.origin, now.size + 9, bytes(32)))) == conflict
    assert add(witness, request(home, 0, same)) == conflict
    stranger = SigningKey.from_seed(bytes(32))
    refused = {
        "unknown origin": (404, request(home, 0, Checkpoint("log.example/other", 1, bytes(32)))),
        "not the log's key": (403, request(home, now.size, same, key=stranger)),
        "old beyond new": (400, request(home, now.size + 1, same)),
        "not a request": (400, b"old\n\n"),
        "no note": (403, b"old 0\n\nno note"),
        "another root": (422, request(home, now.size, Checkpoint(now.origin, now.size, bytes(32)))),
        "a wrong proof": (422, request(home, now.size, Checkpoint(now.origin, now.size + 1, bytes(32)), bytes(32))),
        "a smaller tree": (409, request(home, 0, Checkpoint(now.origin, 0, EMPTY_ROOT))),
    }
    for what, (expected, body) in refused.items():
        assert add(witness, body)[0] == expected, what
    assert visit(witness, "POST", "/add-checkpoint/", b"old 0\n")[0].status == 404


def test_a_witness_shows_what_it_cosigned_last(home: Home, log: str, witness: str, policy: Policy) -> None:
    origin = home.genesis.log.origin
    answer, note = get(witness, f"/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")
    assert answer.status == 200
    shown = Note.parse(note)
    assert cosignature.verify_checkpoint(shown, home.genesis.log_key).size >= GENESIS_ONLY
    assert all(cosignature.time_of(shown, key) for key in home.genesis.witness_keys[0])
    assert len(shown.signatures) == 3, "the log's Ed25519 signature, which it verified, and its own two"
    assert get(witness, f"/{hashlib.sha256(b'another log').hexdigest()}/checkpoint")[0].status == 404


def test_log_lines_of_pages_hold_no_body(home: Home, log: str, witness: str) -> None:
    add(witness, b"old 0\n\nCANARY\n")
    written = (home.part_folder(Party("witness/1")) / "log.jsonl").read_text(encoding="utf-8")
    pages = [line for line in map(json.loads, written.splitlines()) if line["event"] == "page"]
    assert {"GET", "POST"} <= {line["method"] for line in pages}
    assert "CANARY" not in written


class Broken:
    """A role whose pages have a bug."""

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        return Writes(), None

    def page(self, view: Read, path: str) -> Page:
        raise ZeroDivisionError("a secret value")


def test_a_bug_is_a_status_and_a_line_without_content() -> None:
    written = io.StringIO()
    log = structlog.wrap_logger(structlog.WriteLogger(written), processors=[structlog.processors.JSONRenderer()])

    async def story() -> tuple[int, bytes]:
        transport: Any = None
        node = ServedNode(Party("log"), Broken(), MemoryStore(), transport, lambda: Millis(0), lambda: bytes(32))
        web = Web(("127.0.0.1", 0), visitor(node, log, lambda _: None))
        host, _, port = web.address.rpartition(":")
        with socket.create_connection((host, int(port))):
            answer, body = await asyncio.to_thread(get, web.address, "/checkpoint")
            await web.close()
        return answer.status, body

    assert asyncio.run(story()) == (500, b"something failed that should not\n")
    assert "ZeroDivisionError" in written.getvalue()
    assert "secret" not in written.getvalue()


def test_who_says_a_byte_at_a_time_does_not_keep_its_place_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_SECONDS", 0.5)

    async def visit(_method: str, _path: str, _body: bytes) -> Page:
        return Page(200, b"here")

    def drip(connection: socket.socket) -> int:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        for said in range(100):
            if select.select([connection], [], [], 0.1)[0]:
                return said
            connection.sendall(b"x")
        return 100

    async def story() -> tuple[int, bytes]:
        served = Web(("127.0.0.1", 0), visit)
        host, _, port = served.address.rpartition(":")
        with socket.create_connection((host, int(port))) as slow:
            said = await asyncio.to_thread(drip, slow)
        _, body = await asyncio.to_thread(get, served.address, "/")
        await served.close()
        return said, body

    said, body = asyncio.run(story())
    assert said < 100
    assert body == b"here"


# -- on the command line --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["log", "--http", "0.0.0.0:0"],
        ["log", "--http", "here"],
        ["log", "--witness", "1=https://127.0.0.1:1/"],
        ["log", "--witness", "1=http://example.org:80/"],
        ["log", "--witness", "1=http://127.0.0.1/"],
        ["log", "--witness", "http://127.0.0.1:1/"],
        ["log", "--witness", "3=http://127.0.0.1:1/"],
        ["relay", "--http", "127.0.0.1:0"],
    ],
)
def test_pages_are_for_this_machine_and_for_parts_that_have_some(
    home: Home, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    part, *options = arguments
    assert run(["serve", part, "--home", str(home.folder), *options]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(
    home: Home, log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = ensure(tmp_path / "other")
    assert run(["serve", "log", "--home", str(other.folder), "--http", log]) == 6
    assert "PORT_IN_USE" in capsys.readouterr().err
