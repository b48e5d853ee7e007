"""What a service does when its role fails: callers get a status, the operator the place, and lost integrity ends it."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from escrow.cli import run
from escrow.errors import EscrowError, IntegrityError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.calls import AddCheckpoint
from escrow.roles.machine import Called, Event, Read, Tick, Writes
from escrow.rpc.channel import GrpcTransport
from escrow.rpc.home import Home
from escrow_server import runtime
from escrow_server.deployment import ensure

WITNESS = Party("witness/4")
LOG = Party("log")


@dataclass(frozen=True, slots=True)
class Failing:
    """A role that raises ``error`` at each event of one kind."""

    kind: type[Event]
    error: Exception

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        if isinstance(event, self.kind):
            raise self.error
        return Writes(), None


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return ensure(tmp_path_factory.mktemp("home"))


@asynccontextmanager
async def served(home: Home) -> AsyncIterator[GrpcTransport]:
    """The witness in this process, until somebody ends it; the log's transport to it."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    faces = runtime.Faces(("127.0.0.1", 0))
    service = asyncio.ensure_future(
        runtime.serve(home, WITNESS, faces, lab=False, ready=lambda bound, _: ready.set_result(bound)),
    )
    either: list[asyncio.Future[Any]] = [ready, service]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    transport = GrpcTransport(home.credentials(LOG), home.endpoints)
    try:
        yield transport
    finally:
        await transport.close()
        if not service.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await service


def last_call(home: Home) -> dict[str, object]:
    lines = (home.part_folder(WITNESS) / "log.jsonl").read_text(encoding="utf-8").splitlines()
    calls: list[dict[str, object]] = [line for line in map(json.loads, lines) if line["event"] == "call"]
    return calls[-1]


def test_a_bug_is_internal_to_the_caller_and_a_place_to_the_operator(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = Failing(Called, ZeroDivisionError("a secret value"))
    monkeypatch.setattr(runtime, "role_of", lambda *_: role)

    async def story() -> None:
        async with served(home) as transport:
            with pytest.raises(RefusedError) as refusal:
                await transport.call(LOG, WITNESS, AddCheckpoint(b""))
            assert refusal.value.reason is Reason.INTERNAL

    asyncio.run(story())
    line = last_call(home)
    assert (line["bug"], line["outcome"]) == ("ZeroDivisionError", "INTERNAL")
    assert any("test_runtime.py" in place for place in line["place"])  # type: ignore[attr-defined]
    assert "a secret value" not in (home.part_folder(WITNESS) / "log.jsonl").read_text(encoding="utf-8")


def test_an_answer_that_shows_lost_integrity_is_the_last(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    role = Failing(Called, IntegrityError(Reason.LOG_INCONSISTENT, "two roots"))
    monkeypatch.setattr(runtime, "role_of", lambda *_: role)

    async def story() -> None:
        async with served(home) as transport:
            with pytest.raises(EscrowError) as refusal:
                await transport.call(LOG, WITNESS, AddCheckpoint(b""))
            assert refusal.value.reason is Reason.LOG_INCONSISTENT

    with pytest.raises(IntegrityError):
        asyncio.run(story())


def test_a_part_that_loses_integrity_by_itself_stops_with_7(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    role = Failing(Tick, IntegrityError(Reason.STORE_CORRUPT, "page 3"))
    monkeypatch.setattr(runtime, "role_of", lambda *_: role)
    code = run(["serve", "witness", "--index", "4", "--home", str(home.folder)])
    assert code == Reason.STORE_CORRUPT.kind == 7
    assert "page 3" in capsys.readouterr().err


def test_the_folder_of_a_part_is_its_own(home: Home) -> None:
    assert home.part_folder(LOG) == home.folder / "log"
    assert home.part_folder(WITNESS) == Path(home.folder / "parts" / "witness-4")
