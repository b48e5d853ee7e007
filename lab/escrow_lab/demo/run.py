"""One run of the demo with real processes: set the stage, tell the story, judge it, clear the stage."""

import asyncio
import json
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from escrow.errors import Kind, MalformedError, Reason
from escrow.ids import Party
from escrow.rpc.home import Home
from escrow.warrant.policy import SchemeName
from escrow.world.founding import HOUR, Terms
from escrow_lab.demo.chat_export import read_chat
from escrow_lab.demo.export import export
from escrow_lab.demo.fleet import Fleet
from escrow_lab.demo.interruption import Interruption
from escrow_lab.demo.messages import lab_time
from escrow_lab.demo.narrator import Narrator
from escrow_lab.demo.process_stage import ProcessStage
from escrow_lab.demo.story import Story
from escrow_lab.demo.summary import Summary
from escrow_lab.demo.trace import read_texts, read_trace
from escrow_lab.demo.workload import Workload, from_trace, story, under_warrant
from escrow_server.deployment import ensure


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for on the command line."""

    trace: Path | None
    chat: tuple[Path, ...]
    texts: Path | None
    limit: int | None
    target: str | None
    start: int | None
    end: int | None
    scheme: SchemeName
    seed: int
    as_json: bool
    keep: Path | None


def run(options: Options) -> int:
    """The exit code: 0 if the story went as promised, that of a failed verification if not, 128 + n after signal n."""
    # gRPC prints its own view of every process that goes away unless told so before it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    work = plan(options)
    with Interruption() as interruption, _folder(options.keep) as folder:
        outcome = interruption.run(_tell(options, work, folder))
    if isinstance(outcome, signal.Signals):
        click.echo(f"doublelock: interrupted ({outcome.name})", err=True)
        return 128 + outcome
    return 0 if outcome.as_promised else int(Kind.VERIFICATION)


def plan(options: Options) -> Workload:
    """The workload; ``MalformedError(USAGE)`` for options that contradict each other or files that cannot be read."""
    if options.chat and (options.trace or options.texts):
        raise MalformedError("--chat brings its own messages: it goes without --trace and --texts", Reason.USAGE)
    texts = None if options.texts is None else read_texts(options.texts)
    target, start, end = options.target, options.start, options.end
    if options.chat:
        return under_warrant(read_chat(options.chat, options.limit), target=target, start=start, end=end)
    if options.trace is not None:
        trace = read_trace(options.trace, options.limit)
        return from_trace(trace, texts, target=target, start=start, end=end, seed=options.seed)
    for name, value in (
        ("limit", options.limit),
        ("target", options.target),
        ("from", options.start),
        ("to", options.end),
    ):
        if value is not None:
            raise MalformedError(f"--{name} goes with --trace or --chat", Reason.USAGE)
    return story(options.seed, texts)


async def _tell(options: Options, work: Workload, folder: Path) -> Summary:
    async with AsyncExitStack() as stack:
        record = stack.enter_context(
            (folder / "run.jsonl").open("w", encoding="utf-8") if options.keep else nullcontext()
        )
        narrator = Narrator(as_json=options.as_json, record=record)
        home = ensure(folder, terms=Terms(scheme=options.scheme), start=lab_time(work.messages[0].time) - HOUR)
        restarts = Counter[str]()

        def on_death(party: Party, code: int) -> None:
            restarts[party] += 1
            narrator.say("restart", f"{party} ended with {code}; it is started again.", party=party, code=code)

        def on_return(party: Party, pid: int) -> None:
            narrator.say("restarted", f"{party} serves again.", party=party, pid=pid)

        fleet = Fleet(home, _parties(home), on_death, on_return)
        stack.push_async_callback(fleet.stop)
        await fleet.start()
        narrator.say(
            *("started", f"{len(fleet.pids())} processes serve on loopback; seed {options.seed}."),
            home=str(folder),
            pids=fleet.pids(),
        )
        stage = ProcessStage(home, folder / "people")
        stack.push_async_callback(stage.close)
        tale = Story(stage, work, narrator)
        telling = asyncio.create_task(tale.tell())
        stack.push_async_callback(_cancel, telling)
        either: list[asyncio.Future[Any]] = [telling, fleet.broken]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if fleet.broken.done():
            fleet.broken.result()
        summary = telling.result()
        summary.restarts = dict(restarts)
        if options.keep is not None:
            summary.log_size = await export(stage, tale.warrant_id, folder)
            (folder / "summary.json").write_text(json.dumps(summary.facts(), indent=2) + "\n", encoding="utf-8")
        narrator.summary(summary.facts())
        return summary


async def _cancel(task: "asyncio.Task[Summary]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _parties(home: Home) -> list[Party]:
    witnesses = [Party(f"witness/{index}") for index in range(1, len(home.genesis.witnesses) + 1)]
    custodians = [Party(name) for name in home.genesis.custodian_keys]
    return [Party("log"), *witnesses, Party("relay"), Party("authority"), *custodians]


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="doublelock-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    try:
        keep.mkdir(parents=True, exist_ok=True)
        empty = not any(keep.iterdir())
    except OSError as error:
        raise MalformedError(f"--keep {keep}: {error.strerror}", Reason.USAGE) from error
    if not empty:
        raise MalformedError(f"--keep {keep}: the folder is not empty", Reason.USAGE)
    yield keep.resolve()
