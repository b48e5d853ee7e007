"""A demo under bad treatment: parts are killed, it is interrupted, it is killed itself, and nothing is lost or left."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from escrow.errors import EscrowError, IntegrityError, Reason, UnavailableError
from escrow.ids import Party
from escrow.rpc.home import Home
from escrow_lab.demo import fleet as demo_fleet
from escrow_lab.demo.fleet import Fleet
from escrow_server.deployment import ensure
from tests.shell.demos import Demo, command_line, eventually

WITNESS = Party("witness/1")


def write_trace(folder: Path, messages: int) -> Path:
    """A trace among five people over a few days."""
    draw, time, path = random.Random(messages), 0, folder / "trace.txt"
    with path.open("w") as file:
        for _ in range(messages):
            time += draw.randrange(7000)
            file.write(f"{' '.join(draw.sample('abcde', 2))} {time}\n")
    return path


def test_any_part_may_be_killed_while_messages_are_sent_and_none_is_lost(tmp_path: Path) -> None:
    killed = ["witness/2", "custodian/1", "log", "relay"]
    with Demo(tmp_path, "--trace", write_trace(tmp_path, 60)) as demo:
        demo.until("messages-begin")
        for party in killed:
            demo.kill(party)
            demo.until("restart", party=party, code=-signal.SIGKILL)
        _somebody_starts_the_relay_by_hand(demo)
        assert demo.end() == 0, demo.said
    summary = demo.events[-1]
    assert summary["messages_delivered"] == summary["messages_sent"] == 60
    assert summary["restarts"] == Counter([*killed, "relay"])
    assert demo.parts() == []


def _somebody_starts_the_relay_by_hand(demo: Demo) -> None:
    """Whoever comes second ends with a sentence, be it the one who types or the demo."""
    demo.until("restarted", party="relay")
    command = command_line(demo.pids["relay"])
    second = subprocess.run(command, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == Reason.STORE_UNAVAILABLE.kind == 6
    assert "in use by another process" in second.stderr
    assert "Traceback" not in second.stderr
    with demo.stopped():
        demo.kill("relay")
        first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert first.stdout is not None
        assert first.stdout.readline()
    demo.until("restart", party="relay")
    first.communicate()  # this closes its standard input, and it ends
    assert first.returncode == 0
    demo.until("restarted", party="relay")


@pytest.mark.parametrize(("phase", "number"), [("start", signal.SIGINT), ("messages-begin", signal.SIGTERM)])
def test_a_demo_that_is_interrupted_clears_everything_away(tmp_path: Path, phase: str, number: int) -> None:
    with Demo(tmp_path, "--trace", write_trace(tmp_path, 300)) as demo:
        if phase == "start":
            assert eventually(lambda: len(demo.parts()) > 3, 30.0)
        else:
            demo.until(phase)
        _is_cleared_away_after(number, demo)


def test_a_demo_that_is_interrupted_while_custodians_are_asked_clears_everything_away(tmp_path: Path) -> None:
    with Demo(tmp_path, "--trace", write_trace(tmp_path, 4), "--from", "0") as demo:
        demo.until("sealed")
        _is_cleared_away_after(signal.SIGINT, demo)


def _is_cleared_away_after(number: int, demo: Demo) -> None:
    demo.process.send_signal(number)
    if number == signal.SIGINT:
        demo.process.send_signal(number)  # an impatient user
    assert demo.process.stdout is not None
    demo.process.stdout.read()
    assert demo.process.wait(10) == 128 + number
    assert eventually(lambda: not demo.parts())
    assert list(demo.temporary.iterdir()) == []
    assert demo.said.splitlines()[-1] == f"doublelock: interrupted ({signal.Signals(number).name})"
    assert "Traceback" not in demo.said
    assert "Task" not in demo.said


def test_not_even_kill_9_of_the_demo_leaves_a_process(tmp_path: Path) -> None:
    with Demo(tmp_path) as demo:
        demo.until("started")
        assert len(demo.parts()) == 12
        demo.process.kill()
        assert eventually(lambda: not demo.parts())


# -- the fleet alone ------------------------------------------------------------------------------


async def watched(home: Home, party: Party, deaths: int) -> Counter[str]:
    """Start one part and kill it so often; what was heard of it. Raises what makes the fleet give up."""
    heard, served = Counter[str](), asyncio.Event()

    def on_return(_party: Party, _pid: int) -> None:
        served.set()

    fleet = Fleet(home, [party], lambda _party, code: heard.update([str(code)]), on_return)
    try:
        await fleet.start()
        for _ in range(deaths):
            served.clear()
            os.kill(fleet.pids()[party], signal.SIGKILL)
            back: asyncio.Future[Any] = asyncio.ensure_future(served.wait())
            await asyncio.wait([back, fleet.broken], return_when=asyncio.FIRST_COMPLETED)
            back.cancel()
            if fleet.broken.done():
                fleet.broken.result()
    finally:
        await fleet.stop()
    return heard


def test_a_part_that_keeps_dying_is_given_up_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_fleet, "MOST_DEATHS", 1)
    with pytest.raises(UnavailableError) as failure:
        asyncio.run(watched(ensure(tmp_path), WITNESS, 2))
    assert failure.value.reason is Reason.PROCESS_DIED
    assert failure.value.detail.startswith("witness/1 keeps dying")


def blocked(path: Path) -> None:
    path.mkdir()


def damaged(path: Path) -> None:
    path.write_bytes(b"damaged" * 1000)


@pytest.mark.parametrize(("harm", "reason"), [(blocked, Reason.PROCESS_DIED), (damaged, Reason.STORE_CORRUPT)])
def test_a_part_that_cannot_start_is_named_with_what_it_said(
    tmp_path: Path, harm: Callable[[Path], None], reason: Reason
) -> None:
    home = ensure(tmp_path)
    harm(home.part_folder(WITNESS) / "state.db")
    with pytest.raises(EscrowError) as failure:
        asyncio.run(watched(home, WITNESS, 0))
    assert failure.value.reason is reason
    assert failure.value.detail.startswith("witness/1 did not start: The store")


def test_a_part_that_stops_with_lost_integrity_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "doublelock: The log contradicts what it showed before: two roots\n  reason: LOG_INCONSISTENT"
    script = f"import sys; print('{{}}', flush=True); print({words!r}, file=sys.stderr); sys.exit(7)"
    starts = tmp_path / "starts"
    counting = f"open({str(starts)!r}, 'a').write('x'); {script}"
    monkeypatch.setattr(demo_fleet, "_command", lambda *_: [sys.executable, "-c", counting])

    async def story() -> None:
        fleet = Fleet(ensure(tmp_path / "home"), [WITNESS], lambda *_: None, lambda *_: None)
        try:
            await fleet.start()
            await asyncio.wait_for(fleet.broken, 30)
        finally:
            await fleet.stop()

    with pytest.raises(IntegrityError) as failure:
        asyncio.run(story())
    assert failure.value.reason is Reason.LOG_INCONSISTENT
    assert failure.value.detail == "witness/1 stopped: The log contradicts what it showed before: two roots"
    assert starts.read_text() == "x"
