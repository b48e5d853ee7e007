"""ESC-09, for ibe: nonce and coin depend on the label, so that two capsules of one seed do not give r away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.schemes.ibe import Ibe
from escrow.crypto.bls12381 import G2, BlsScalar
from escrow.crypto.suites import IBE
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds
from tests.claims.test_esc_03_ibe import about
from tests.core.capsule.vault import committee

pytestmark = pytest.mark.claim("ESC-09")

HELD, OTHER = committee(suite=IBE)[0], committee(suite=IBE, seed=1)[0]


@effort(0.15)
@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=2, unique=True), seeds)
def test_two_capsules_of_one_seed_share_neither_coin_nor_nonce(census: Census, two: list[int], seed: bytes) -> None:
    one, other = (about(number) for number in two)
    for first, second in (((HELD, one), (HELD, other)), ((HELD, one), (OTHER, one))):
        (u1, c1, z1), (u2, c2, z2) = (
            _proof(Ibe().encapsulate(ctx, bound, Secret(seed))) for ctx, bound in (first, second)
        )
        assert u1 != u2
        r = (z1 - z2) * (c1 - c2).invert()
        assert G2.base_mul(r).encode() not in (u1, u2)
        # Whoever learns one r, by opening one capsule, must not learn the nonce of the other, and with it the other r.
        nonces = [G2.base_mul(z) - c * G2.decode(u) for u, c, z in ((u1, c1, z1), (u2, c2, z2))]
        assert nonces[0] != nonces[1]
        census("not revealed")


def _proof(made: bytes) -> tuple[bytes, BlsScalar, BlsScalar]:
    return made[:96], BlsScalar.decode(made[128:160]), BlsScalar.decode(made[160:])
