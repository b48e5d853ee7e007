"""Figures as lines: JSON for machines, a table for people."""

import json
from typing import Final

from escrow_lab.bench.measure import Figure


def as_json(bench: str, figure: Figure) -> str:
    """One object on one line. ``missing`` is there only if a peer is not installed, ``also`` if more was counted,
    ``floors`` and ``ratio_beyond`` where the case has them.
    """
    row: dict[str, object] = {
        "bench": bench,
        "case": figure.case,
        "unit": figure.unit,
        "ours": round(figure.ours, 2),
        "limit": round(figure.limit, 2),
        "ratio_to_limit": round(figure.ours / figure.limit, 3),
        "peers": {name: round(value, 2) for name, value in figure.peers.items()},
        "ratio_to_peers": _to_peers(figure, figure.ours),
        "rounds": figure.rounds,
        "spread": round(figure.spread, 3),
    }
    if figure.missing:
        row["missing"] = list(figure.missing)
    if figure.also:
        row["also"] = dict(figure.also)
    if figure.floors:
        row["floors"] = {name: round(value, 2) for name, value in figure.floors.items()}
        row["floors_to_peers"] = {name: _to_peers(figure, value) for name, value in figure.floors.items()}
    if figure.beyond:
        row["ratio_beyond"] = {name: round(value, 3) for name, value in _beyond(figure).items()}
    return json.dumps(row, ensure_ascii=False)


HEADING: Final = f"{'case':26} {'ours':>9} {'limit':>9} {'unit':4} {'ratio':>6}  peers (ratio)"


def as_row(figure: Figure) -> str:
    """A line of the table under ``HEADING``; a ratio is ours over theirs, so below 1 is better than they are."""
    peers = [f"{name} {value:.1f} ({figure.ours / value:.2f})" for name, value in figure.peers.items()]
    peers += [f"{name} (not installed)" for name in figure.missing]
    peers += [f"{count} {name}" for name, count in figure.also.items()]
    peers += [f"floor: {name} {_against(figure, value)}" for name, value in figure.floors.items()]
    peers += [f"beyond {figure.beyond}: {ratio:.2f} ({name})" for name, ratio in _beyond(figure).items()]
    numbers = f"{figure.ours:9.1f} {figure.limit:9.1f} {figure.unit:4} {figure.ours / figure.limit:6.2f}"
    return f"{figure.case:26} {numbers}  {', '.join(peers)}".rstrip()


def _to_peers(figure: Figure, value: float) -> dict[str, float]:
    return {name: round(value / theirs, 3) for name, theirs in figure.peers.items()}


def _against(figure: Figure, value: float) -> str:
    return " ".join([f"{value:.1f}", *(f"({value / theirs:.2f})" for theirs in figure.peers.values())])


def _beyond(figure: Figure) -> dict[str, float]:
    """How much more than the peer inside them ours and the floors take, over how much more the limit does."""
    if not figure.beyond:
        return {}
    inside = figure.peers[figure.beyond]
    return {
        name: (value - inside) / (figure.limit - inside)
        for name, value in {"ours": figure.ours, **figure.floors}.items()
    }
