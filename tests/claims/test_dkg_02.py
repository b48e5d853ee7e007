"""DKG-02: any threshold of honest shares belong to the public key, and each to its verification share."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.sharing import interpolate_points, interpolate_scalars
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort

pytestmark = pytest.mark.claim("DKG-02")

SIZES = ((1, 1), (2, 2), (3, 2), (5, 3))


@effort(0.5)
@given(st.sampled_from(SIZES), st.integers(0, 3), st.permutations(range(1, 6)))
def test_any_threshold_of_shares_make_the_committed_key(
    census: Census, size: tuple[int, int], seed: int, order: list[int]
) -> None:
    n, threshold = size
    held = committee(n, threshold, seed)
    chosen = {index: held.shares[index] for index in [each for each in order if each <= n][:threshold]}
    assert EDWARDS25519.base_mul(interpolate_scalars(chosen)) == held.ctx.public == EDWARDS25519.decode(held.key.public)
    assert (
        interpolate_points({index: EDWARDS25519.base_mul(share) for index, share in chosen.items()}) == held.ctx.public
    )
    for index, share in held.shares.items():
        assert EDWARDS25519.base_mul(share) == held.generation.share_key(EDWARDS25519, index)
    census("interpolated")
