"""Handovers of the committee of ``keygen``: who hands over to whom, with everybody's shares before and after."""

from functools import cache

from escrow.capsule.schemes import CommitteeContext
from tests.claims.keygen import Committee
from tests.core.committee.council import proposal_of
from tests.core.committee.succession import Handover, Held, made

MOVES: tuple[tuple[tuple[int, ...], int], ...] = (((1, 2, 3), 2), ((1, 2, 3, 4), 3), ((3, 4, 5, 6), 2), ((7, 8), 1))
"""New members and their threshold, of 2 in 3."""


@cache
def moved(move: int, seed: int) -> tuple[Handover, Committee, Committee]:
    """A handover that went well, the committee before it and after. Shared: not to be changed."""
    before = made(3, 2)
    story = Handover(before, *MOVES[move], seed=seed).settle()
    return story, _committee(before), _committee(story.after())


def _committee(held: Held) -> Committee:
    return Committee(CommitteeContext.of(proposal_of(3, 2), held.key), held.key, held.generation, held.shares)
