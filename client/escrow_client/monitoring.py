"""``doublelock audit monitor`` and ``audit report``: anybody follows the log, with no office and no secret."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from escrow_client.options import home_option, json_option, lab_option, run
from escrow_client.output import Output, moment

if TYPE_CHECKING:
    from escrow.node import Node
    from escrow.roles.monitor.commands import Finding, Findings, Report, Watched
    from escrow_client.line import Line

state_option = click.option(
    "--state",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where the monitor remembers the log.",
)


def watched_of(text: str) -> "Watched":
    """``ACCOUNT:VERSION``, the account as 64 hexadecimal digits."""
    from escrow.roles.monitor.commands import Watched

    account, _, version = text.partition(":")
    try:
        watched = Watched(bytes.fromhex(account), int(version))
    except ValueError:
        watched = Watched(b"", 0)
    if len(watched.account) != 32:
        raise click.BadParameter(f"{text!r} is no account and version of its list, like 1f…9a:0")
    return watched


@click.command()
@home_option
@state_option
@click.option("--once", is_flag=True, help="Look once and end: with 4 if anything is wrong, with 7 for a fork.")
@click.option(
    "--interval", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds between looks."
)
@click.option(
    "--checkpoint",
    "checkpoints",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="A checkpoint that somebody else was shown; repeatable.",
)
@click.option(
    "--account",
    "watched",
    type=watched_of,
    multiple=True,
    metavar="ACCOUNT:VERSION",
    help="Raise an alarm if this account has a newer device list than VERSION; repeatable.",
)
@lab_option
@json_option
def monitor(
    home: Path,
    state: Path,
    interval: float,
    checkpoints: tuple[Path, ...],
    watched: "tuple[Watched, ...]",
    *,
    once: bool,
    lab: bool,
    as_json: bool,
) -> None:
    """Follow the log and its witnesses, and say what should not have happened.

    Without --once it goes on until it is interrupted, and says of each new alarm once. What it has seen it remembers in
    --state, so that a log that rewrites what was read before is noticed.
    """
    out, notes = Output(as_json=as_json), [path.read_bytes() for path in checkpoints]

    async def command() -> "Findings":
        said = set[object]()
        async with _following(home, state, lab=lab) as (node, line):
            while True:
                found = await _look(node, line, notes, watched)
                _show(out, found, [one for one in found.findings if one not in said])
                if once:
                    return found
                said.update(found.findings)
                await asyncio.sleep(interval)

    _raise_for(run(command))


@click.command()
@home_option
@state_option
@click.option("--year", type=click.IntRange(1970, 9999), required=True, help="Year of the report (UTC).")
@lab_option
@json_option
def report(home: Path, state: Path, year: int, *, lab: bool, as_json: bool) -> None:
    """Count what the log shows of a year: the transparency report, from the entries alone."""

    async def command() -> "Report":
        from escrow.roles.monitor.commands import GetReport

        async with _following(home, state, lab=lab) as (node, line):
            await _look(node, line, (), ())
            return cast("Report", await node.ask(node.party, GetReport(year)))

    said, out = run(command), Output(as_json=as_json)
    counts = {name: getattr(said, name) for name in said.__struct_fields__}
    denials = dict(counts.pop("denials"))
    lines = [f"{name.replace('_', ' '):16} {count}" for name, count in counts.items()]
    lines += [f"denied: {reason:8} {count}" for reason, count in denials.items()]
    out.data("report", "\n".join(lines), **counts, denials=denials)


@asynccontextmanager
async def _following(home: Path, state: Path, *, lab: bool) -> "AsyncIterator[tuple[Node, Line]]":
    from escrow.ids import Party
    from escrow.roles.monitor import Monitor
    from escrow.store.sqlite import SqliteStore
    from escrow_client.deployment import Deployment
    from escrow_client.line import Line

    deployment, me = Deployment.open(home, lab=lab), Party("person/monitor")
    store, line = SqliteStore(state), Line()
    try:
        await line.connect(deployment.transport(deployment.home.issue(me)))
        role = Monitor(deployment.genesis, me)
        await store.commit(role.pin)
        yield deployment.node(me, role, store, line), line
    finally:
        await line.close()
        await store.close()


async def _look(node: "Node", line: "Line", notes: Iterable[bytes], watched: "tuple[Watched, ...]") -> "Findings":
    """Catch up, and say what is wrong; raises why if there is nothing yet to speak of."""
    from escrow.roles.monitor.commands import Compare, GetFindings

    await node.catch_up()
    for note in notes:
        await node.ask(node.party, Compare(note))
    found = cast("Findings", await node.ask(node.party, GetFindings(watched)))
    if not found.size and (silence := line.why_waiting()) is not None:
        raise silence
    return found


def _show(out: Output, found: "Findings", news: "list[Finding]") -> None:
    for one in news:
        where = f" at {one.index}" if one.index >= 0 else ""
        about = f" {one.about.hex()[:16]}" if one.about else ""
        facts = {"alarm": one.alarm, "about": one.about.hex(), "index": one.index, "detail": one.detail}
        out.data("alarm", f"{one.alarm}{about}{where}: {one.detail}", **facts)
    size, time = found.size, found.time_ms
    line = f"{size} entries, last witnessed {moment(time)}: {len(found.findings)} alarms"
    out.data("monitored", line, size=size, time=time, alarms=len(found.findings))


def _raise_for(found: "Findings") -> None:
    from escrow.errors import IntegrityError, Reason, RefusedError
    from escrow.roles.monitor.commands import Alarm

    kinds = {one.alarm for one in found.findings}
    if Alarm.FORK in kinds:
        raise IntegrityError(Reason.LOG_INCONSISTENT, "keep the state file: it holds what was shown before")
    if kinds:
        raise RefusedError(Reason.ALARM, ", ".join(sorted(kinds)))
