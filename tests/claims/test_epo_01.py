"""EPO-01: an item is accepted only while its epoch runs, or in the short grace after it; whatever its sender says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.core.roles.town import DAY, MINUTE, START, Phone, Town

pytestmark = pytest.mark.claim("EPO-01")


@effort(0.3)
@given(st.integers(-30 * MINUTE, 30 * MINUTE))
def test_the_relay_takes_a_message_of_an_epoch_until_the_end_of_its_grace(census: Census, late: int) -> None:
    town = Town()
    key = town.committee()
    alice, bob = Phone(town, "alice").register(), Phone(town, "bob").register()
    route = alice.route(bob)
    alice.ask(route)
    end = town.genesis.policy.epoch_end(route.epoch)
    town.clock.advance_to(end + late)
    (result,) = alice.submit(alice.draft(key, alice.label(key, route), (bob,)).item()).items
    if late < town.genesis.grace_ms:
        assert result.reason == ""
        census("accepted")
    else:
        assert result.reason == "EPOCH_STALE"
        census("refused")


@effort(0.2)
@given(st.integers(1, 40))
def test_no_route_and_so_no_message_is_taken_for_an_epoch_to_come(census: Census, ahead: int) -> None:
    town = Town(start=START)
    key = town.committee()
    alice, bob = Phone(town, "alice").register(), Phone(town, "bob").register()
    now = town.genesis.policy.epoch_of(town.now)
    alice.ask(alice.route(bob))
    future = alice.route(bob, epoch=now + ahead)
    assert town.genesis.policy.epoch_start(now + ahead) >= START + ahead * DAY - DAY
    (result,) = alice.submit(alice.draft(key, alice.label(key, future), (bob,)).item()).items
    assert result.reason in {"CONV_TAG", "EPOCH_FUTURE"}
    census("refused")
