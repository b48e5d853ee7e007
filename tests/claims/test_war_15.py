"""WAR-15: whatever happens to an honest release, the agency has evidence in the end that anybody accepts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ids import Party
from escrow.roles.evidence.bundle import Bundle
from escrow.tlog.entry import EntryType
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.measures import Census, effort
from tests.core.roles.court import bundle_of, verified
from tests.core.roles.scene import DAY, MINUTE, TEXTS, Scene, scene

pytestmark = pytest.mark.claim("WAR-15")

happenings = st.lists(
    st.sampled_from(("one custodian down", "all custodians up", "log down", "log up", "execute", "pause", "suspend")),
    max_size=6,
)


@effort(0.3)
@given(happenings, st.sampled_from(("nothing", "cancelled", "expired")))
def test_what_was_opened_is_proved(census: Census, script: list[str], end: str) -> None:
    at = scene().rewind("ready")
    for what in script:
        happen(at, what)
    at.world.network.down.clear()
    if "suspend" not in script:
        at.execute()
        at.settle()
    census(afterwards(at, end))
    opened, bundle = at.opened(), bundle_of(at)
    if not opened:
        assert not bundle.requests
        census("nothing was opened")
        return
    assert sorted(opened) == sorted(TEXTS)
    assert sorted(said.text for said in verified(at, Bundle.parse(bundle.encode())).opened) == sorted(TEXTS)
    census("accepted")


def happen(at: Scene, what: str) -> None:
    down, log = at.world.network.down, Party("log")
    match what:
        case "one custodian down":
            down.add(at.custodians[-1])
        case "all custodians up":
            down.difference_update(at.custodians)
        case "log down":
            down.add(log)
        case "log up":
            down.discard(log)
        case "pause":
            at.pass_time(MINUTE)
        case "suspend":
            down.discard(log)
            at.log("authority", EntryType.SUSPENSION, at.order(EntryType.SUSPENSION, APPROVERS[0]))
        case _:
            at.execute()


def afterwards(at: Scene, end: str) -> str:
    if end == "cancelled":
        at.log("authority", EntryType.CANCELLATION, at.order(EntryType.CANCELLATION, ISSUERS[0]))
    elif end == "expired":
        at.pass_time(3 * DAY)
    return f"afterwards: {end}"
