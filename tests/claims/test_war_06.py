"""WAR-06: one request has one answer, byte for byte, and counts once; its id never stands for another."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.tlog.entry import EntryType
from escrow.warrant.release import ReleaseIntent
from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("WAR-06")

steps = st.lists(st.sampled_from(("ask", "ask for less", "other nonce", "tick")), min_size=2, max_size=8)


@effort(0.3)
@given(steps, st.integers(1, 3))
def test_a_request_is_answered_and_counted_once(census: Census, script: list[str], custodian: int) -> None:
    at = scene().rewind("ready")
    first = at.release(custodian=custodian)
    assert first.sealed
    less = at.about(*at.request.items[:1])
    for what in script:
        if what == "tick":
            at.settle(1)
        elif what == "ask":
            assert at.release(custodian=custodian) == first
            census("same answer")
        else:
            other = less if what == "ask for less" else replace(at.request, nonce=bytes(16))
            assert at.why_not(other, custodian=custodian) == "REQUEST_CONFLICT"
            census("refused")
    intents = [ReleaseIntent.decode(entry.payload) for entry in at.entries(EntryType.RELEASE_INTENT)]
    assert [intent.count for intent in intents] == [len(at.request.items)]
