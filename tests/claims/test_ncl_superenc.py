"""NCL-SUPERENC: two ends that agree to encrypt once more show the agency a ciphertext, and no rule is broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.crypto import aead
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.messages import read, send
from tests.claims.sealing import SCHEME, numbers, request, seeds, shares

pytestmark = pytest.mark.claim("NCL-SUPERENC")

HELD = committee()


@effort(0.3)
@given(numbers, seeds, seeds, st.binary(min_size=8, max_size=60))
def test_the_agency_opens_the_escrow_and_reads_nothing(
    census: Census, number: int, seed: bytes, private: bytes, text: bytes
) -> None:
    hidden = aead.seal(private, bytes(12), text, b"")
    sent = send(HELD, number, seed, hidden)
    SCHEME.verify(HELD.ctx, sent.label, sent.capsule)  # to the relay it is a message like any other
    asked = request(HELD, number, sent.capsule)
    opened = open_capsule(asked, HELD.generation, shares(HELD, asked, 1, 2, 3))
    seen = read(sent, opened.seed)
    assert seen == hidden
    assert text not in seen
    assert aead.open_(private, bytes(12), seen, b"") == text
    census("hidden from the agency")
