"""The processes of a demo: started together, watched, started again when one is killed, and gone when it ends.

Each child ends by itself when our end of its standard input closes, so that not even ``kill -9`` of the demo leaves
one behind.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from escrow.errors import EscrowError, IntegrityError, Kind, Reason, UnavailableError
from escrow.ids import Party
from escrow.rpc.home import Home

READY_WITHIN: Final = 60.0
STOP_WITHIN: Final = 8.0
ATTEMPTS: Final = 5
"""How often a part that ended is started before it counts as one that cannot be."""
PAUSE: Final = 0.5
STEADY: Final = 10.0
"""Seconds of service after which a part is forgiven that it died before."""
MOST_DEATHS: Final = 20
"""In a row, none of them after steady service: a part that keeps dying is not a demo of anything."""
SAID: Final = "stderr.txt"

OnDeath = Callable[[Party, int], None]
OnReturn = Callable[[Party, int], None]


class Fleet:
    """The parts of one deployment, each a process of its own.

    ``on_death`` hears of each part that ended, with its exit code; ``on_return`` of each that serves again, with its
    new process id.
    """

    def __init__(self, home: Home, parties: Sequence[Party], on_death: OnDeath, on_return: OnReturn) -> None:
        self._home = home
        self._parties = parties
        self._on_death = on_death
        self._on_return = on_return
        self._children: dict[Party, Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when a part cannot be kept running; whoever tells the story waits for it, too."""

    async def start(self) -> None:
        """Start every part; return when all serve.

        Raises ``UnavailableError(PROCESS_DIED)`` naming one that does not, ``IntegrityError`` if its store is damaged.
        """
        starting = [asyncio.create_task(self._start(party)) for party in self._parties]
        try:
            await asyncio.gather(*starting)
        finally:
            await _cancel(starting)
        self._watchers = [asyncio.create_task(self._watch(party)) for party in self._parties]

    def pids(self) -> dict[str, int]:
        """Process id of each part."""
        return {str(party): child.pid for party, child in self._children.items()}

    async def stop(self) -> None:
        """End all parts: politely, then not."""
        await _cancel(self._watchers)
        running = [child for child in self._children.values() if child.returncode is None]
        for child in running:
            with suppress(ProcessLookupError):
                child.terminate()
        if running:
            await asyncio.wait([asyncio.create_task(child.wait()) for child in running], timeout=STOP_WITHIN)
        await asyncio.gather(*(_kill(child) for child in running))
        if self.broken.done() and not self.broken.cancelled():
            self.broken.exception()  # seen

    # -- one part -----------------------------------------------------------------------------

    async def _start(self, party: Party) -> None:
        with _said(self._home, party).open("wb") as said:
            child = await asyncio.create_subprocess_exec(
                *_command(party, self._home),
                stdin=PIPE,
                stdout=PIPE,
                stderr=said,
                start_new_session=True,  # a Ctrl-C is for us; we end the children ourselves
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        self._children[party] = child
        if child.stdout is None:
            raise AssertionError("its output is a pipe")
        try:
            json.loads(await asyncio.wait_for(child.stdout.readline(), READY_WITHIN))
        except (TimeoutError, ValueError):
            await _kill(child)
            raise self._failure(party, "did not start") from None

    async def _watch(self, party: Party) -> None:
        clock, deaths = asyncio.get_running_loop().time, 0
        try:
            while True:
                began = clock()
                code = await self._children[party].wait()
                if code == Kind.INTEGRITY:
                    raise self._failure(party, "stopped")
                deaths = deaths + 1 if clock() - began < STEADY else 1
                if deaths > MOST_DEATHS:
                    raise self._failure(party, "keeps dying")
                self._on_death(party, code)
                await self._revive(party)
                self._on_return(party, self._children[party].pid)
        except EscrowError as error:
            if not self.broken.done():
                self.broken.set_exception(error)

    async def _revive(self, party: Party) -> None:
        """Start a part again. If somebody else was quicker and runs it by hand, wait until they do not."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._start(party)
            except UnavailableError:
                if attempt == ATTEMPTS:
                    raise
            else:
                return
            await asyncio.sleep(PAUSE)
            await self._until_free(party)

    async def _until_free(self, party: Party) -> None:
        """Return when nobody answers where the part was announced last."""
        host, _, port = self._home.endpoints[party].rpartition(":")
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                return
            writer.close()
            await asyncio.sleep(PAUSE)

    def _failure(self, party: Party, what: str) -> EscrowError:
        """What a part that ended said last, as an error that names it."""
        words, reason = _last_words(_said(self._home, party))
        sentence = f"{party} {what}: {words}" if words else f"{party} {what}"
        if reason is not None and reason.kind is Kind.INTEGRITY:
            return IntegrityError(reason, sentence)
        return UnavailableError(Reason.PROCESS_DIED, sentence)


def _command(party: Party, home: Home) -> list[str]:
    part, _, index = party.partition("/")
    chosen = ["--index", index] if index else []
    options = [*chosen, "--home", str(home.folder), "--lab", "--json", "--with-parent"]
    return [sys.executable, "-c", "from escrow.cli import main; main()", "serve", part, *options]


def _said(home: Home, party: Party) -> Path:
    return home.part_folder(party) / SAID


def _last_words(path: Path) -> tuple[str, Reason | None]:
    """The sentence and the reason with which a part of ours ended, if it had time for them."""
    sentence, reason = "", None
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        label, _, rest = line.strip().partition(": ")
        if label == "doublelock":
            sentence = rest
        elif label == "reason" and rest in Reason.__members__:
            reason = Reason[rest]
    return sentence, reason


async def _kill(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
