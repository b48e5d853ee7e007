"""WAR-20: a warrant on the future opens nothing of the past, and where keys open epochs, none that began in it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.receipt import Receipt
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.measures import Census, effort
from tests.core.roles.days import Days, days, naming
from tests.core.roles.scene import DAY, HOUR, MINUTE, Scene, scene

pytestmark = pytest.mark.claim("WAR-20")


@effort(0.08)
@given(st.integers(0, 3 * HOUR), st.integers(1, 3))
def test_what_was_accepted_before_the_activation_stays_closed(census: Census, delay: int, custodian: int) -> None:
    at: Scene = scene()
    at.rewind("ready")
    prospective = at.sealed_by_force(at.rewritten(kind="PROSPECTIVE"), *at.locks, wait=2 * MINUTE + delay)
    for number, item in enumerate(at.request.items):
        one = replace(prospective, items=(item,), request_id=bytes([number]) * 16)
        assert Receipt.decode(item.receipt).ingest_time < at.world.now
        assert at.why_not(one, custodian=custodian) == "BEFORE_ACTIVATION"
        census("refused")


@effort(0.06)
@given(st.integers(0, 4 * HOUR), st.integers(1, 3))
def test_a_key_of_an_epoch_that_began_before_the_activation_is_not_given(
    census: Census, pause: int, custodian: int
) -> None:
    at: Days = days()
    at.rewind("ready")
    request = at.wide(kind="PROSPECTIVE")
    at.pass_time(pause)
    behind = at.today("behind the activation, in an epoch that began before it")
    at.over(behind)
    assert at.why_not(naming(request, *at.request.items), custodian=custodian) == "BEFORE_ACTIVATION"
    census("refused")
    assert at.why_not(naming(request, behind, number=2), custodian=custodian) == "BEFORE_ACTIVATION"
    census("began before")
    following = at.today("in the epoch after it")
    at.over(following)
    assert at.why_not(naming(request, following, number=3), custodian=custodian) == ""
    census("accepted")


@effort(0.08)
@given(st.lists(st.integers(-3, 6), min_size=1, max_size=3, unique=True))
def test_from_application_to_plaintext_only_what_is_said_later_opens(census: Census, minutes: list[int]) -> None:
    at = scene().rewind("said")
    begin = at.world.now
    warrant_id = at.apply(kind="PROSPECTIVE", window=(begin - DAY // 24, begin + DAY), not_before=begin + 5 * MINUTE)
    for role, person in (("issuer", ISSUERS[0]), ("approver", APPROVERS[0])):
        at.sign(role, person, warrant_id)
    at.settle()
    said = {begin + (5 + minute) * MINUTE: f"at {minute}" for minute in sorted(minutes)}
    for when, text in said.items():
        at.world.advance_to(max(when, at.world.now))
        at.settle()
        at.say(at.bob, "alice", text)
    at.pass_time(2 * HOUR)
    at.execute(warrant_id)
    expected = [text for when, text in said.items() if when >= begin + 5 * MINUTE]
    assert at.opened(warrant_id) == expected
    census("accepted" if expected else "refused")
    if len(expected) < len(said):
        census("refused")
