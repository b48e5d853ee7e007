"""DKG-10: an accepted share is x·u, for this custodian, capsule, label, generation and request, and no other."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import SIZE
from escrow.errors import Reason, RefusedError
from tests.claims.keygen import coins, committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import SCHEME, capsule, label, numbers, request, seeds, share
from tests.core.crypto.draws import flip, nonzero

pytestmark = pytest.mark.claim("DKG-10")

HELD = committee()


@effort(0.5)
@given(numbers, seeds, st.integers(1, 5), st.integers(0), nonzero)
def test_a_share_holds_for_exactly_what_it_was_made_for(
    census: Census, number: int, seed: bytes, index: int, bit: int, forged: object
) -> None:
    asked = request(HELD, number, capsule(HELD, number, seed))
    x, h = HELD.shares[index], HELD.generation.verification_of(index)
    answer = share(asked, x, index)
    SCHEME.verify_share(asked, h, index, answer)
    assert EDWARDS25519.decode(answer[:SIZE]) == x * EDWARDS25519.decode(asked.capsule[SIZE : 2 * SIZE])
    census("accepted")
    other = request(HELD, number + 1, capsule(HELD, number + 1, seed))
    wrong = [
        (asked, h, index, flip(answer, bit)),
        (asked, h, index % 5 + 1, answer),
        (asked, HELD.generation.verification_of(index % 5 + 1), index, answer),
        (replace(asked, request_hash=coins("another request")), h, index, answer),
        (replace(asked, generation_hash=coins("another generation")), h, index, answer),
        (replace(asked, label=label(HELD, number + 1)), h, index, answer),
        (other, h, index, answer),
        (asked, h, index, EDWARDS25519.base_mul(x).encode() + answer[SIZE:]),
    ]
    for attempt in wrong:
        with pytest.raises(RefusedError) as refused:
            SCHEME.verify_share(*attempt)
        assert refused.value.reason is Reason.SHARE_INVALID
        census("refused")


@effort(0.2)
@given(numbers, seeds, st.integers(0))
def test_a_custodian_is_no_oracle_for_points_that_are_no_capsule(
    census: Census, number: int, seed: bytes, bit: int
) -> None:
    asked = request(HELD, number, flip(capsule(HELD, number, seed), bit))
    with pytest.raises(RefusedError) as refused:
        share(asked, HELD.shares[1], 1)
    assert refused.value.reason is Reason.CAPSULE_INVALID
    census("no oracle")
