"""WAR-22: a signed stop binds a custodian when it arrives, logged or not; only both locks start a warrant again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import EscrowError
from escrow.ids import Party
from escrow.roles.calls import DeliverOrder
from escrow.tlog.entry import EntryType
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.asking import why_not
from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("WAR-22")

STOPS = {EntryType.CANCELLATION: "CANCELLED", EntryType.SUSPENSION: "SUSPENDED"}
PEOPLE = (*ISSUERS, *APPROVERS)


@effort(0.2)
@given(st.sampled_from(sorted(STOPS)), st.sampled_from(PEOPLE), st.integers(1, 3))
def test_a_stop_needs_no_log(census: Census, kind: EntryType, person: str, custodian: int) -> None:
    at = scene().rewind("ready")
    at.world.network.down.add(Party("log"))
    at.world.ask(f"custodian/{custodian}", DeliverOrder(at.order(kind, person)))
    assert why_not(at, custodian) == STOPS[kind]
    census("stopped")


@effort(0.2)
@given(st.sets(st.sampled_from(PEOPLE)), st.integers(1, 3))
def test_only_both_locks_resume(census: Census, people: set[str], custodian: int) -> None:
    at = scene().rewind("ready")
    at.world.ask(f"custodian/{custodian}", DeliverOrder(at.order(EntryType.SUSPENSION, APPROVERS[0])))
    at.settle()
    assert why_not(at, custodian) == "SUSPENDED"
    resumption, both = at.order(EntryType.RESUMPTION, *sorted(people)), people & {*ISSUERS} and people & {*APPROVERS}
    if both:
        assert at.log("authority", EntryType.RESUMPTION, resumption) == ("",)
        assert at.why_not(custodian=custodian) == ""
        census("resumed")
        return
    with pytest.raises(EscrowError):
        at.world.ask(f"custodian/{custodian}", DeliverOrder(resumption))
    at.log("authority", EntryType.RESUMPTION, resumption)
    assert why_not(at, custodian) == "SUSPENDED"
    census("stopped")
