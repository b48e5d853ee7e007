"""What a suite calculates with: a group, a KEM key per custodian, or both. Labels and policies carry the number.

And what a share opens: one capsule, or whatever is sealed to one identity, which then says how wide that is.
"""

from typing import Final

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Group
from escrow.errors import Reason, RefusedError

TDH2_EDWARDS25519: Final = 1
TDH2_RISTRETTO255: Final = 2
IBE: Final = 3
PQ: Final = 4
HYBRID_EDWARDS25519: Final = 5
HYBRID_RISTRETTO255: Final = 6
IBE_CONVERSATION: Final = 7

SUITES: Final = {
    "tdh2-ed25519": TDH2_EDWARDS25519,
    "tdh2-ristretto255": TDH2_RISTRETTO255,
    "ibe": IBE,
    "ibe-conversation": IBE_CONVERSATION,
    "pq": PQ,
    "hybrid-ed25519": HYBRID_EDWARDS25519,
    "hybrid-ristretto255": HYBRID_RISTRETTO255,
}
"""By the name that a policy gives."""

_EDWARDS: Final = frozenset({TDH2_EDWARDS25519, HYBRID_EDWARDS25519})
_RISTRETTO: Final = frozenset({TDH2_RISTRETTO255, HYBRID_RISTRETTO255})
_PAIRING: Final = frozenset({IBE, IBE_CONVERSATION})
_WITH_KEM: Final = frozenset({PQ, HYBRID_EDWARDS25519, HYBRID_RISTRETTO255})

MOST_KEM_KEYS: Final = 40
"""Custodians of a suite with KEM keys: all keys, 1216 bytes each, stand in one entry of the log."""


def has_group(suite: int) -> bool:
    """Whether the committee of this suite has a key that is a point, and shares that are scalars."""
    return suite in _EDWARDS | _RISTRETTO | _PAIRING


def has_identities(suite: int) -> bool:
    """Whether a share of this suite opens all that is sealed to an identity, not a single capsule."""
    return suite in _PAIRING


def has_second_generator(suite: int) -> bool:
    """Whether capsules of this suite prove something about two generators."""
    return suite in _EDWARDS | _RISTRETTO


def has_kem(suite: int) -> bool:
    """Whether each custodian of this suite has an X-Wing key of its own."""
    return suite in _WITH_KEM


def group_of(suite: int) -> Group:
    """The group of a suite's keys; ``RefusedError(SUITE_MISMATCH)`` if it has none, or none on this machine."""
    if suite in _EDWARDS:
        return EDWARDS25519
    if suite not in _RISTRETTO | _PAIRING:
        raise RefusedError(Reason.SUITE_MISMATCH, f"suite {suite} has no group")
    try:
        if suite in _PAIRING:
            from escrow.crypto.bls12381 import G2

            return G2
        from escrow.crypto.ristretto255 import RISTRETTO255
    except ModuleNotFoundError:
        extra = "ibe" if suite in _PAIRING else "ristretto"
        raise RefusedError(Reason.SUITE_MISMATCH, f"suite {suite} needs the extra '{extra}'") from None
    return RISTRETTO255
