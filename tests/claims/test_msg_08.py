"""MSG-08: no key and nonce meet two contents, whatever happens to a device's disk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.roles.device.state import ESCROW, PLAIN
from tests.claims.aead_book import book
from tests.claims.measures import Census, effort
from tests.claims.thieves import MOST, Step, Talk, steps, street

pytestmark = pytest.mark.claim("MSG-08")

lives = st.tuples(st.integers(0, 2), steps(3, 5), steps(3, 5))
"""(whose device is put back, what is said before, what after)."""


@pytest.mark.parametrize("mode", [PLAIN, ESCROW])
@pytest.mark.parametrize("group", [False, True])
@effort(0.2)
@given(st.lists(lives, min_size=1, max_size=3))
def test_a_device_that_is_put_back_encrypts_nothing_else_under_an_old_key_and_nonce(
    census: Census, mode: int, group: bool, script: list[tuple[int, list[Step], list[Step]]]
) -> None:
    talk = Talk(street(MOST), mode, group)
    with book() as kept:
        for someone, *pasts in script:
            who = someone % len(talk.people)
            talk.say(who)
            backup = talk.theft(who).snapshot()
            for past in pasts:
                talk.at.store(talk.people[who]).restore(backup)
                talk.say(who)
                talk.go((what, each % len(talk.people), flag) for what, each, flag in past)
                census("put back")
    assert kept.reused == []
    for _ in range(kept.seals):
        census("encrypted")
