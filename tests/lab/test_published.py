"""Published figures: each is computed, told with its source and judged; no test looks at a time."""

import json

import pytest
from click.testing import CliRunner

from escrow.errors import Kind, MalformedError
from escrow_lab.published import ABSENT, chosen, ids, n1, n9, n11, n12, reproduce
from escrow_lab.published.figure import Finding, within
from escrow_lab.verbs import lab

FIELDS = {"schema_version", "event", "figure", "what", "source", "published", "ours", "tolerance", "passed", "verdict"}


def test_every_figure_of_the_study_is_reproduced_or_said_why_not() -> None:
    assert {*ids(), *ABSENT} == {f"N{number}" for number in range(1, 21)}
    assert not set(ids()) & set(ABSENT)
    assert chosen(["all"]) == ids()
    assert chosen(["n17", "N2"]) == ("N17", "N2")


@pytest.mark.parametrize(("name", "why"), [("N7", "C code"), ("N99", "there are N1")])
def test_a_figure_that_is_not_reproduced_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(MalformedError, match=why):
        chosen([name])


def test_the_mean_of_400_forgeries_is_within_ten_percent_of_65536() -> None:
    trials = list(n1.forgeries(16, 400))
    assert within(sum(trials) / len(trials), 65_536, 0.10)
    assert min(trials) < 10_000
    assert max(trials) > 200_000, "trials are drawn anew each time, not counted"


@pytest.mark.parametrize("name", ["N2", "N11", "N16", "N17"])
def test_what_the_rules_ask_for_holds(name: str) -> None:
    found = list(reproduce(name, quick=True))
    assert any(one.passed for one in found)
    assert all(one.passed is not False and one.source for one in found)


def test_translucent_sessions_fall_within_the_interval_and_another_p_would_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(n12, "QUICK_SESSIONS", 150)
    assert [one.passed for one in n12.findings(quick=True)] == [True]
    monkeypatch.setattr(n12, "P", 0.6)
    assert [one.passed for one in n12.findings(quick=True)] == [False]


def test_thresholds_cost_the_sender_nothing_and_the_combiner_a_line() -> None:
    encryption, combining = n9.findings(quick=True)
    assert encryption.published == combining.published == 1.0
    slope, fit = n9._line([1.0, 2.0, 3.0], [2.0, 4.1, 5.9])
    assert 1.9 < slope < 2.0
    assert 0.99 < fit < 1


def test_the_rate_that_a_threshold_forgives_falls_with_the_size_of_the_library() -> None:
    assert n11.largest_rate(1000) > n11.largest_rate(10_000) > n11.largest_rate(100_000)
    assert n11.largest_rate(1000, threshold=31) > n11.largest_rate(1000)


def test_the_relay_holds_no_words_and_more_than_two_dates_and_says_so() -> None:
    words, kinds = reproduce("N19", quick=True)
    assert words.verdict == "holds"
    assert kinds.verdict == "DIFFERS"
    assert "bundle" in str(kinds.ours)


def test_a_difference_is_an_exit_code_and_rows_are_json() -> None:
    ran = CliRunner().invoke(lab, ["reproduce", "N17", "N19", "--quick", "--json"], standalone_mode=False)
    assert ran.return_value == Kind.VERIFICATION
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert all(row.keys() == FIELDS for row in rows)
    assert {row["verdict"] for row in rows} == {"holds", "shown", "DIFFERS"}
    ran = CliRunner().invoke(lab, ["reproduce", "N17", "--quick"], standalone_mode=False)
    assert ran.return_value == 0
    assert "16 of 32" in ran.stdout


def test_a_sweep_of_custody_shows_both_ways_and_the_frontier() -> None:
    arguments = ["sweep", "custody", "--n", "3", "--refresh", "0.25", "--trials", "2000"]
    ran = CliRunner().invoke(lab, [*arguments, "--json"], standalone_mode=False)
    rows = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.return_value == 0
    assert [(row["n"], row["threshold"]) for row in rows] == [(3, 1), (3, 2), (3, 3)]
    assert all(abs(row["breach"] - row["simulated"]) < 0.05 for row in rows)
    ran = CliRunner().invoke(lab, arguments, standalone_mode=False)
    assert "2 of 3" in ran.stdout


def test_a_verdict_is_one_word() -> None:
    def verdict(passed: bool | None) -> str:
        return Finding("N0", "", "", 1.0, 1.0, "", passed).verdict

    assert [verdict(passed) for passed in (True, False, None)] == ["holds", "DIFFERS", "shown"]
