"""``doublelock lab``: the study's verbs. Rows on stdout, everything for people on stderr; what is heavy waits."""

import dataclasses
import json
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import click

from escrow.cli import BANNER
from escrow.errors import Kind

SCHEMA: Final = 1
_JSON = click.option("--json", "as_json", is_flag=True, help="One object a line on stdout.")
_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_QUICK = click.option("--quick", is_flag=True, help="Fewer repetitions: minutes become seconds.")


@click.group()
def lab() -> None:
    """The study: regimes, attacks and published figures, by executed code."""


@lab.command()
@click.argument("figures", nargs=-1, required=True, metavar="all|N1|N2|...")
@_QUICK
@_JSON
def reproduce(figures: tuple[str, ...], *, quick: bool, as_json: bool) -> int:
    """Compute published figures again: their value, ours, the tolerance, the verdict.

    Exit code 4 if one differs by more than its tolerance.
    """
    from escrow_lab.published import ABSENT, chosen, reproduce

    click.echo(BANNER, err=True)
    different = 0
    for name in chosen(figures):
        for one in reproduce(name, quick=quick):
            different += one.passed is False
            if as_json:
                _row({"event": "figure", **dataclasses.asdict(one), "verdict": one.verdict})
            else:
                click.echo(f"{one.figure:4} {one.verdict:8} {one.what}")
                click.echo(f"{'':13} published {_told(one.published)}, ours {_told(one.ours)} ({one.tolerance})")
                click.echo(f"{'':13} {one.source}")
    for name, why in ABSENT.items() if "all" in figures else ():
        if as_json:
            _row({"event": "not-reproduced", "figure": name, "why": why})
        else:
            click.echo(f"{name:4} absent   {why}")
    return Kind.VERIFICATION if different else 0


