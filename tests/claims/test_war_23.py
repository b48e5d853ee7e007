"""WAR-23: who knows a chain's seed since its release, and has the device's key and the relay, still proves nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import RefusedError
from tests.claims.inventing import device_key, invented, wide
from tests.claims.measures import Census, effort
from tests.core.roles.corrupt import accepted_by_a_corrupt_relay, released_by_rogues
from tests.core.roles.court import bundle_with, verified
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("WAR-23")


@effort(0.3)
@given(st.text("abc ", min_size=1, max_size=9), st.integers(0, 2), st.booleans())
def test_only_what_was_logged_before_the_first_intent_is_evidence(
    census: Census, text: str, place: int, early: bool
) -> None:
    at = scene().rewind("ready")
    request = wide(at)
    honest = () if early else (released_by_rogues(at, request),)
    made_up = accepted_by_a_corrupt_relay(at, invented(at, request.items[place], text, device_key(at)))
    forged = released_by_rogues(at, replace(request, items=(made_up,), request_id=bytes(16)))
    bundle = bundle_with(at, *honest, forged)
    if early:
        # Under the device's key, before anybody meant to open the chain: nothing tells it from the device's word.
        assert [said.text for said in verified(at, bundle).opened] == [text]
        census("accepted")
        return
    with pytest.raises(RefusedError, match="PRECEDENCE"):
        verified(at, bundle)
    census("refused")
