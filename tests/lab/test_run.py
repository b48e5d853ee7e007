"""Replaying a trace: the same bytes for one seed, resumed where it stopped, and bad input named by file and line."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Kind, MalformedError, RefusedError
from escrow_lab.regime import Message
from escrow_lab.study import run as study
from escrow_lab.study import trace
from escrow_lab.study.run import Plan, rows, run
from escrow_lab.study.trace import messages, order_of, survey
from escrow_lab.verbs import lab
from tests.conftest import ROOT

SNAP = "source target weight\n" + "".join(
    f"{'ab'[n % 2]} {'ba'[n % 2] if n % 3 else 'c'} {1_000_000 + 3600 * n}\n" for n in range(12)
)


def write(folder: Path, text: str, name: str = "trace.txt") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def planned(folder: Path, *regimes: str, **settings: str) -> Plan:
    return Plan(write(folder, SNAP), regimes, 7, settings)


def quiet(_said: str) -> None:
    """Nobody listens."""


def of_kind(out: Path, event: str) -> list[dict[str, Any]]:
    return [row for row in rows(out) if row["event"] == event]


# -- runs ---------------------------------------------------------------------------------------------


def test_two_runs_with_one_seed_are_the_same_bytes_and_deliver_everything(tmp_path: Path) -> None:
    plan = planned(tmp_path, "escrow-tdh2", "e2ee", "ghost")
    costs = [run(plan, tmp_path / name, quiet) for name in ("one", "two")]
    one, two = ((tmp_path / name / "run.jsonl").read_bytes() for name in ("one", "two"))
    assert one == two
    sealed = of_kind(tmp_path / "one", "sealed")
    assert len(sealed) == 3 * 12
    assert all(row["delivered"] for row in sealed)
    accesses = {row["regime"]: row for row in of_kind(tmp_path / "one", "access")}
    assert accesses["escrow-tdh2"]["over_collection"] == 1.0
    assert accesses["escrow-tdh2"]["opened"] == accesses["escrow-tdh2"]["in_scope"] > 0
    assert accesses["e2ee"]["opened"] == accesses["e2ee"]["openable"] == 0
    assert accesses["ghost"]["over_collection"] > 1.0
    assert costs[0].keys() == {"escrow-tdh2", "e2ee", "ghost"}


def test_the_matrix_of_a_run_has_every_subset_and_the_smallest_readers(tmp_path: Path) -> None:
    run(planned(tmp_path, "clipper"), tmp_path / "out", quiet)
    cells = of_kind(tmp_path / "out", "cell")
    assert len(cells) == 2**3
    reading = [cell["corrupt"] for cell in cells if cell["in_scope"] or cell["others"]]
    assert reading == [["family key", "escrow agent/1", "escrow agent/2"]]
    assert all(cell["of_in_scope"] and cell["of_others"] for cell in cells)


def test_another_seed_is_another_run_and_a_parameter_counts(tmp_path: Path) -> None:
    opened = []
    for known in ("10", "90"):
        run(planned(tmp_path, "translucent", known=known), tmp_path / known, quiet)
        opened.append(of_kind(tmp_path / known, "access")[0]["openable"])
    assert opened[0] < opened[1]


def test_an_interrupted_run_goes_on_and_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out = planned(tmp_path, "ghost", "clipper", "franking"), tmp_path / "out"
    run(plan, tmp_path / "whole", quiet)
    ran: list[str] = []
    honest = study._one

    def dies(plan: Plan, name: str, *others: Any) -> Any:
        ran.append(name)
        if ran == ["ghost", "clipper"]:
            others[2]('{"schema_version": 1, "regime": "clipper", "event": "sealed"}\n{"half a row')
            raise KeyboardInterrupt
        return honest(plan, name, *others)

    monkeypatch.setattr(study, "_one", dies)
    with pytest.raises(KeyboardInterrupt):
        run(plan, out, quiet)
    run(plan, out, quiet, resume=True)
    assert ran == ["ghost", "clipper", "clipper", "franking"]
    assert (out / "run.jsonl").read_bytes() == (tmp_path / "whole" / "run.jsonl").read_bytes()
    assert json.loads((out / "costs.json").read_text()).keys() == {"ghost", "clipper", "franking"}


@pytest.mark.parametrize("changed", ["seed", "settings", "trace", "regimes", "limit"])
def test_a_changed_parameter_refuses_to_resume(tmp_path: Path, changed: str) -> None:
    run(planned(tmp_path, "clipper"), tmp_path / "out", quiet)
    other = {
        "seed": Plan(tmp_path / "trace.txt", ("clipper",), 8, {}),
        "settings": Plan(tmp_path / "trace.txt", ("clipper",), 7, {"checkword": "12"}),
        "trace": Plan(write(tmp_path, SNAP.replace("a c", "a d"), "other"), ("clipper",), 7, {}),
        "regimes": Plan(tmp_path / "trace.txt", ("ghost",), 7, {}),
        "limit": Plan(tmp_path / "trace.txt", ("clipper",), 7, {}, limit=5),
    }[changed]
    with pytest.raises(RefusedError) as refused:
        run(other, tmp_path / "out", quiet, resume=True)
    assert refused.value.reason.name == "RUN_CHANGED"


def test_a_folder_with_something_in_it_is_left_alone_and_one_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    plan = planned(tmp_path, "clipper")
    with pytest.raises(MalformedError, match="not empty"):
        run(plan, tmp_path, quiet)
    with pytest.raises(MalformedError, match="no run to resume"):
        run(plan, tmp_path / "nowhere", quiet, resume=True)


def test_the_command_tells_the_expected_time_and_refuses_what_is_unknown_with_what_there_is(tmp_path: Path) -> None:
    path = str(write(tmp_path, SNAP))
    arguments = ["run", "--trace", path, "--out", str(tmp_path / "out"), "--json"]
    ran = CliRunner().invoke(lab, [*arguments, "--regime", "clipper"], standalone_mode=False)
    assert not ran.exception
    assert "clipper: about 0 s for 12 messages" in ran.stderr
    assert json.loads(ran.stdout)["messages"] == 12
    for wrong, listed in ((["--regime", "clippy"], "clipper"), (["--regime", "clipper", "--set", "p=1"], "checkword")):
        ran = CliRunner().invoke(lab, [*arguments, *wrong], standalone_mode=False)
        assert isinstance(ran.exception, MalformedError)
        assert ran.exception.reason.kind is Kind.USAGE
        assert listed in str(ran.exception)


# -- traces -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("a b 1\na b\n", 2, "2 columns"),
        ("a b\n", 1, "column is missing"),
        ("a b 1\na b -5\n", 2, "before 1970"),
        ("h h h\na b 1\na b soon\n", 3, "not a time"),
        ("a b 1\na b 2 3\n", 2, "4 columns"),
        ("a \u202eb 1\n", 1, "not the name"),
        ("a a 1\n", 1, "no message between two people"),
        ('{"sender": "a", "recipient": "b"}\n', 1, "'time' is missing"),
        ('{"sender": "a", "recipient": "b", "time": 1}\nnothing\n', 2, "not a JSON object"),
        ('{"sender": "a", "recipient": 7, "time": 1}\n', 1, "strings"),
        ('{"sender": "a", "recipient": "b", "time": 1.5}\n', 1, "not a time"),
        ('{"sender": "a", "recipient": "b", "time": 1, "text": ""}\n', 1, "a text has"),
    ],
)
def test_what_is_malformed_is_named_by_file_and_line(tmp_path: Path, text: str, line: int, why: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(MalformedError, match=why) as refused:
        survey(path)
    assert f"{path}, line {line}: " in str(refused.value)


def test_unicode_names_carriage_returns_and_messages_to_oneself_are_handled(tmp_path: Path) -> None:
    path = write(tmp_path, "Ünal 李 10\r\n李 李 11\r\n\r\n李 Ünal 12\r\n")
    found = survey(path)
    assert (found.messages, found.to_oneself, found.users) == (2, 1, 2)
    assert [(each.sender, each.time) for each in messages(path, found)] == [("Ünal", 0), ("李", 2)]


def test_json_lines_bring_their_own_texts(tmp_path: Path) -> None:
    rows_ = [
        {"sender": "a", "recipient": "b", "time": 5, "text": "hi 🎂"},
        {"sender": "b", "recipient": "a", "time": 9},
    ]
    path = write(tmp_path, "".join(json.dumps(row) + "\n" for row in rows_))
    said = list(messages(path, survey(path)))
    assert said[0] == Message(0, 0, "a", "b", "hi 🎂")
    assert said[1].text


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30), st.integers(1, 40))
def test_times_out_of_order_are_put_in_order_and_equal_ones_stay(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], limit: int
) -> None:
    path = write(tmp_path_factory.mktemp("trace"), "".join(f"a{n} b {time}\n" for n, time in enumerate(times)))
    found = survey(path, limit)
    wanted = sorted(enumerate(times[:limit]), key=lambda one: one[1])
    shown = [(each.sender, each.time + found.first) for each in messages(path, found)]
    assert shown == [(f"a{n}", time) for n, time in wanted]
    assert found.sorted == (sorted(times[:limit]) == times[:limit])


def test_a_trace_too_long_to_be_sorted_is_refused_where_it_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "MOST_SORTED", 2)
    with pytest.raises(MalformedError, match="line 3: not in order"):
        survey(write(tmp_path, "a b 1\na b 5\na b 2\n"))


def test_messages_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path, SNAP)
    found = survey(path)
    path.write_bytes(SNAP.encode() + b"broken\n")
    assert len(list(islice(messages(path, found), 5))) == 5


def test_an_order_falls_on_what_the_busiest_sends_and_nobody_else(tmp_path: Path) -> None:
    path = write(tmp_path, "a b 0\na b 100\nc b 50\n")
    order = order_of(path, survey(path))
    assert (order.target, order.start, order.end) == ("a", 0, 101)
    assert order_of(path, survey(path), "c").target == "c"
    with pytest.raises(MalformedError, match="sends nothing"):
        order_of(path, survey(path), "b")


def test_the_sources_of_the_study_need_no_heavy_import_to_show_their_help() -> None:
    text = (ROOT / "lab" / "escrow_lab" / "verbs.py").read_text(encoding="utf-8")
    assert not any(line.startswith(("import numpy", "from escrow_lab")) for line in text.splitlines())
