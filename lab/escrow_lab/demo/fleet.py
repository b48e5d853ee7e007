"""The processes of a demo: started together, watched, started again when one is killed, and gone when it ends.

Each child ends by itself when our end of its standard input closes, so that not even ``kill -9`` of the demo leaves
one behind.
"""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from escrow.errors import Reason, UnavailableError
from escrow.ids import Party

READY_WITHIN: Final = 60.0
STOP_WITHIN: Final = 8.0
MOST_RESTARTS: Final = 8
"""Over a whole run: parts that keep dying are not a demo of anything."""

OnRestart = Callable[[Party, int], None]


class Fleet:
    """The parts of one deployment in ``home``, each a process of its own."""

    def __init__(self, home: Path, parties: Sequence[Party], on_restart: OnRestart) -> None:
        self._home = home
        self._parties = parties
        self._on_restart = on_restart
        self._children: dict[Party, Process] = {}
        self._watchers: list[asyncio.Task[None]] = []
        self._stopping = False
        self._restarts = 0
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Fails when a part cannot be kept running; whoever tells the story waits for it, too."""

    async def start(self) -> None:
        """Start every part; return when all serve. ``UnavailableError(PROCESS_DIED)`` names one that does not."""
        await asyncio.gather(*(self._start(party) for party in self._parties))
        self._watchers = [asyncio.create_task(self._watch(party)) for party in self._parties]

    def pids(self) -> dict[str, int]:
        """Process id of each part."""
        return {str(party): child.pid for party, child in self._children.items()}

    async def stop(self) -> None:
        """End all parts: politely, then not."""
        self._stopping = True
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        running = [child for child in self._children.values() if child.returncode is None]
        for child in running:
            with suppress(ProcessLookupError):
                child.terminate()
        ends = [asyncio.create_task(child.wait()) for child in running]
        if ends:
            await asyncio.wait(ends, timeout=STOP_WITHIN)
        for child in running:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        if self.broken.done() and not self.broken.cancelled():
            self.broken.exception()  # seen

    async def _start(self, party: Party) -> None:
        part, _, index = party.partition("/")
        chosen = ["--index", index] if index else []
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from escrow.cli import main; main()",
            "serve",
            part,
            *chosen,
            "--home",
            str(self._home),
            "--lab",
            "--json",
            "--with-parent",
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            start_new_session=True,  # a Ctrl-C is for us; we end the children ourselves
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._children[party] = child
        if child.stdout is None:
            raise AssertionError("its output is a pipe")
        try:
            line = await asyncio.wait_for(child.stdout.readline(), READY_WITHIN)
            json.loads(line)
        except (TimeoutError, ValueError) as error:
            raise UnavailableError(Reason.PROCESS_DIED, f"{party} did not start") from error

    async def _watch(self, party: Party) -> None:
        while True:
            code = await self._children[party].wait()
            if self._stopping:
                return
            self._restarts += 1
            if self._restarts > MOST_RESTARTS:
                self._fail(UnavailableError(Reason.PROCESS_DIED, f"{party} keeps dying"))
                return
            self._on_restart(party, code)
            try:
                await self._start(party)
            except UnavailableError as error:
                self._fail(error)
                return

    def _fail(self, error: UnavailableError) -> None:
        if not self.broken.done():
            self.broken.set_exception(error)
