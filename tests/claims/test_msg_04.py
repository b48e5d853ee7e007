"""MSG-04: a device that is stolen opens nothing that it had opened or sent before (forward secrecy)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.roles.device.state import ESCROW, PLAIN
from tests.claims.measures import Census, effort
from tests.claims.thieves import MOST, Step, Talk, steps, strangers, street

pytestmark = pytest.mark.claim("MSG-04")

KINDS = {
    "pair, no escrow": (1, PLAIN, False),
    "pair, message": (1, ESCROW, False),
    "pair, epoch": (MOST, ESCROW, False),
    "group, no escrow": (1, PLAIN, True),
    "group, epoch": (1, ESCROW, True),
}


@pytest.mark.parametrize("kind", KINDS)
@effort(0.15)
@given(steps(3, days=True), steps(3, 6, days=True), st.integers(0, 1))
def test_nothing_that_was_said_or_shown_before_the_theft_is_exposed(
    census: Census, kind: str, before: list[Step], after: list[Step], victim: int
) -> None:
    chain, mode, group = KINDS[kind]
    if not group:
        before, after = ([(what, who % 2, flag) for what, who, flag in script] for script in (before, after))
    talk = Talk(street(chain), mode, group)
    talk.go(before)
    settled, taken = talk.settled(victim), talk.theft(victim)
    talk.go(after)
    exposed = talk.exposed(taken)
    assert not exposed & settled
    # The thief is no paper tiger: what has not arrived yet, the device itself must still be able to open.
    heard = {number for number, one in enumerate(talk.posted) if one.sender != talk.device(victim)} - settled
    for _ in heard & exposed:
        census("exposed")
    for _ in settled:
        census("not exposed")


@effort(0.2)
@given(steps(2, 8), st.integers(0, 1), st.sampled_from([PLAIN, ESCROW]))
def test_not_even_the_first_messages_of_a_session_are_exposed(
    census: Census, before: list[Step], victim: int, mode: int
) -> None:
    talk = Talk(strangers(1), mode)
    talk.go([("say", 1 - victim, True), *before])
    early = talk.theft(victim)
    assert 0 in talk.exposed(early) or 0 in talk.settled(victim)
    talk.sync(victim)
    settled, late = talk.settled(victim), talk.theft(victim)
    assert 0 in settled
    assert not talk.exposed(late) & settled
    census("first message")
