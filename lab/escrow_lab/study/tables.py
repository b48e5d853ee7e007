"""What a run found, as tables: for spreadsheets, for figures and for the report. Nothing is run again."""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from escrow_lab.study.matrix import Cell, smallest
from escrow_lab.study.run import rows

MESSAGES_A_DAY: Final = 100e9
"""WhatsApp, 2020."""
COLUMNS: Final = ("regime", "number", "time", "from", "to", "bytes", "delivered")


@dataclass(frozen=True, slots=True)
class Result:
    """One regime of a run. ``cpu_us`` is what a message cost all parties together, on the machine of the run."""

    regime: str
    wish: str
    messages: int
    delivered: int
    bytes_a_message: float
    cpu_us: float | None
    access: dict[str, Any]
    cells: Sequence[Cell]

    @property
    def readers(self) -> list[str]:
        """The smallest sets of corrupt parties that read something."""
        return [" + ".join(cell.corrupt) or "anybody" for cell in smallest(self.cells)]

    @property
    def terabytes_a_day(self) -> float:
        """At the scale of the planet."""
        return self.bytes_a_message * MESSAGES_A_DAY / 1e12

    @property
    def cores(self) -> float | None:
        """At the same scale, if every core were one of this machine and Python."""
        return None if self.cpu_us is None else self.cpu_us * MESSAGES_A_DAY / 86_400e6


def results(out: Path) -> list[Result]:
    """All finished regimes of a run, in the order in which they ran."""
    path = out / "costs.json"
    costs = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found: list[Result] = []
    access: dict[str, Any] = {}
    cells: list[Cell] = []
    for row in rows(out):
        if row["event"] == "access":
            access, cells = row, []
        elif row["event"] == "cell":
            counts = row["in_scope"], row["of_in_scope"], row["others"], row["of_others"]
            cells.append(Cell(tuple(row["corrupt"]), *counts))
        elif row["event"] == "end":
            name, count = row["regime"], row["messages"]
            spent = costs.get(name)
            cpu = None if spent is None else 1e6 * spent["sealing_cpu_s"] / count
            result = Result(name, row["wish"], count, row["delivered"], row["bytes"] / count, cpu, access, tuple(cells))
            found.append(result)
    return found


def write(out: Path) -> list[Path]:
    """``rows.csv`` and ``matrix.csv``, and ``rows.parquet`` where pyarrow is installed; returns what was written."""
    made = [out / "rows.csv", out / "matrix.csv"]
    with made[0].open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(COLUMNS)
        sheet.writerows([row[column] for column in COLUMNS] for row in _sealed(out))
    with made[1].open("w", encoding="utf-8", newline="") as file:
        sheet = csv.writer(file, lineterminator="\n")
        sheet.writerow(("regime", "corrupt", "in_scope", "of_in_scope", "others", "of_others"))
        for one in results(out):
            for cell in one.cells:
                counts = cell.in_scope, cell.of_in_scope, cell.others, cell.of_others
                sheet.writerow((one.regime, " + ".join(cell.corrupt), *counts))
    try:
        from pyarrow import csv as arrow
        from pyarrow import parquet
    except ModuleNotFoundError:
        return made
    parquet.write_table(arrow.read_csv(made[0]), out / "rows.parquet")
    return [*made, out / "rows.parquet"]


def _sealed(out: Path) -> Iterator[dict[str, Any]]:
    return (row for row in rows(out) if row["event"] == "sealed")
