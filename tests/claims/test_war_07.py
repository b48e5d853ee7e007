"""WAR-07: a share leaves, or exists as a response, only after its intent stands in the log. Also across crashes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import EscrowError
from escrow.ids import Party
from escrow.roles.calls import Release
from escrow.roles.machine import Called
from escrow.tlog.entry import EntryType
from escrow.warrant.release import ReleaseIntent
from escrow.world.loop import complete
from tests.claims.measures import Census, effort
from tests.core.roles.scene import AGENCY, Scene, scene

pytestmark = pytest.mark.claim("WAR-07")

steps = st.lists(
    st.tuples(st.sampled_from(("log down", "log up", "ask", "ask and crash", "tick")), st.integers(1, 3)), max_size=9
)


@effort(0.4)
@given(steps)
def test_no_share_without_a_logged_intent_at_any_moment(census: Census, script: list[tuple[str, int]]) -> None:
    at = scene().rewind("ready")
    for what, custodian in script:
        act(at, what, custodian)
        check(at, census)
    at.world.network.down.clear()
    for custodian in (1, 2, 3):
        assert at.release(custodian=custodian).sealed  # whatever crashed before, it comes to an end
        check(at, census)
    at.settle()
    assert len(list(at.entries(EntryType.RELEASE_INTENT))) == 3


def act(at: Scene, what: str, custodian: int) -> None:
    log, node = Party("log"), at.world[f"custodian/{custodian}"]
    match what:
        case "log down":
            at.world.network.down.add(log)
        case "log up":
            at.world.network.down.discard(log)
        case "tick":
            at.settle(1)
        case "ask and crash":
            # One step of the role is durable, and then the process is gone: nothing is delivered.
            complete(node.step(Called(Party(AGENCY), Release(at.asked.request_bytes, at.asked.signature))))
        case _:
            try:
                at.release(custodian=custodian)
            except EscrowError:
                return  # it would rather not answer than answer without the log


def check(at: Scene, census: Census) -> None:
    """Every stored response has its intent in the log, under the key of whoever prepared it."""
    logged = {ReleaseIntent.decode(entry.payload).custodian for entry in at.entries(EntryType.RELEASE_INTENT)}
    for custodian in (1, 2, 3):
        prepared = bool(list(at.world.store(f"custodian/{custodian}").scan(b"answer/")))
        assert not prepared or at.key(f"custodian/{custodian}").public in logged
        census("share behind an intent" if prepared else "no share")
