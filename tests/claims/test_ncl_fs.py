"""NCL-FS: escrow limits forward secrecy to the retention window. Endpoints that erase everything do not help."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.crypto.group import Scalar
from escrow.errors import EscrowError
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.messages import read, send
from tests.claims.sealing import numbers, request, seeds, share

pytestmark = pytest.mark.claim("NCL-FS")

HELD = committee()


@effort(0.3)
@given(numbers, seeds, st.binary(min_size=1, max_size=60), st.sets(st.integers(1, 5), max_size=5))
def test_what_was_recorded_is_read_until_enough_custodians_have_erased(
    census: Census, number: int, seed: bytes, text: bytes, erased: set[int]
) -> None:
    recorded = send(HELD, number, seed, text)
    # Sender and receiver have erased seed, chain and message key; what is left is the record and the custodians' disks.
    stolen: dict[int, Scalar] = {index: x for index, x in HELD.shares.items() if index not in erased}
    asked = request(HELD, number, recorded.capsule)
    answers = {index: share(asked, x, index) for index, x in stolen.items()}
    if len(stolen) >= HELD.generation.threshold:
        assert read(recorded, open_capsule(asked, HELD.generation, answers).seed) == text
        census("read later")
        return
    with pytest.raises(EscrowError):
        open_capsule(asked, HELD.generation, answers)
    census("erased in time")
