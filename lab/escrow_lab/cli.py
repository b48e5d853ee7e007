"""The laboratory's verbs. Heavy imports wait until a verb runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from escrow.cli import BANNER
from escrow.crypto.suites import SUITES
from escrow.warrant.policy import SchemeName

if TYPE_CHECKING:
    from escrow_lab.bench.measure import Figure

_SHORT = {"tdh2": "tdh2-ed25519", "hybrid": "hybrid-ed25519"}
"""For whom the group does not matter."""

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--trace", type=_FILE, metavar="FILE", help="Messages as 'source target unix_seconds' lines (SNAP format)."
)
@click.option("--chat", type=_FILE, multiple=True, metavar="FILE", help="An export of a messenger; may be repeated.")
@click.option("--texts", type=_FILE, metavar="FILE", help="One text a line, or 'label<TAB>text'.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Send only the first N messages.")
@click.option("--target", metavar="USER", help="Whom the warrant is on; default: the busiest sender.")
@click.option("--from", "start", type=click.IntRange(min=0), metavar="T", help="Start of the window, trace seconds.")
@click.option(
    "--to", "end", type=click.IntRange(min=0), metavar="T", help="End of the window, trace seconds, exclusive."
)
@click.option(
    "--scheme",
    type=click.Choice([*SUITES, *_SHORT]),
    default="tdh2-ed25519",
    show_default=True,
    help="How the committee holds what it can open.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Decides who says what.")
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines on stdout; the last one is the summary.")
@click.option(
    "--keep", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Leave everything in DIR."
)
@click.option("--attack", metavar="NAME", help="Instead of the story, one attack of threat_model.md, in one thread.")
def demo(
    trace: Path | None,
    chat: tuple[Path, ...],
    texts: Path | None,
    limit: int | None,
    target: str | None,
    start: int | None,
    end: int | None,
    *,
    scheme: str,
    seed: int,
    as_json: bool,
    keep: Path | None,
    attack: str | None,
) -> int:
    """Tell the whole story with real processes on loopback.

    One relay, five custodians of whom three open, the authority, the log and four witnesses: keys, messages, a warrant
    with two locks, exactly its scope opened, and everything that must be refused, tried.
    """
    from escrow_lab.demo.run import Options, run

    click.echo(BANNER, err=True)
    if attack is not None:
        from escrow_lab.verbs import show_attack

        show_attack(attack, "", {}, seed, as_json=as_json)
        return 0
    named = cast("SchemeName", _SHORT.get(scheme, scheme))
    return run(Options(trace, chat, texts, limit, target, start, end, named, seed, as_json, keep))


@click.group()
def bench() -> None:
    """Measure ours, the bare primitives and installed peers in one run."""


@bench.command()
@click.option("--quick", is_flag=True, help="Only long enough to see that everything runs.")
@click.option("--json", "as_json_lines", is_flag=True, help="One object a line.")
def e2ee(*, quick: bool, as_json_lines: bool) -> None:
    """Sessions, groups and escrowed messages; CPU time per message."""
    from escrow_lab.bench.e2ee import figures

    _show("e2ee", figures(quick=quick), as_json_lines=as_json_lines)


@bench.command()
@click.option("--quick", is_flag=True, help="Only long enough to see that everything runs.")
@click.option("--json", "as_json_lines", is_flag=True, help="One object a line.")
def escrow(*, quick: bool, as_json_lines: bool) -> None:
    """Capsules made, checked, shared and opened, by scheme; CPU time per operation."""
    from escrow_lab.bench.escrow import figures

    _show("escrow", figures(quick=quick), as_json_lines=as_json_lines)


@bench.command()
@click.option("--quick", is_flag=True, help="Only long enough to see that everything runs.")
@click.option("--json", "as_json_lines", is_flag=True, help="One object a line.")
def release(*, quick: bool, as_json_lines: bool) -> None:
    """From the second lock's signature to plaintext, with real processes."""
    from escrow_lab.bench.release import figures

    _show("release", figures(quick=quick), as_json_lines=as_json_lines)


@bench.command()
@click.option("--quick", is_flag=True, help="Only long enough to see that everything runs.")
@click.option("--json", "as_json_lines", is_flag=True, help="One object a line.")
def log(*, quick: bool, as_json_lines: bool) -> None:
    """Entries made durable under a signed root, and proofs; CPU time per entry or proof."""
    from escrow_lab.bench.log import figures

    _show("log", figures(quick=quick), as_json_lines=as_json_lines)


def _show(name: str, figures: "Iterator[Figure]", *, as_json_lines: bool) -> None:
    from escrow_lab.bench.report import HEADING, as_json, as_row

    if not as_json_lines:
        click.echo(HEADING)
    for figure in figures:
        click.echo(as_json(name, figure) if as_json_lines else as_row(figure))
