"""MSG-05: what a thief has taken grows useless (healing): with the ratchet's next turn, or with the epoch after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.roles.device.state import ESCROW, PLAIN
from escrow.world.founding import DAY
from tests.claims.measures import Census, effort
from tests.claims.thieves import MOST, Step, Talk, steps, street

pytestmark = pytest.mark.claim("MSG-05")


def round_trip(talk: Talk, victim: int, census: Census, event: str) -> int:
    """The victim speaks and all the others answer; count what is exposed. Return the number of the next message."""
    before = len(talk.posted)
    talk.exchange(victim, *(who for who in range(len(talk.people)) if who != victim))
    for _ in since(talk, before):
        census(event)
    return len(talk.posted)


def since(talk: Talk, number: int) -> set[int]:
    """What is exposed of the messages from this number on."""
    return {each for each in talk.exposed(talk.stolen) if each >= number}


@effort(0.3)
@given(steps(2), steps(2, 8), st.integers(0, 1), st.sampled_from([PLAIN, ESCROW]))
def test_after_one_answer_with_a_new_key_nothing_more_is_exposed(
    census: Census, before: list[Step], after: list[Step], victim: int, mode: int
) -> None:
    talk = Talk(street(1), mode)
    talk.go(before)
    talk.stolen = talk.theft(victim)
    healed = round_trip(talk, victim, census, "exposed before")
    talk.exchange(victim)
    talk.go(after)
    assert not since(talk, healed)
    census("healed by the ratchet")


@effort(0.3)
@given(steps(2), steps(2, 8), st.integers(0, 1))
def test_a_chain_of_an_epoch_heals_with_the_epoch(
    census: Census, before: list[Step], after: list[Step], victim: int
) -> None:
    talk = Talk(street(MOST), ESCROW)
    talk.go(before)
    talk.stolen = talk.theft(victim)
    healed = round_trip(talk, victim, census, "exposed before")
    talk.exchange(victim, 1 - victim)
    for _ in since(talk, healed):
        census("exposed in spite of the ratchet")
    talk.at.world.advance(DAY)
    ended = len(talk.posted)
    talk.go(after)
    assert not since(talk, ended)
    census("healed by the epoch")


@effort(0.2)
@given(steps(3), steps(3, 8), st.integers(0, 2), st.sampled_from([PLAIN, ESCROW]))
def test_a_group_whose_sessions_carry_only_keys_of_chains_heals_with_the_second_epoch(
    census: Census, before: list[Step], after: list[Step], victim: int, mode: int
) -> None:
    talk = Talk(street(1), mode, group=True)
    talk.go(before)
    talk.stolen = talk.theft(victim)
    talk.at.world.advance(DAY)
    round_trip(talk, victim, census, "exposed in the next epoch")
    talk.at.world.advance(DAY)
    healed = len(talk.posted)
    talk.exchange(victim)
    talk.go(after)
    assert not since(talk, healed)
    census("healed by the epoch")
