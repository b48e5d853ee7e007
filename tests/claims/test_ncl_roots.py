"""NCL-ROOTS: as many roots as an order needs give a key to whom they like, where no other root stops them in time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.core.roles.test_handing_over import opens, ordered, settle, shares

pytestmark = pytest.mark.claim("NCL-ROOTS")

THIEF = 9


@effort(0.04)
@given(st.permutations(("root-1", "root-2", "root-3")))
def test_two_stolen_root_keys_make_the_thief_the_one_who_holds_the_key(census: Census, roots: list[str]) -> None:
    world, key_hash, office = ordered((THIEF,))
    order = office.order(key_hash, (THIEF,), 1)
    assert office.sign(order, roots[0]) == ""
    assert office.sign(order, *roots[:2]) == ""
    settle(world)
    held = shares(world, key_hash)
    assert list(held) == [f"custodian/{THIEF}"]
    assert opens(world, key_hash, {1: held[f"custodian/{THIEF}"]})
    census("key taken")
