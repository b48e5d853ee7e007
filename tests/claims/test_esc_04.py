"""ESC-04: a capsule belongs to one label of one committee, and verifies under no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Reason, RefusedError
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import SCHEME, capsule, label, numbers, seeds

pytestmark = pytest.mark.claim("ESC-04")


@effort(0.3)
@given(st.lists(numbers, min_size=2, max_size=5, unique=True), seeds)
def test_each_capsule_verifies_under_its_own_label_only(census: Census, chosen: list[int], seed: bytes) -> None:
    committees = committee(), committee(3, 2, "another period")
    made = {(held.key.hash, number): capsule(held, number, seed) for held in committees for number in chosen}
    for (key_hash, number), one in made.items():
        for held in committees:
            for bound in chosen:
                if (held.key.hash, bound) == (key_hash, number):
                    SCHEME.verify(held.ctx, label(held, bound), one)
                    census("accepted")
                    continue
                with pytest.raises(RefusedError) as refused:
                    SCHEME.verify(held.ctx, label(held, bound), one)
                assert refused.value.reason is Reason.CAPSULE_INVALID
                census("refused")
