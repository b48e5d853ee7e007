"""EPO-03: with a view of the log that is too old, clients stop sealing and custodians stop releasing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ids import Party
from escrow.roles.device.commands import GetStatus, Send
from tests.claims.asking import why_not
from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("EPO-03")

FRESH_MS = 600_000


@effort(0.2)
@given(st.integers(0, 3 * FRESH_MS), st.integers(1, 3))
def test_a_frozen_log_stops_custodians(census: Census, frozen: int, custodian: int) -> None:
    at = scene().rewind("ready")
    assert at.release(custodian=custodian).sealed
    at.world.network.down.add(Party("log"))
    at.world.clock.advance_to(at.world.now + frozen)
    reason = why_not(at, custodian)
    assert reason in {"", "LOG_STALE", "CLOCK_SKEW"}
    assert reason or frozen <= FRESH_MS
    assert reason == "LOG_STALE" or frozen <= FRESH_MS
    census("stopped" if reason else "released")


@effort(0.2)
@given(st.integers(FRESH_MS + 1, 3 * FRESH_MS))
def test_a_frozen_log_stops_senders(census: Census, frozen: int) -> None:
    at = scene().rewind("said")
    at.world.network.down.add(Party("log"))
    at.world.clock.advance_to(at.world.now + frozen)
    sent = at.world.store("relay").snapshot()
    at.world.run(at.bob, Send("alice", 1, "under whose policy?"))
    assert at.world.store("relay").snapshot() == sent
    assert at.world.run(at.bob, GetStatus()).queued == 1
    census("kept back")
