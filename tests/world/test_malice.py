"""Each known way to cheat in key generation ends with the name of who cheated, or with none, and with a good key."""

import itertools
from dataclasses import replace

import pytest

from escrow.errors import Reason
from escrow_lab.malice.deviations import DEVIATIONS, Deviation
from escrow_lab.malice.verdicts import Verdict
from tests.world.cheating import CHEAT, NAMED, TERMS, UNNAMED, Cheated, holdings, opens, played


def ends(story: Cheated) -> list[tuple[Reason | None, int | None]]:
    return [(verdict.reason, verdict.culprit) for verdict in story.verdicts()]


def key_is_good(story: Cheated) -> bool:
    """Any two open what is sealed to it, the cheat among them or not."""
    held = holdings(story.genesis, story.period, story.stores())
    pairs = itertools.combinations(sorted(held), 2)
    return all(opens(story.genesis, {index: held[index] for index in pair}) for pair in pairs)


@pytest.mark.parametrize("deviation", DEVIATIONS.values(), ids=lambda each: each.name)
def test_whoever_cheats_is_named_or_nobody_is_and_the_key_is_good(deviation: Deviation) -> None:
    story = Cheated({CHEAT: [[deviation.name]]}).play()
    named = [] if deviation.ends is None else [(deviation.ends, CHEAT)]
    assert ends(story) == [*named, (None, None)]
    assert played(story.stores()[CHEAT]) == 1
    assert key_is_good(story)


def test_the_table_has_both_kinds_of_end() -> None:
    assert len(NAMED) > 25
    assert len(UNNAMED) > 5
    assert {DEVIATIONS[name].ends for name in NAMED} == {
        *(Reason.DEALING_INVALID, Reason.DISPUTE_INVALID, Reason.DEALER_SILENT)
    }


def test_what_names_nobody_names_nobody_all_at_once_either() -> None:
    story = Cheated({CHEAT: [UNNAMED]}).play()
    assert story.verdicts() == [Verdict(0, None, None)]
    assert key_is_good(story)


BOTH_SIDES = [
    ("announced ciphertext that does not open", "accusation with a flipped ciphertext"),
    ("ciphertext withheld and answered with another", "complaint that all is missing"),
    ("another ciphertext than announced", "accusation with another point"),
]


@pytest.mark.parametrize(("dealer", "recipient"), BOTH_SIDES)
def test_where_both_sides_of_a_dispute_lie_one_of_them_is_named(dealer: str, recipient: str) -> None:
    """Custodian 2 deals badly to custodian 1, who complains of others, and with false evidence."""
    story = Cheated({1: [[recipient]], 2: [[dealer]]}, replace(TERMS, custodians=5, threshold=3)).play()
    *runs, last = story.verdicts()
    assert runs
    assert all(verdict.culprit in (1, 2) for verdict in runs)
    assert last.reason is None
