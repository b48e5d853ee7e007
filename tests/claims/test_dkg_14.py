"""DKG-14: a handover leaves the committee key as it is, and every capsule from before opens with the new shares."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.errors import EscrowError
from tests.claims.handing import MOVES, moved
from tests.claims.measures import Census, effort
from tests.claims.messages import read, send
from tests.claims.sealing import numbers, request, seeds, shares

pytestmark = pytest.mark.claim("DKG-14")


@effort(0.2)
@given(st.sampled_from(range(len(MOVES))), st.integers(0, 2), numbers, seeds, st.binary(min_size=1, max_size=60))
def test_a_message_from_before_the_handover_is_read_after_it(
    census: Census, move: int, seed: int, number: int, secret: bytes, text: bytes
) -> None:
    _, before, after = moved(move, seed)
    recorded = send(before, number, secret, text)
    assert after.generation.committee_key_hash == before.key.hash == before.generation.committee_key_hash
    for held in (before, after):
        asked = request(held, number, recorded.capsule)
        enough = sorted(held.shares)[: held.generation.threshold]
        assert read(recorded, open_capsule(asked, held.generation, shares(held, asked, *enough)).seed) == text
        census("read")
        if enough[1:]:
            with pytest.raises(EscrowError):
                open_capsule(asked, held.generation, shares(held, asked, *enough[1:]))
            census("too few")
