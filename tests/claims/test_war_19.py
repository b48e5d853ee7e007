"""WAR-19: no custodian opens a chain that may still grow: its seed would open messages that nobody has written yet."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.core.roles.scene import MINUTE, scene

pytestmark = pytest.mark.claim("WAR-19")


@effort(0.4)
@given(st.integers(1, 1024), st.integers(-20, 20), st.integers(1, 3))
def test_a_chain_of_several_messages_waits_for_the_end_of_its_epoch(
    census: Census, n_max: int, minutes: int, custodian: int
) -> None:
    at = scene().rewind("ready")
    genesis, item = at.world.genesis, at.request.items[0]
    closed = genesis.policy.epoch_end(item.terms.epoch) + genesis.grace_ms
    assert closed < at.payload.not_after
    at.pass_time(closed + minutes * MINUTE - at.world.now)
    label = msgspec.structs.replace(item.terms, n_max=n_max).encode()
    said = at.why_not(at.about(replace(item, label=label)), custodian=custodian)
    if n_max == 1:
        assert said == ""  # a chain of one message is complete from the first
        census("released")
    elif minutes < 0:
        assert said == "LIVE_CHAIN"
        census("refused")
    else:
        # Closed: what stops it now is that no device has signed this label.
        assert said in ("SUBMISSION_INVALID", "LIVE_CHAIN" if minutes == 0 else "SUBMISSION_INVALID")
        census("closed")
