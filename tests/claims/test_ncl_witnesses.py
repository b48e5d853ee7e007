"""NCL-WITNESSES: from 2k - n corrupt witnesses on, the log shows two parties two histories, and both accept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.claims.witnesses import N, split_view

pytestmark = pytest.mark.claim("NCL-WITNESSES")


@effort(0.5)
@given(st.integers(N // 2 + 1, N), st.permutations(range(N)))
def test_enough_corrupt_witnesses_sign_a_split_view(census: Census, k: int, shuffled: list[int]) -> None:
    bound = 2 * k - N
    corrupt, honest = shuffled[:bound], shuffled[bound:]
    half = k - bound
    order = [(who, False) for who in honest[:half]] + [(who, True) for who in honest[half:]]
    assert split_view(k, corrupt, order) == [0, 1]
    census("split view")
