"""ESC-09: the coins of a capsule depend on all it is bound to, so one seed in two capsules reveals nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import SIZE, Scalar
from escrow.secret import Secret
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import SCHEME, label, numbers, seeds

pytestmark = pytest.mark.claim("ESC-09")

HELD, OTHER = committee(), committee(3, 2, "another period")


@effort(0.7)
@given(st.lists(numbers, min_size=2, max_size=2, unique=True), seeds)
def test_two_capsules_of_one_seed_do_not_add_up_to_its_coins(census: Census, two: list[int], seed: bytes) -> None:
    one, other = (label(HELD, number) for number in two)
    for first, second in (((HELD, one), (HELD, other)), ((HELD, one), (OTHER, one))):
        (u1, e1, f1), (u2, e2, f2) = (
            _proof(SCHEME.encapsulate(held.ctx, bound, Secret(seed))) for held, bound in (first, second)
        )
        assert u1 != u2
        # f = s + r·e twice with the same r and s would give r away, and with it the seed.
        r = (f1 - f2) * (e1 - e2).invert()
        assert EDWARDS25519.base_mul(r).encode() not in (u1, u2)
        census("not revealed")


def _proof(made: bytes) -> tuple[bytes, Scalar, Scalar]:
    cut = [made[at : at + SIZE] for at in range(0, len(made), SIZE)]
    return cut[1], Scalar.decode(cut[3]), Scalar.decode(cut[4])
