"""DKG-03: whatever fewer than a threshold of custodians do, an honest one is never named; who breaks a run is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow_lab.malice.deviations import DEVIATIONS
from tests.claims.cheated import Assembly, plots
from tests.claims.measures import Census, effort

pytestmark = pytest.mark.claim("DKG-03")


@pytest.mark.parametrize("name", DEVIATIONS)
def test_each_known_deviation_ends_as_the_table_says(census: Census, name: str) -> None:
    ends = Assembly(3, 2, {2: [name]}, 0).play().ends()
    if DEVIATIONS[name].ends is None:
        assert not any(aborted for aborted in ends.values())
        census("nobody")
    else:
        assert {(each.reason, each.culprits) for each in ends.values() if each} == {
            (DEVIATIONS[name].ends, frozenset({2}))
        }
        census("named")


@effort(0.5)
@given(plots(), st.integers(0, 1 << 32))
def test_no_mixture_of_deviations_and_no_order_of_events_names_an_honest_member(
    census: Census, plot: dict[int, list[str]], order: int
) -> None:
    n, t = (3, 2) if len(plot) == 1 else (5, 3)
    for aborted in Assembly(n, t, plot, order).play().ends().values():
        if aborted is not None:
            assert aborted.culprits <= plot.keys()
    census("mixture")
