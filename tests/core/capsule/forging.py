"""Capsules that verify and hold no seed: what a sender can make who does not keep to the scheme."""

from escrow.capsule.schemes import CommitteeContext
from escrow.capsule.schemes.ibe import _Place
from escrow.crypto.bls12381 import BlsScalar
from escrow.crypto.group import Scalar


def spoilt_capsule(ctx: CommitteeContext, label: bytes, r: int = 1234, w: bytes = bytes(32)) -> bytes:
    """For suites 3 and 7: coins of the sender's choice, and noise where the seed should be."""
    coin: Scalar = BlsScalar(r)
    nonce: Scalar = BlsScalar(5678)
    place = _Place.of(ctx, label)
    u = ctx.group.base_mul(coin).encode()
    challenge = place.challenge(u, w, ctx.group.base_mul(nonce))
    return u + w + challenge.encode() + (nonce + challenge * coin).encode()
