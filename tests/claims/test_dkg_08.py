"""DKG-08: an old member can hand over its own share and nothing else; whoever tries is named and replaced."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import Polynomial, interpolate_scalars, random_polynomial
from tests.claims.measures import Census, effort
from tests.core.committee.succession import Handover, made
from tests.core.committee.test_handover_attacks import redealt

pytestmark = pytest.mark.claim("DKG-08")

PEOPLE = (2, 3, 4)


@effort(0.2)
@given(st.integers(-3, 3), st.sets(st.integers(1, 3)))
def test_what_is_dealt_is_the_dealers_share(census: Census, more: int, spoilt: set[int]) -> None:
    def other(_story: Handover, share: Scalar, threshold: int) -> Polynomial:
        return random_polynomial(bytes(32), threshold, share + Scalar(more % 7))

    story = Handover(made(3, 2), PEOPLE, 2, frozenset((1,)), redealt(other, frozenset(spoilt))).settle()
    after = story.after()
    for some in ((1, 2), (2, 3)):
        secret = interpolate_scalars({index: after.shares[index] for index in some})
        assert EDWARDS25519.base_mul(secret) == EDWARDS25519.decode(after.key.public)
    if more or spoilt:
        assert story.record.excluded == ((1, "DEALING_INVALID"),)
        census("named")
    else:
        assert story.record.excluded == ()
        census("accepted")
