"""One page of HTML that needs nothing beside it: tables, figures, parameters, and what it does not show."""

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from escrow.cli import BANNER
from escrow_lab.regime import Wish
from escrow_lab.study import figures, tables
from escrow_lab.study.run import SAMPLE
from escrow_lab.study.tables import Result


def write(out: Path) -> Path:
    """Write ``report.html``, and the tables and figures beside it. ``MalformedError(USAGE)`` where there is no run."""
    found = tables.results(out)
    tables.write(out)
    figures.write(out, found)
    path = out / "report.html"
    path.write_text(page(out, found), encoding="utf-8")
    return path


def page(out: Path, found: Sequence[Result]) -> str:
    """The report of a run."""
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    source = files("escrow_lab.study").joinpath("report.html.jinja").read_text(encoding="utf-8")
    drawn = {name: svg[svg.index("<svg") :] for name, svg in figures.draw(found).items()}
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(source)
    return template.render(
        banner=BANNER,
        manifest=manifest,
        results=found,
        wishes=list(_by_wish(found)),
        figures=drawn,
        sample=SAMPLE,
        messages_a_day=tables.MESSAGES_A_DAY,
        hazard=figures.HAZARD,
        command=command(manifest),
        digest=_digest(out / "run.jsonl"),
    )


def command(manifest: dict[str, Any]) -> str:
    """What makes the same run."""
    names, order = ",".join(manifest["regimes"]), manifest["order"]
    words = ["doublelock", "lab", "run", "--trace", manifest["trace"], "--regime", names]
    words += ["--seed", str(manifest["seed"]), "--limit", str(manifest["survey"]["messages"])]
    words += ["--target", order["target"], "--out", "DIR"]
    words += [word for key, value in manifest["settings"].items() for word in ("--set", f"{key}={value}")]
    return f"{shlex.join(words)}\ndoublelock lab report DIR"


def _by_wish(found: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    for wish in Wish:
        members = [one for one in found if one.wish == wish.value]
        if members:
            yield wish.value, members


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
