"""MSG-15: what a device does not know yet delays a message; it loses none, refuses none and blames nobody."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.ids import Party
from escrow.roles.calls import EscrowDelivery, PlainDelivery
from escrow.roles.device.commands import Meet
from escrow.roles.device.state import ESCROW, PLAIN
from tests.claims.measures import Census, effort
from tests.core.roles.phones import Phones, phones

pytestmark = pytest.mark.claim("MSG-15")

NAMED = {"DEVICE_UNKNOWN", "COMMITTEE_UNKNOWN", "CHAIN_UNKNOWN", "BODY_MISSING"}
TEXTS = ["first", "second", "third"]


@pytest.fixture(name="at", scope="module")
def _at() -> Iterator[Phones]:
    at = phones()
    at.reset()
    yield at
    at.reset()


def bodiless(item: EscrowDelivery | PlainDelivery) -> list[EscrowDelivery | PlainDelivery]:
    return [replace(item, body=b"")] if isinstance(item, EscrowDelivery) else []


@effort(0.4)
@given(
    st.sampled_from((PLAIN, ESCROW)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.permutations(range(4)),
    st.sets(st.integers(0, 3)),
)
@example(mode=ESCROW, group=True, knows=True, silent=False, order=[3, 2, 1, 0], halves={0, 3})
@example(mode=ESCROW, group=False, knows=False, silent=True, order=[0, 1, 2, 3], halves=set())
def test_whatever_is_missing_first_all_is_shown_in_the_end(
    at: Phones, census: Census, mode: int, group: bool, knows: bool, silent: bool, order: list[int], halves: set[int]
) -> None:
    """Bob has never heard from alice: devices, committee, roster, first messages and bodies come in any order."""
    at.reset()
    to = "#team" if group else "bob"
    if group:
        at.begin("alice", to, "bob", "carol", mode=mode)
    for text in TEXTS:
        at.send("alice", to, text, mode)
    came = [one for mail in at.waiting("bob") for one in (mail.escrow, mail.plain) if one is not None]
    if knows:
        at.world.run(at.device("bob"), Meet("alice"))
    if silent:
        at.world.network.down.add(Party("log"))
    for place in [place for place in order if place < len(came)]:
        if place in halves:
            at.deliver("bob", *bodiless(came[place]))
        at.deliver("bob", *([] if place in halves else [came[place]]))
    waits = set(at.status("bob").deferred)
    at.world.network.down.clear()
    at.deliver("bob", *(came[place] for place in sorted(halves) if place < len(came)))
    at.sync("bob", "alice", "bob")
    assert sorted(at.texts("bob")) == sorted(TEXTS)
    assert (at.status("bob").deferred, at.alarms("bob")) == ((), [])
    for reason in waits & NAMED:
        census(reason)
