"""Figures of a run as SVG, the same bytes each time."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure

from escrow_lab.custody.frontier import choices
from escrow_lab.custody.model import Custody
from escrow_lab.study.tables import Result

_STYLE: Final[Any] = {
    "svg.hashsalt": "doublelock",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.grid": True,
}
_READS, _CLOSED = "#b3261e", "#e8eef4"
SIZES: Final = (3, 5, 7, 9)
HAZARD: Final = Custody(1, 1, hazard=0.1, refresh=0.25, correlation=0.2, downtime=0.02)
"""Assumptions of the figure on custody, printed below it."""


def draw(found: Sequence[Result]) -> dict[str, str]:
    """SVG by name."""
    with mpl.rc_context(_STYLE):
        drawn = {"over-collection": _over_collection(found), "bytes": _bytes(found), "custody": _custody()}
        drawn |= {f"matrix-{one.regime}": _matrix(one) for one in found if any(cell.reads for cell in one.cells)}
    return drawn


def write(out: Path, found: Sequence[Result]) -> list[Path]:
    """One file each in ``out/figures``."""
    folder = out / "figures"
    folder.mkdir(exist_ok=True)
    made = []
    for name, svg in draw(found).items():
        made.append(folder / f"{name}.svg")
        made[-1].write_text(svg, encoding="utf-8")
    return made


def _over_collection(found: Sequence[Result]) -> str:
    shown = [(one.regime, one.access["over_collection"]) for one in found if one.access["over_collection"]]
    figure = Figure(figsize=(6.4, 0.4 * len(shown) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in shown], [ratio for _, ratio in shown], color="#3f6ea3")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("messages that the released material opens, for each message in scope (1: exactly the scope)")
    axes.invert_yaxis()
    return _svg(figure)


def _bytes(found: Sequence[Result]) -> str:
    figure = Figure(figsize=(6.4, 0.4 * len(found) + 1.2), layout="constrained")
    axes = figure.subplots()
    axes.barh([one.regime for one in found], [one.bytes_a_message for one in found], color="#3f6ea3")
    axes.set_xlabel("bytes that a message makes its sender submit, on average")
    axes.invert_yaxis()
    return _svg(figure)


def _custody() -> str:
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for n in SIZES:
        row = choices(HAZARD, (n,))
        axes.plot([1 - one.served for one in row], [one.breach for one in row], marker="o", label=f"n = {n}")
        for one in row:
            axes.annotate(str(one.custody.threshold), (1 - one.served, one.breach), fontsize=7, ha="left", va="bottom")
    axes.set(
        xscale="log", yscale="log", xlabel="P(a request cannot be served)", ylabel="P(the key falls within a year)"
    )
    axes.legend()
    return _svg(figure)


def _matrix(one: Result) -> str:
    """Every subset as a row of its parties, and whether it reads; those of one size side by side."""
    cells = one.cells
    parties = max((cell.corrupt for cell in cells), key=len)
    figure = Figure(figsize=(6.4, 0.22 * len(parties) + 0.9), layout="constrained")
    axes = figure.subplots()
    held = [[(2 if cell.reads else 1) if party in cell.corrupt else 0 for cell in cells] for party in parties]
    colours = mpl.colors.ListedColormap(["white", "#9db7d2", _READS])
    axes.imshow(held, aspect="auto", interpolation="nearest", cmap=colours, vmin=0, vmax=2)
    axes.set_yticks(range(len(parties)), parties)
    axes.set_xlabel(f"{len(cells)} sets of corrupt parties, the smallest first; red: the set reads")
    axes.grid(visible=False)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
