"""NCL-QUANTUM: whoever computes discrete logarithms one day reads what is recorded today, from public bytes alone."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.schemes.ibe import Ibe, _Place
from escrow.crypto.bls12381 import G2, BlsScalar
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import SIZE, Scalar, hash_to_scalar
from escrow.crypto.suites import IBE
from escrow.secret import Secret
from escrow.tags import T, Tag
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.messages import Message, read, send
from tests.claims.sealing import numbers, seeds
from tests.core.capsule.vault import committee as ibe_committee
from tests.core.capsule.vault import label as ibe_label

pytestmark = pytest.mark.claim("NCL-QUANTUM")

HELD = committee()


def logarithm(recorded: Message, seed: bytes) -> Scalar:
    """Stands in for the machine: the logarithm of the capsule's u, which the sender knew."""
    r = hash_to_scalar(Tag.TDH2_R, HELD.ctx.encode(), recorded.label, seed)
    assert EDWARDS25519.base_mul(r).encode() == recorded.capsule[SIZE : 2 * SIZE]
    return r


@effort(0.5)
@given(numbers, seeds, st.binary(min_size=1, max_size=60))
def test_one_logarithm_opens_one_capsule(census: Census, number: int, seed: bytes, text: bytes) -> None:
    recorded = send(HELD, number, seed, text)
    c, u = recorded.capsule[:SIZE], recorded.capsule[SIZE : 2 * SIZE]
    shared = (logarithm(recorded, seed) * HELD.ctx.public).encode()
    mask = hashlib.sha512(T(Tag.TDH2_KEM, HELD.ctx.encode(), recorded.label, u, shared)).digest()
    assert read(recorded, Secret(bytes(a ^ b for a, b in zip(c, mask[:SIZE], strict=True)))) == text
    census("read by logarithm")


IBE_CTX, *_ = ibe_committee(suite=IBE)


@effort(0.1)
@given(seeds, st.integers(0, 1000))
def test_one_logarithm_opens_one_capsule_of_ibe_too(census: Census, seed: bytes, epoch: int) -> None:
    about = ibe_label(epoch, IBE)
    capsule, place = Ibe().encapsulate(IBE_CTX, about, Secret(seed)), _Place.of(IBE_CTX, about)
    # Stands in for the machine again: the logarithm of U, from the seed that it has yet to find.
    r = BlsScalar.hashed(Tag.IBE_R, *place, seed)
    assert G2.base_mul(r).encode() == capsule[:96]
    mask = place.mask(capsule[:96], r * place.point, IBE_CTX.public)
    assert bytes(a ^ b for a, b in zip(capsule[96:128], mask, strict=True)) == seed
    census("read by logarithm")
