"""WAR-18: after a warrant's end nobody gets a response, new or repeated, and the stored ones are gone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.tlog.entry import EntryType
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.measures import Census, effort
from tests.core.roles.scene import Scene, scene

pytestmark = pytest.mark.claim("WAR-18")

ENDS = {
    "EXPIRED": None,
    "CANCELLED": (EntryType.CANCELLATION, ISSUERS[0]),
    "REFUSED": (EntryType.REFUSAL, APPROVERS[0]),
    "ATTAINED": (EntryType.ATTAINMENT, ISSUERS[0]),
}


@effort(0.2)
@given(st.sampled_from(sorted(ENDS)), st.sets(st.integers(1, 3)))
def test_what_was_answered_before_is_not_answered_again(census: Census, end: str, served: set[int]) -> None:
    at = scene().rewind("ready")
    for custodian in served:
        assert at.release(custodian=custodian).sealed
        census("accepted")
    finish(at, end)
    for custodian in (1, 2, 3):
        assert at.why_not(custodian=custodian) == end
        assert not list(at.world.store(f"custodian/{custodian}").scan(b"answer/"))
        census("refused")


def finish(at: Scene, end: str) -> None:
    match ENDS[end]:
        case None:
            at.pass_time(at.payload.not_after - at.world.now)
        case kind, person:
            assert at.log("authority", kind, at.order(kind, person)) == ("",)
    at.settle()
