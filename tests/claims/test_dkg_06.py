"""DKG-06: a handover keeps the key, and shares of two generations are apart."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.sharing import interpolate_scalars
from tests.claims.handing import MOVES, moved
from tests.claims.measures import Census, effort

pytestmark = pytest.mark.claim("DKG-06")


@effort(0.2)
@given(st.sampled_from(range(len(MOVES))), st.integers(0, 2), st.data())
def test_a_threshold_of_one_generation_is_the_key_and_less_of_each_together_is_not(
    census: Census, move: int, seed: int, data: st.DataObject
) -> None:
    _, before, after = moved(move, seed)
    public = before.ctx.public
    for held in (before, after):
        for some in combinations(held.shares, held.generation.threshold):
            assert EDWARDS25519.base_mul(interpolate_scalars({i: held.shares[i] for i in some})) == public
            census("one generation")
    few = data.draw(st.permutations(sorted(before.shares)))[: before.generation.threshold - 1]
    others = [index for index in after.shares if index not in few]
    rest = data.draw(st.permutations(others))[: after.generation.threshold - 1]
    mixed = {index: before.shares[index] for index in few} | {index: after.shares[index] for index in rest}
    for size in range(1, len(mixed) + 1):
        for some in combinations(mixed, size):
            assert EDWARDS25519.base_mul(interpolate_scalars({i: mixed[i] for i in some})) != public
            census("a mixture")
