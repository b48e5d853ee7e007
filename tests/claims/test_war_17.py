"""WAR-17: a warrant sealed many times has one tag, and only its first leaf counts: no second quota or life."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.tlog.entry import EntryType
from escrow.warrant.sealing import seal_tag
from escrow.world.founding import ISSUERS
from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("WAR-17")


@effort(0.1)
@given(st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_sealing_again_changes_nothing(census: Census, times: int, custodian: int, cancelled: bool) -> None:
    at = scene().rewind("ready")
    if cancelled:
        kind = EntryType.CANCELLATION
        assert at.log("authority", kind, at.order(kind, ISSUERS[0])) == ("",)
    for _ in range(times):
        again = at.sealed_by_force(at.payload, *at.locks)
        assert again.seal_tag == seal_tag(at.warrant_id)
        assert at.why_not(again, custodian=custodian) == "SEAL_NOT_FIRST"
        census("refused")
    assert at.why_not(custodian=custodian) == ("CANCELLED" if cancelled else "")
    census("accepted")
