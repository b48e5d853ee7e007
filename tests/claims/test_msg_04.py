"""MSG-04: a device that is stolen opens nothing that it had opened before (forward secrecy of the session)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.e2ee import ratchet
from escrow.e2ee.ratchet import RatchetState
from escrow.errors import EscrowError
from tests.claims.measures import Census, effort
from tests.core.e2ee.people import NOW, coins, ratchet_pair

pytestmark = pytest.mark.claim("MSG-04")

AD = b"mode and lineage"


def exposed(stolen: RatchetState, message: bytes) -> bool:
    """Whether the thief opens it: with the state as it is, and with its counter turned back."""
    for turned in {stolen.received, *range(min(stolen.received, 12))}:
        try:
            ratchet.decrypt(replace(stolen, received=turned), message, AD, NOW)
        except EscrowError:
            continue
        return True
    return False


@effort(0.5)
@given(st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=1, max_size=12))
def test_a_snapshot_opens_only_what_was_skipped_or_is_still_to_come(
    census: Census, script: list[tuple[int, bool]]
) -> None:
    sides, opened, skipped = list(ratchet_pair()), list[tuple[int, bytes]](), list[tuple[int, bytes]]()
    for number, (speaker, arrives) in enumerate(script):
        if speaker == 1 and not sides[1].remote:
            continue
        sides[speaker], message = ratchet.encrypt(sides[speaker], b"text", AD, coins(number))
        if arrives:
            sides[1 - speaker], _ = ratchet.decrypt(sides[1 - speaker], message, AD, NOW)
        (opened if arrives else skipped).append((1 - speaker, message))
    for to, message in opened:
        assert not exposed(sides[to], message)
        census("not exposed")
    for to, message in skipped:
        # The thief is no paper tiger: what has not arrived yet, the device itself must still be able to open.
        assert exposed(sides[to], message)
        census("exposed")
