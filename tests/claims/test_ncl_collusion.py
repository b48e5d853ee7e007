"""NCL-COLLUSION: custodians who reach the threshold open whatever they like. No warrant, no log, no trace."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import SIZE
from escrow.crypto.sharing import interpolate_points
from escrow.secret import Secret
from escrow.tags import T, Tag
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.messages import read, send
from tests.claims.sealing import numbers, seeds

pytestmark = pytest.mark.claim("NCL-COLLUSION")

HELD = committee()


@effort(0.5)
@given(numbers, seeds, st.binary(min_size=1, max_size=60), st.permutations(range(1, 6)))
def test_three_of_five_custodians_read_a_message_among_themselves(
    census: Census, number: int, seed: bytes, text: bytes, order: list[int]
) -> None:
    recorded = send(HELD, number, seed, text)
    c, u = recorded.capsule[:SIZE], EDWARDS25519.decode(recorded.capsule[SIZE : 2 * SIZE])
    shared = interpolate_points({index: HELD.shares[index] * u for index in order[:3]})
    mask = hashlib.sha512(T(Tag.TDH2_KEM, HELD.ctx.encode(), recorded.label, u.encode(), shared.encode())).digest()
    assert read(recorded, Secret(bytes(a ^ b for a, b in zip(c, mask[:SIZE], strict=True)))) == text
    census("read without a trace")
