"""LOG-02: with fewer than 2k - n corrupt witnesses, no two parties accept two histories (otherwise: NCL-WITNESSES)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census
from tests.claims.witnesses import N, split_view

pytestmark = pytest.mark.claim("LOG-02")


@given(st.integers(N // 2 + 1, N), st.data())
def test_no_split_view_below_the_bound(census: Census, k: int, data: st.DataObject) -> None:
    corrupt = data.draw(st.sets(st.integers(0, N - 1), max_size=2 * k - N - 1), label="corrupt witnesses")
    order = data.draw(st.lists(st.tuples(st.integers(0, N - 1), st.booleans()), max_size=20), label="who is asked what")
    accepted = split_view(k, corrupt, order)
    assert len(accepted) <= 1
    census("one view" if accepted else "no view")
