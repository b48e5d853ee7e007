"""Custody risk: the closed form and the simulation, which share no formula, agree; and what must hold of either."""

import random

import pytest

from escrow.errors import MalformedError
from escrow_lab.custody.frontier import Choice, choices, marked
from escrow_lab.custody.model import Custody, breach, served, tail
from escrow_lab.custody.simulation import Count, breaches, services

SETS, YEARS = 200, 2000


def drawn(number: int) -> Custody:
    """Any committee in any world, such that breaches happen."""
    draw = random.Random(number)
    n = draw.randint(1, 9)
    return Custody(
        n,
        draw.randint(1, n),
        hazard=10 ** draw.uniform(-1.5, 0.5),
        refresh=draw.choice([0.0, draw.uniform(0.05, 1.5)]),
        correlation=draw.choice([0.0, draw.random()]),
        reach=draw.uniform(0.1, 1),
        downtime=draw.uniform(0, 0.3),
    )


def test_simulation_and_closed_form_agree_within_95_percent_intervals_in_95_percent_of_200_sets() -> None:
    sets = [drawn(number) for number in range(SETS)]
    by_breach = [breaches(one, YEARS, seed).agrees_with(breach(one)) for seed, one in enumerate(sets)]
    by_service = [services(one, YEARS, seed).agrees_with(served(one)) for seed, one in enumerate(sets)]
    assert sum(by_breach) >= 0.95 * SETS
    assert sum(by_service) >= 0.95 * SETS
    happened = [breaches(one, YEARS, seed).hits for seed, one in enumerate(sets)]
    assert sum(20 < hits < YEARS - 20 for hits in happened) > SETS / 2, "most sets must be able to disagree"


def test_the_agreement_would_not_survive_a_wrong_formula() -> None:
    sets = [drawn(number) for number in range(SETS)]
    wrong = [Custody(one.n, one.threshold, one.hazard, 0.0, one.correlation, one.reach) for one in sets]
    refreshed = [place for place, one in enumerate(sets) if 0 < one.refresh < 0.5 and one.threshold > 1]
    agree = [breaches(sets[place], YEARS, place).agrees_with(breach(wrong[place])) for place in refreshed]
    assert sum(agree) < 0.5 * len(agree), "custody without refresh passed for custody with it"


@pytest.mark.parametrize("refresh", [0.0, 0.25])
def test_refresh_and_thresholds_help_and_correlation_hurts(refresh: float) -> None:
    base = Custody(5, 3, 0.2, refresh)
    assert breach(Custody(5, 4, 0.2, refresh)) < breach(base) < breach(Custody(5, 2, 0.2, refresh))
    assert breach(Custody(5, 3, 0.2, 0.1)) < breach(base)
    assert breach(Custody(5, 3, 0.2, refresh, correlation=0.5)) > breach(base)
    assert served(Custody(5, 4, 0.2, refresh)) < served(base)


def test_a_single_custodian_is_broken_into_as_the_hazard_says() -> None:
    assert breach(Custody(1, 1, 0.1)) == pytest.approx(1 - 2.718281828459045**-0.1)
    assert breach(Custody(1, 1, 0.1, refresh=0.1)) == pytest.approx(breach(Custody(1, 1, 0.1)))
    assert served(Custody(1, 1, 0.1, downtime=0.25)) == pytest.approx(0.75)


def test_a_tail_of_the_binomial_distribution_is_what_it_is() -> None:
    assert tail(5, 0, 0.3) == tail(5, 2, 1.0) == 1.0
    assert tail(5, 6, 0.5) == tail(5, 1, 0.0) == 0.0
    assert tail(5, 3, 0.5) == pytest.approx(0.5)
    assert tail(1000, 500, 0.5) == pytest.approx(0.512613, abs=1e-5)


def test_an_interval_covers_its_estimate_and_not_everything() -> None:
    assert Count(50, 1000).agrees_with(0.05)
    assert not Count(50, 1000).agrees_with(0.10)
    assert not Count(50, 1000).agrees_with(0.02)
    assert Count(0, 1000).agrees_with(0.003)
    assert not Count(0, 1000).agrees_with(0.005)


def test_the_frontier_leaves_out_what_another_choice_beats() -> None:
    terms = Custody(1, 1, 0.1)
    made = [Choice(terms, 0.1, 0.9), Choice(terms, 0.2, 0.8), Choice(terms, 0.3, 0.99)]
    assert [one.best for one in marked(made)] == [True, False, True]
    found = choices(terms, (3, 5))
    assert {(one.custody.n, one.custody.threshold) for one in found} == {
        (n, t) for n in (3, 5) for t in range(1, n + 1)
    }
    assert 0 < sum(one.best for one in found) < len(found)


@pytest.mark.parametrize("wrong", [{"n": 0}, {"threshold": 6}, {"hazard": -1.0}, {"correlation": 1.5}, {"reach": 0.0}])
def test_parameters_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(MalformedError):
        Custody(**({"n": 5, "threshold": 3, "hazard": 0.1} | wrong))  # type: ignore[arg-type]
