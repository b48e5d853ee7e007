"""WAR-25: the relay hands over exactly the retained items in a warrant's scope, and nothing without an active one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.receipt import Receipt
from escrow.errors import EscrowError
from escrow.roles.calls import Produce
from escrow.warrant.documents import Window
from escrow.warrant.item import Item
from escrow.world.founding import ISSUERS
from tests.claims.measures import Census, effort
from tests.core.roles.scene import AGENCY, SALT, scene

pytestmark = pytest.mark.claim("WAR-25")


@effort(0.3)
@given(st.integers(0, 3), st.integers(1, 4), st.sampled_from(("locks", "one lock", "too early", "a stranger")))
def test_what_is_produced_is_what_is_in_scope(census: Census, first: int, count: int, how: str) -> None:
    at = scene().rewind("ready")
    times = sorted(Receipt.decode(item.receipt).ingest_time for item in at.request.items)
    edges = [*times, times[-1] + 1, times[-1] + 2]
    start, end = edges[min(first, 3)], edges[min(first, 3)] + count
    payload = at.rewritten(message_window=Window(start=start, end=end))
    signers = at.locks if how != "one lock" else (at.person(ISSUERS[0]),)
    request = at.sealed_by_force(payload, *signers, wait=0 if how == "too early" else 120_000)
    call = Produce(request.dsse, SALT, 0)
    if how != "locks":
        with pytest.raises(EscrowError):
            at.world.ask("relay", call, "person/onlooker" if how == "a stranger" else AGENCY)
        census("refused")
        return
    produced = [Item.decode(data) for data in at.world.ask("relay", call, AGENCY).items]
    assert sorted(Receipt.decode(item.receipt).ingest_time for item in produced) == [
        time for time in times if start <= time < end
    ]
    assert {item.terms.sender_account for item in produced} <= {at.account(at.bob)}
    census("something" if produced else "nothing")
