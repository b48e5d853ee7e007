"""DKG-09: an index is a custodian of the committee, once, and never zero: at zero stands the secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.crypto.group import ORDER
from escrow.crypto.sharing import lagrange_at_zero, random_polynomial
from escrow.errors import MalformedError
from tests.claims.keygen import coins, committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import capsule, request, share, shares

pytestmark = pytest.mark.claim("DKG-09")

impossible = st.one_of(st.just(0), st.integers(max_value=-1), st.integers(min_value=1 << 16), st.just(ORDER))


@given(impossible, st.lists(st.integers(1, 20), max_size=4, unique=True))
def test_an_impossible_index_neither_gets_a_share_nor_is_combined(
    census: Census, index: int, others: list[int]
) -> None:
    with pytest.raises(MalformedError):
        random_polynomial(coins(index), 3).evaluate(index)
    with pytest.raises(MalformedError):
        lagrange_at_zero((*others, index))
    census("refused")


@given(st.lists(st.integers(1, 20), min_size=1, max_size=5, unique=True), st.integers(0))
def test_nobody_is_counted_twice(census: Census, indices: list[int], again: int) -> None:
    assert len(lagrange_at_zero(tuple(indices))) == len(indices)
    census("accepted")
    with pytest.raises(MalformedError):
        lagrange_at_zero((*indices, indices[again % len(indices)]))
    census("refused")


@effort(0.2)
@given(st.one_of(st.integers(-3, 0), st.integers(6, 300)))
def test_the_combiner_takes_no_share_of_a_stranger(census: Census, index: int) -> None:
    held = committee()
    asked = request(held, 1, capsule(held, 1, coins("seed")))
    stranger = {index: share(asked, held.shares[1], index % 2**32)}
    with pytest.raises(MalformedError):
        open_capsule(asked, held.generation, shares(held, asked, 1, 2, 3) | stranger)
    census("refused")
