"""MSG-06: what escrow adds to the spoils of a stolen device: with ``message`` nothing, with ``epoch`` begun chains."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.roles.device.state import ESCROW, PLAIN
from escrow.world.exposure import chain_of, open_chains
from tests.claims.measures import Census, effort
from tests.claims.thieves import MOST, Step, Talk, steps, street

pytestmark = pytest.mark.claim("MSG-06")

DAY, SAY, ANSWER, LOST = ("day", 0, True), ("say", 1, True), ("say", 0, True), ("say", 1, False)
HEAR, HEARD = ("sync", 0, False), ("sync", 1, False)
EACH_TWICE = (ANSWER, HEARD, SAY, HEAR, ANSWER, HEARD, SAY, HEAR)


def robbed(talk: Talk, before: list[Step], after: list[Step], victim: int) -> frozenset[int]:
    """The numbers of what is exposed by a theft between two conversations."""
    talk.go(before)
    talk.stolen = talk.theft(victim)
    talk.go(after)
    return talk.exposed(talk.stolen)


def chains(talk: Talk) -> dict[bytes, list[int]]:
    """The numbers of the messages of each chain, in order."""
    found: dict[bytes, list[int]] = {}
    for number, one in enumerate(talk.posted):
        found.setdefault(chain_of(one), []).append(number)
    return found


@effort(0.3)
@given(steps(2), steps(2), st.integers(0, 1))
def test_with_a_chain_for_each_message_it_is_what_the_ratchet_alone_exposes(
    census: Census, before: list[Step], after: list[Step], victim: int
) -> None:
    ratchet = robbed(Talk(street(1), PLAIN), before, after, victim)
    talk = Talk(street(1), ESCROW)
    assert robbed(talk, before, after, victim) == ratchet == talk.overheard(talk.stolen)
    for _ in ratchet:
        census("as the ratchet")


@effort(0.3)
@given(steps(2, days=True), steps(2, days=True), st.integers(0, 1))
@example([DAY, LOST, SAY, HEAR], [], 0).via("the skipped envelope of a seed opens the chain behind it")
@example([HEAR], [DAY, SAY, HEAR, ANSWER, HEARD, SAY], 0).via("a chain begins after the theft, and before it heals")
def test_with_a_chain_for_each_epoch_it_is_that_and_what_follows_in_chains_that_it_opens(
    census: Census, before: list[Step], after: list[Step], victim: int
) -> None:
    after = [*after, *EACH_TWICE]
    talk = Talk(street(MOST), ESCROW)
    exposed = robbed(talk, before, after, victim)
    # Who misses the beginning of a chain asks for it and so turns the ratchet: another one than without escrow.
    ratchet = talk.overheard(talk.stolen)
    open_then, found = open_chains(talk.stolen), chains(talk)
    begun = {number for chain, numbers in found.items() if chain in open_then for number in numbers}
    opened = {number for numbers in found.values() if numbers[0] in ratchet for number in numbers}
    assert exposed <= ratchet | begun | opened
    for _ in exposed - ratchet:
        census("beyond the ratchet")
    for _ in exposed - ratchet - begun:
        census("chain begun exposed")


@effort(0.3)
@given(steps(3, days=True), steps(3, days=True), st.integers(0, 2))
def test_in_a_group_nothing_is_exposed_but_in_chains_that_were_open_or_whose_beginning_is(
    census: Census, before: list[Step], after: list[Step], victim: int
) -> None:
    talk = Talk(street(1), ESCROW, group=True)
    exposed = robbed(talk, before, after, victim)
    open_then = open_chains(talk.stolen)
    for chain, numbers in chains(talk).items():
        if chain in open_then or numbers[0] in exposed:
            census("open chain")
        else:
            assert not exposed & set(numbers)
