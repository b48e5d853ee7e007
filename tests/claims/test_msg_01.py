"""MSG-01: whatever the network does, each message that is opened is the one that was sent, and is opened once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.e2ee import ratchet
from escrow.errors import EscrowError, Reason
from tests.claims.measures import Census
from tests.core.e2ee.people import NOW, coins, ratchet_pair

pytestmark = pytest.mark.claim("MSG-01")

AD = b"mode and lineage"

steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, 1)),
        st.tuples(st.sampled_from(("deliver", "repeat", "lose")), st.integers(0, 30)),
    ),
    max_size=50,
)


@given(steps)
def test_each_message_is_opened_once_and_as_it_was_sent(census: Census, script: list[tuple[str, int]]) -> None:
    sides, flying, opened = list(ratchet_pair()), list[tuple[int, bytes, bytes]](), list[tuple[int, bytes]]()
    for number, (what, which) in enumerate(script):
        if what == "say" and (which == 0 or sides[1].remote):
            text = b"text %d" % number
            sides[which], message = ratchet.encrypt(sides[which], text, AD, coins(number))
            flying.append((1 - which, text, message))
        elif what == "lose" and flying:
            flying.pop(which % len(flying))
        elif what == "deliver" and flying:
            to, text, message = flying.pop(which % len(flying))
            sides[to], heard = ratchet.decrypt(sides[to], message, AD, NOW)
            assert heard == text
            opened.append((to, message))
            census("accepted")
        elif what == "repeat" and opened:
            to, message = opened[which % len(opened)]
            with pytest.raises(EscrowError) as refused:
                ratchet.decrypt(sides[to], message, AD, NOW)
            assert refused.value.reason is Reason.ENVELOPE_INVALID
            census("refused")
    for to, text, message in flying:
        sides[to], heard = ratchet.decrypt(sides[to], message, AD, NOW)
        assert heard == text
        opened.append((to, message))
        census("late")
    for to, message in opened:
        with pytest.raises(EscrowError):
            ratchet.decrypt(sides[to], message, AD, NOW)
