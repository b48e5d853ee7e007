"""WAR-08: behind a cancellation nobody releases, and whoever may not know of it yet gives nothing either."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ids import Party
from escrow.roles.calls import Append
from escrow.tlog.entry import Entry, EntryType
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.asking import why_not
from tests.claims.measures import Census, effort
from tests.core.roles.scene import MINUTE, scene

pytestmark = pytest.mark.claim("WAR-08")


@effort(0.3)
@given(
    st.sampled_from((*ISSUERS, *APPROVERS)), st.integers(1, 3), st.integers(0, 15), st.sampled_from(("seen", "unseen"))
)
def test_a_cancellation_that_is_logged_stops_whoever_hears_of_it_or_of_nothing(
    census: Census, person: str, custodian: int, minutes: int, log: str
) -> None:
    at = scene().rewind("ready")
    order = at.order(EntryType.CANCELLATION, person)
    entry = Entry.make(EntryType.CANCELLATION, order, at.key("authority"), at.world.genesis.log.origin)
    assert at.world.ask("log", Append((entry,))).results[0].reason == ""
    if log == "unseen":
        at.world.network.down.add(Party("log"))
    at.world.clock.advance_to(at.world.now + minutes * MINUTE)
    said = why_not(at, custodian)
    if log == "seen":
        assert said == "CANCELLED"
        census("stopped")
        return
    # Whoever cannot see the log announces nothing there, so it gives nothing; when its view is old it says so.
    assert said in ("INTENT_PENDING", "LOG_STALE", "CLOCK_SKEW")
    assert not list(at.world.store(f"custodian/{custodian}").scan(b"answer/"))
    census("in the dark")
    at.world.network.down.clear()
    at.settle()
    assert why_not(at, custodian) == "CANCELLED"


def test_without_a_cancellation_there_is_a_release(census: Census) -> None:
    assert scene().rewind("ready").why_not() == ""
    census("released")