@lab.command()
@click.option("--trace", type=_FILE, required=True, metavar="FILE", help="SNAP lines, or JSON Lines with their texts.")
@click.option(
    "--regime", "regimes", required=True, metavar="NAME[,NAME...]", help="What to replay it through, or 'all'."
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Decides every key.")
@click.option("--out", type=_FOLDER, required=True, metavar="DIR", help="Where rows and costs go.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of a regime; repeat.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N messages.")
@click.option("--target", metavar="USER", help="Whom the order is on; default: the busiest sender.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run of the same parameters.")
@_JSON
def run(
    trace: Path,
    regimes: str,
    seed: int,
    out: Path,
    settings: tuple[str, ...],
    limit: int | None,
    target: str | None,
    *,
    resume: bool,
    as_json: bool,
) -> None:
    """Replay a trace through regimes with real keys: rows in DIR/run.jsonl, the same for the same seed.

    Each message is sealed, delivered and compared; then an order on the target is executed, and every subset of the
    regime's parties tries to read.
    """
    from escrow_lab.regimes import missing, names
    from escrow_lab.study.run import Plan
    from escrow_lab.study.run import run as replay

    click.echo(BANNER, err=True)
    chosen = tuple(dict.fromkeys(name.strip() for name in regimes.split(",")))
    if regimes == "all":
        chosen = tuple(name for name in names() if not missing(name))
        for why in filter(None, map(missing, names())):
            click.echo(f"   left out: {why}", err=True)
    pairs = dict(pair.partition("=")[::2] for pair in settings)
    plan = Plan(trace, chosen, seed, pairs, limit, target)
    costs = replay(plan, out, lambda said: click.echo(f"   {said}", err=True), resume=resume)
    for name, cost in costs.items():
        if as_json:
            _row({"event": "cost", "regime": name, **cost})
        else:
            rate = cost["messages"] / max(cost["sealing_cpu_s"], 1e-9)
            click.echo(
                f"{name:14} {cost['messages']:>8} messages, {rate:>7.0f} a second of CPU, {cost['peak_mib']} MiB"
            )


@lab.command()
@click.argument("name", metavar="NAME|all")
@click.option("--regime", default="", metavar="NAME", help="On which regime; default: the first that it is for.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter of the regime; repeat.")
@click.option("--seed", type=int, default=0, show_default=True, metavar="N")
@_JSON
def attack(name: str, regime: str, settings: tuple[str, ...], seed: int, *, as_json: bool) -> None:
    """Try an attack for real: it is prevented, detected, or succeeds. An unknown NAME lists what there is."""
    from escrow_lab.attacks import names

    pairs = dict(pair.partition("=")[::2] for pair in settings)
    for one in names() if name == "all" else (name,):
        show_attack(one, regime, pairs, seed, as_json=as_json)


def show_attack(name: str, regime: str, settings: dict[str, str], seed: int, *, as_json: bool) -> None:
    """Try one, and say what became of it: a row, or two lines."""
    from escrow_lab.attack import facts
    from escrow_lab.attacks import attack as try_it
    from escrow_lab.attacks import regimes_of, threat_of

    chosen = regime or regimes_of(name)[0]
    told = facts(try_it(name, chosen, settings, seed))
    if as_json:
        _row({"event": "attack", "attack": name, "regime": chosen, **told})
        return
    details = ", ".join(f"{key}: {value}" for key, value in told.items() if key != "outcome" and value != "")
    click.echo(f"{name} on {chosen}: {threat_of(name)}\n   {told['outcome'].upper()} ({details})")


@lab.command()
@click.argument("folder", type=_FOLDER)
def parse(folder: Path) -> None:
    """Write the tables of a run: rows.csv, matrix.csv, and rows.parquet where pyarrow is installed."""
    from escrow_lab.study.tables import write

    _written(write(folder))


@lab.command()
@click.argument("folder", type=_FOLDER)
def plot(folder: Path) -> None:
    """Draw the figures of a run as SVG, into DIR/figures. Nothing is run again."""
    from escrow_lab.study.figures import write
    from escrow_lab.study.tables import results

    _written(write(folder, results(folder)))


@lab.command()
@click.argument("folder", type=_FOLDER)
def report(folder: Path) -> None:
    """Write DIR/report.html, one page that needs nothing beside it, and the tables and figures."""
    from escrow_lab.study.report import write

    _written([write(folder)])


@lab.command()
@click.argument("what", type=click.Choice(["custody"]))
@click.option("--n", "sizes", type=click.IntRange(1, 255), multiple=True, default=(3, 5, 7), help="Custodians; repeat.")
@click.option("--hazard", type=float, default=0.1, show_default=True, help="Break-ins a year at each.")
@click.option("--refresh", type=float, default=0.0, show_default=True, help="Years between refreshes; 0: never.")
@click.option("--correlation", type=float, default=0.0, show_default=True, help="Share that comes as common shocks.")
@click.option("--reach", type=float, default=0.8, show_default=True, help="P(a shock reaches a custodian).")
@click.option("--downtime", type=float, default=0.01, show_default=True, help="Share of time out of service.")
@click.option(
    "--trials", type=click.IntRange(0, 10_000_000), default=20_000, show_default=True, help="Simulated years."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--processes", type=click.IntRange(1, 256), default=1, show_default=True, help="On this machine.")
@click.option("--dask", default="", metavar="ADDRESS", help="Simulate on the Dask cluster of this scheduler instead.")
@_JSON
def sweep(
    what: str,
    sizes: tuple[int, ...],
    trials: int,
    seed: int,
    processes: int,
    dask: str,
    *,
    as_json: bool,
    **rates: float,
) -> int:
    """Every threshold of some sizes: P(the key falls within a year) against P(a request can be served).

    Closed form and simulation side by side; exit code 4 if one of them leaves the other's 99.9 % interval. A star marks
    what no other choice of the table beats.
    """
    from escrow_lab.custody.frontier import choices
    from escrow_lab.custody.model import Custody
    from escrow_lab.custody.simulation import played
    from escrow_lab.study.spread import spread

    different = 0
    if not as_json:
        click.echo(f"{'t of n':>9}  {'P(breach)':>10}  {'simulated':>10}  {'P(served)':>12}")
    table = choices(Custody(1, 1, **rates), sizes)
    years = [(one.custody, trials, seed + place) for place, one in enumerate(table)] if trials else []
    counts = spread(played, years, processes=processes, dask=dask)
    for one, count in zip_longest(table, counts):
        different += count is not None and not count.agrees_with(one.breach, 0.001)
        simulated = None if count is None else count.share
        if as_json:
            found = {"breach": one.breach, "simulated": simulated, "served": one.served, "best": one.best}
            _row({"event": what, **dataclasses.asdict(one.custody), **found, "trials": trials, "seed": seed})
        else:
            share = "-" if simulated is None else f"{simulated:.6f}"
            name = f"{one.custody.threshold} of {one.custody.n}{'*' if one.best else ' '}"
            click.echo(f"{name:>10} {one.breach:>11.3e} {share:>11}  {one.served:>12.9f}")
    return Kind.VERIFICATION if different else 0


def _written(paths: Iterable[Path]) -> None:
    for path in paths:
        click.echo(path)


def _told(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _row(fields: dict[str, Any]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA, **fields}, ensure_ascii=False))
