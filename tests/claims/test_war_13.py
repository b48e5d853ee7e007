"""WAR-13: an identity key is given for closed epochs alone, for identities that are signed for, within a quota."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.core.roles.days import Days, days, naming
from tests.core.roles.scene import HOUR, MINUTE

pytestmark = pytest.mark.claim("WAR-13")


def ready() -> Days:
    at = days()
    at.rewind("ready")
    return at


@effort(0.1)
@given(st.integers(-6 * HOUR, HOUR), st.integers(1, 3))
def test_no_key_is_given_before_its_epoch_has_ended(census: Census, late: int, custodian: int) -> None:
    """``late``: how long behind the end of the epoch, without its grace, the agency asks."""
    at = ready()
    request, item = at.wide(), at.today("today")
    genesis = at.world.genesis
    end = genesis.policy.epoch_end(item.terms.epoch)
    at.world.advance_to(max(at.world.now, end + late))
    at.settle()
    reason = at.why_not(naming(request, item), custodian=custodian)
    # The witnesses' clock, which counts as well, is at most a step behind.
    if at.world.now < end + genesis.grace_ms:
        assert reason == "EPOCH_OPEN"
        census("epoch open")
    elif at.world.now > end + genesis.grace_ms + MINUTE:
        assert reason == ""
        census("accepted")


@effort(0.1)
@given(st.lists(st.binary(max_size=4), max_size=2), st.booleans(), st.integers(1, 3))
def test_no_key_is_given_for_identities_that_are_not_those_of_the_items(
    census: Census, others: list[bytes], own: bool, custodian: int
) -> None:
    at = ready()
    named = tuple(hashlib.sha256(other).digest() for other in others) + (at.request.identities if own else ())
    reason = at.why_not(replace(at.request, identities=named), custodian=custodian)
    assert reason == ("" if named == at.request.identities else "ID_MISMATCH")
    census("other identities" if reason else "accepted")


@pytest.mark.parametrize("quota", [1, 2])
def test_the_quota_counts_keys(census: Census, quota: int) -> None:
    at = ready()
    request, item = at.wide(max_identity_keys=quota), at.today("today")
    at.over(item)
    both = naming(request, *at.request.items, item, number=1)
    assert at.why_not(both) == ("QUOTA_WARRANT" if quota == 1 else "")
    census("beyond the quota" if quota == 1 else "accepted")
    alone = naming(request, *at.request.items, number=2)
    assert at.why_not(alone) == ("" if quota == 1 else "QUOTA_WARRANT")
    census("accepted" if quota == 1 else "beyond the quota")
