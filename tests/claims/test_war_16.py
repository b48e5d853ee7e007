"""WAR-16: what a custodian says to a request that it refuses depends on nothing secret: no share is looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.roles.custodian.state import load_holding, save_holding
from escrow.roles.machine import Draft
from escrow.secret import Secret
from tests.claims.asking import why_not
from tests.claims.measures import Census, effort
from tests.claims.test_war_01 import CONDITIONS
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("WAR-16")


@effort(0.3)
@given(st.sampled_from(sorted(CONDITIONS)), st.integers(1, 3), st.binary(min_size=32, max_size=32))
def test_another_share_gives_the_same_refusal(census: Census, broken: str, custodian: int, share: bytes) -> None:
    at = scene().rewind("ready")
    store, key_hash = at.world.store(f"custodian/{custodian}"), at.request.committee_key_hash
    holding = load_holding(store, key_hash)
    assert holding is not None
    draft = Draft(store)
    save_holding(draft, key_hash, replace(holding, share=Secret(share)))
    store._apply(draft.writes())
    reason, break_it = CONDITIONS[broken]
    assert why_not(at, custodian, break_it(at)) == reason
    census("refused")


def test_with_the_true_share_what_is_lawful_is_released(census: Census) -> None:
    assert scene().rewind("ready").why_not() == ""
    census("released")
