"""WAR-27: one request asks one committee: an item of another committee, period or policy is refused with the rest."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("WAR-27")

FOREIGN = {
    "committee_key_hash": (b"x" * 32, "COMMITTEE_NOT_MINE"),
    "policy_hash": (b"x" * 32, "COMMITTEE_UNAUTHORISED"),
    "epoch": (100_000, "COMMITTEE_UNAUTHORISED"),
    "suite": (2, "SUITE_MISMATCH"),
}


@effort(0.3)
@given(st.sampled_from(sorted(FOREIGN)), st.integers(0, 2), st.integers(1, 3), st.booleans())
def test_one_foreign_item_spoils_the_request(
    census: Census, field: str, place: int, custodian: int, whole: bool
) -> None:
    at = scene().rewind("ready")
    value, reason = FOREIGN[field]
    item = at.request.items[place]
    foreign = replace(item, label=msgspec.structs.replace(item.terms, **{field: value}).encode())
    others = () if whole else tuple(one for one in at.request.items if one is not item)
    assert at.why_not(at.about(foreign, *others), custodian=custodian) == reason
    census("refused")
    assert at.why_not(custodian=custodian) == ""
    census("released")


def test_a_committee_that_the_log_does_not_know_is_nobodys(census: Census) -> None:
    at = scene().rewind("ready")
    item = at.request.items[0]
    foreign = replace(item, label=msgspec.structs.replace(item.terms, committee_key_hash=b"x" * 32).encode())
    assert at.why_not(at.about(foreign, committee_key_hash=b"x" * 32)) == "COMMITTEE_UNAUTHORISED"
    census("refused")
