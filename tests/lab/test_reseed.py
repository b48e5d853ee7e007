"""The models of reseed rules against the product, which decrypts; and what the rules that it lacks would give."""

from hypothesis import given
from hypothesis import strategies as st

from escrow.roles.device.state import ESCROW, PLAIN
from escrow_lab.reseed import ENDLESS, Hear, Say, Schedule, every, exposed, with_the_ratchet
from tests.claims.measures import effort
from tests.claims.thieves import MOST, Step, Talk, steps, street

GREETING: Schedule = (Say(0), Hear(0), Say(1), Hear(1))


def stolen_from(talk: Talk, before: list[Step], after: list[Step], victim: int) -> tuple[frozenset[int], Schedule, int]:
    """What is exposed, the schedule with the greeting, and the place of the theft in it."""
    talk.go(before)
    taken, theft = talk.theft(victim), len(GREETING) + len(talk.schedule)
    talk.go(after)
    found = frozenset(number + 2 for number in talk.exposed(taken))
    told = [Say(one.who) if isinstance(one, Say) else Hear(one.number + 2) for one in talk.schedule]
    return found, (*GREETING, *told), theft


@effort(0.5)
@given(steps(2), steps(2), st.integers(0, 1), st.sampled_from([0, 1, 2, 3, MOST]))
def test_model_and_product_expose_the_same(before: list[Step], after: list[Step], victim: int, chain: int) -> None:
    if chain > 1:  # who misses the beginning of a chain asks for it, which no model knows
        before, after = ([(what, who, what == "say" or flag) for what, who, flag in part] for part in (before, after))
    talk = Talk(street(chain or 1), ESCROW if chain else PLAIN)
    found, schedule, theft = stolen_from(talk, before, after, victim)
    assert found - {0, 1} == exposed(schedule, victim, theft, every(chain) if chain else None) - {0, 1}


TWICE_EACH: Schedule = (*GREETING, Say(0), Hear(2), Say(0), Hear(3), Say(1), Hear(4), Say(1), Hear(5))


def test_a_rule_that_follows_the_ratchet_opens_no_chain_beyond_its_turn() -> None:
    """Stolen between two words of a turn: the second is open to any thief, and so is the answer to it."""
    theft = TWICE_EACH.index(Say(0), 1) + 2
    ratchet = exposed(TWICE_EACH, 0, theft)
    assert ratchet == exposed(TWICE_EACH, 0, theft, with_the_ratchet) == {3, 4, 5}
    assert exposed(TWICE_EACH, 1, theft) == {3}


@given(st.lists(st.integers(0, 1), max_size=20), st.integers(0, 44), st.integers(0, 1), st.integers(1, 5))
def test_where_all_arrives_longer_chains_expose_more(speakers: list[int], theft: int, victim: int, most: int) -> None:
    told = (step for number, who in enumerate(speakers, 2) for step in (Say(who), Hear(number)))
    schedule = (*GREETING, *told)
    ratchet = exposed(schedule, victim, theft)
    assert ratchet == exposed(schedule, victim, theft, every(1)) == exposed(schedule, victim, theft, with_the_ratchet)
    assert ratchet <= exposed(schedule, victim, theft, every(most)) <= exposed(schedule, victim, theft, every(ENDLESS))
