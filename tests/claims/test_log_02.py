"""LOG-02: with fewer than 2k - n corrupt witnesses, no two parties accept two histories (otherwise: NCL-WITNESSES)."""

from collections.abc import Iterable, Iterator
from itertools import chain, combinations

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


@pytest.mark.parametrize("k", range(N // 2 + 1, N + 1))
def test_every_set_of_corrupt_witnesses_is_on_its_side_of_the_bound(census: Census, k: int) -> None:
    """The log tries every way to spread two histories over the honest: it succeeds from 2k - n corrupt ones on."""
    for corrupt in subsets(range(N)):
        honest = [who for who in range(N) if who not in corrupt]
        views = max(len(split_view(k, corrupt, [(who, who in fooled) for who in honest])) for fooled in subsets(honest))
        assert (views == 2) == (len(corrupt) >= 2 * k - N), (k, corrupt)
        census("two views, where there are too many" if views == 2 else "one view")


def subsets(of: Iterable[int]) -> Iterator[tuple[int, ...]]:
    items = list(of)
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))
