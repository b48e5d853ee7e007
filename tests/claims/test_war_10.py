"""WAR-10: a capsule opens only for what was logged before anybody asked for it; what is made up later is late."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.warrant.documents import Window
from tests.claims.measures import Census, effort
from tests.core.roles.corrupt import accepted_by_a_corrupt_relay
from tests.core.roles.scene import HOUR, scene

pytestmark = pytest.mark.claim("WAR-10")


@effort(0.2)
@given(st.integers(0, 2), st.integers(1, 3), st.sampled_from(("asked before", "never asked")))
def test_what_relay_and_agency_log_after_the_first_request_opens_nothing(
    census: Census, place: int, custodian: int, history: str
) -> None:
    at = scene().rewind("ready")
    window = Window(start=at.payload.message_window.start, end=at.payload.message_window.end + HOUR)
    request = at.sealed_by_force(at.rewritten(message_window=window), *at.locks)
    if history == "asked before":
        assert at.why_not(request, custodian=custodian) == ""
    again = accepted_by_a_corrupt_relay(at, request.items[place])
    said = at.why_not(replace(request, items=(again,), request_id=bytes(16)), custodian=custodian)
    if history == "asked before":
        assert said == "PRECEDENCE"
        census("refused")
    else:
        assert said == ""
        census("released")
