"""Tables, figures and report of a run: what they say stands in the rows, and the report needs nothing beside it."""

import csv
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import html

from escrow.errors import MalformedError
from escrow_lab.regimes.ghost import Ghost
from escrow_lab.study import figures, tables
from escrow_lab.study.report import command, page
from escrow_lab.study.run import Plan, rows, run
from escrow_lab.verbs import lab

SNAP = "".join(f"{'ab'[n % 2]} {'ba'[n % 2] if n % 3 else 'c'} {3600 * n}\n" for n in range(12))
REGIMES = ("clipper", "ghost", "franking", "master-key")


@pytest.fixture(scope="module", name="out")
def _out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    trace = folder / "<trace>.txt"
    trace.write_text(SNAP, encoding="utf-8")
    run(Plan(trace, REGIMES, 3, {"checkword": "12"}), folder / "out", lambda _: None)
    return folder / "out"


def test_the_tables_are_the_rows(out: Path) -> None:
    names = {path.name for path in tables.write(out)}
    assert names == {"rows.csv", "matrix.csv", "rows.parquet"}
    with (out / "rows.csv").open(encoding="utf-8") as file:
        sheet = list(csv.DictReader(file))
    sealed = [row for row in rows(out) if row["event"] == "sealed"]
    assert len(sheet) == len(sealed) == 12 * len(REGIMES)
    assert all(line[key] == str(row[key]) for line, row in zip(sheet, sealed, strict=True) for key in tables.COLUMNS)
    with (out / "matrix.csv").open(encoding="utf-8") as file:
        assert sum(line["regime"] == "clipper" for line in csv.DictReader(file)) == 2**3


def test_results_know_who_reads_and_what_it_costs(out: Path) -> None:
    found = {one.regime: one for one in tables.results(out)}
    assert list(found) == list(REGIMES)
    assert found["clipper"].readers == ["family key + escrow agent/1 + escrow agent/2"]
    assert found["ghost"].readers == list(Ghost.PARTIES)
    assert found["franking"].readers == []
    one = found["master-key"]
    assert one.terabytes_a_day == pytest.approx(one.bytes_a_message / 10)
    assert one.cpu_us is not None
    assert one.cores == pytest.approx(one.cpu_us * 1e11 / 86_400e6)


def test_figures_are_the_same_bytes_each_time(out: Path) -> None:
    found = tables.results(out)
    drawn = figures.draw(found)
    assert drawn == figures.draw(found)
    assert set(drawn) == {
        *("over-collection", "bytes", "custody"),
        *(f"matrix-{name}" for name in ("clipper", "ghost", "master-key")),
    }
    assert {path.name for path in figures.write(out, found)} == {f"{name}.svg" for name in drawn}


def test_the_report_is_one_page_that_says_what_was_found_and_what_it_does_not_show(out: Path) -> None:
    text = page(out, tables.results(out))
    root = html.document_fromstring(text)
    shown = root.text_content()
    assert not root.xpath("//script | //link | //img | //iframe")
    assert not re.search(r'(?:src|href)="(?!#|data:)', text)
    for wanted in ("What this does not show", "checkword = 12", "Wish: take words down", "Never use it for real"):
        assert wanted in shown
    assert len(root.xpath("//*[local-name()='svg']")) == 6
    assert "<trace>" not in text, "names from outside are escaped"


def test_the_command_in_the_report_makes_the_same_run(out: Path, tmp_path: Path) -> None:
    first, second = command(json.loads((out / "manifest.json").read_text(encoding="utf-8"))).splitlines()
    words = [word for word in first.replace("'", "").split() if word not in ("doublelock", "lab")]
    again = [str(out.parent / word) if word == "<trace>.txt" else word.replace("DIR", str(tmp_path)) for word in words]
    ran = CliRunner().invoke(lab, again, standalone_mode=False)
    assert not ran.exception
    assert (tmp_path / "run.jsonl").read_bytes() == (out / "run.jsonl").read_bytes()
    assert second == "doublelock lab report DIR"


@pytest.mark.parametrize("verb", ["parse", "plot", "report"])
def test_the_verbs_name_what_they_wrote_and_refuse_a_folder_without_a_run(out: Path, tmp_path: Path, verb: str) -> None:
    ran = CliRunner().invoke(lab, [verb, str(out)], standalone_mode=False)
    assert not ran.exception
    assert all(Path(line).is_file() for line in ran.stdout.splitlines())
    ran = CliRunner().invoke(lab, [verb, str(tmp_path)], standalone_mode=False)
    assert isinstance(ran.exception, MalformedError)
