"""WAR-02: with fewer custodians than the threshold nothing is opened; with enough, whoever they are, all of it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.core.roles.scene import TERMS, TEXTS, scene

pytestmark = pytest.mark.claim("WAR-02")


@effort(0.2)
@given(st.sets(st.integers(1, TERMS.custodians)))
def test_an_execution_opens_all_or_nothing_by_the_number_of_custodians(census: Census, away: set[int]) -> None:
    at = scene().rewind("ready")
    at.world.network.down.update(party for n, party in enumerate(at.custodians, 1) if n in away)
    report = at.execute()
    released = {one.custodian for asked in report.requests for one in asked.custodians if one.outcome == "released"}
    if TERMS.custodians - len(away) >= TERMS.threshold:
        assert at.opened() == list(TEXTS)
        assert len(released) >= TERMS.threshold
        census("opened")
        return
    assert at.opened() == []
    assert report.opened == 0
    census("not opened")
