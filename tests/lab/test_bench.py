"""The benchmark runs, says what was promised, and measures what it claims to measure. No test looks at a time."""

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from escrow_lab.bench import e2ee, peers
from escrow_lab.bench.measure import Contest, Effort, Figure, contend
from escrow_lab.bench.report import as_json, as_row
from escrow_lab.bench.sides import Agreement, Chain, Group
from escrow_lab.cli import bench

DECLARED = [
    "oneway-256",
    "oneway-4096",
    "oneway-256-stored",
    "pingpong-256",
    "pqxdh",
    "group-32",
    "escrow-epoch-oneway-256",
    "escrow-epoch-group-32",
    "escrow-message-send",
    "escrow-message-receive",
    "memory-session",
]
FIELDS = {
    "bench": str,
    "case": str,
    "unit": str,
    "ours": float,
    "limit": float,
    "ratio_to_limit": float,
    "peers": dict,
    "ratio_to_peers": dict,
    "rounds": int,
    "spread": float,
}
INSTALLED = {
    "vodozemac": pytest.mark.skipif(not peers.installed("vodozemac"), reason="extra bench"),
    "doubleratchet": pytest.mark.skipif(not peers.installed("doubleratchet"), reason="extra bench"),
}
TEXT = b"what is measured"


def test_a_quick_run_measures_every_declared_case_and_says_so_in_json() -> None:
    ran = CliRunner().invoke(bench, ["e2ee", "--quick", "--json"])
    assert ran.exit_code == 0, ran.output
    rows = [json.loads(line) for line in ran.output.splitlines()]
    assert [row["case"] for row in rows] == DECLARED
    for row in rows:
        missing = row.pop("missing", [])
        assert {name: type(value) for name, value in row.items()} == FIELDS
        assert row["bench"] == "e2ee"
        assert row["ours"] > 0
        assert row["limit"] > 0
        assert row["ratio_to_peers"].keys() == row["peers"].keys()
        assert not set(missing) & set(row["peers"])
    named = {row["case"]: {*row["peers"], *row.get("missing", [])} for row in rows}
    assert named["group-32"] <= {"megolm"}
    assert named["oneway-256"] <= set(peers.PEERS)


def test_a_quick_run_shows_people_a_line_for_each_case() -> None:
    ran = CliRunner().invoke(bench, ["e2ee", "--quick"])
    assert ran.exit_code == 0, ran.output
    assert [line.split()[0] for line in ran.output.splitlines()] == ["case", *DECLARED]


def test_a_peer_that_is_not_installed_is_named_and_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS", ("nobody_has_this",))
    contest = e2ee.CASES["oneway-256"]()
    assert not contest.peers
    figure = contend("oneway-256", contest, Effort(2, 1, 1000, 1))
    assert json.loads(as_json("e2ee", figure))["missing"] == ["nobody_has_this"]
    assert as_row(figure).endswith("nobody_has_this (not installed)")


def test_a_figure_is_the_median_of_rounds_per_message() -> None:
    calls = {"ours": 0, "limit": 0, "peer": 0}

    def count(name: str) -> Callable[[], None]:
        def step() -> None:
            calls[name] += 1
            sum(range(500))

        return step

    figure = contend(
        "case", Contest(count("ours"), count("limit"), {"peer": count("peer")}, per=2), Effort(3, 2, 1000, 1)
    )
    assert figure.rounds == 3
    assert all(each > 6 for each in calls.values())
    assert figure.ours > 0
    assert figure.spread >= 0


def test_a_row_of_json_rounds_and_divides() -> None:
    figure = Figure("oneway-256", "us", 14.104, 8.5, {"vodozemac": 16.6}, (), 9, 0.0601)
    assert json.loads(as_json("e2ee", figure)) == {
        "bench": "e2ee",
        "case": "oneway-256",
        "unit": "us",
        "ours": 14.1,
        "limit": 8.5,
        "ratio_to_limit": 1.659,
        "peers": {"vodozemac": 16.6},
        "ratio_to_peers": {"vodozemac": 0.85},
        "rounds": 9,
        "spread": 0.06,
    }


def test_what_is_measured_hears_what_was_said() -> None:
    talk = Agreement().talk()
    assert talk.one_way(TEXT) == talk.stored_one_way(TEXT) == talk.round_trip(TEXT) == TEXT
    assert Group().one_way(TEXT) == Chain().one_way(TEXT) == Chain().signed_one_way(TEXT) == TEXT


@pytest.mark.parametrize("name", [pytest.param(name, marks=mark) for name, mark in INSTALLED.items()])
def test_peers_hear_what_was_said(name: str) -> None:
    talk = peers.talk_of(name)
    assert talk.one_way(TEXT) == talk.stored_one_way(TEXT) == talk.round_trip(TEXT) == TEXT


@INSTALLED["vodozemac"]
def test_megolm_hears_what_was_said() -> None:
    assert peers.Megolm().one_way(TEXT) == TEXT


def test_open_sessions_are_counted_one_by_one() -> None:
    live, stored = Agreement().talk().memory(50)
    assert stored < live < 8192
