"""The schemes by suite number: one module each, one interface (``base``), one property suite for all."""

from collections.abc import Mapping
from typing import Final

from escrow.capsule.schemes.base import CommitteeContext, Scheme, ShareRequest
from escrow.capsule.schemes.hybrid import Hybrid
from escrow.capsule.schemes.ibe import Ibe
from escrow.capsule.schemes.pq import Pq
from escrow.capsule.schemes.tdh2 import Tdh2
from escrow.crypto.suites import (
    HYBRID_EDWARDS25519,
    HYBRID_RISTRETTO255,
    IBE,
    IBE_CONVERSATION,
    PQ,
    TDH2_EDWARDS25519,
    TDH2_RISTRETTO255,
)
from escrow.errors import Reason, RefusedError

__all__ = ["CommitteeContext", "Scheme", "ShareRequest", "scheme_of"]

_SCHEMES: Final[Mapping[int, Scheme]] = {
    TDH2_EDWARDS25519: Tdh2(),
    TDH2_RISTRETTO255: Tdh2(),
    IBE: Ibe(),
    PQ: Pq(),
    HYBRID_EDWARDS25519: Hybrid(),
    HYBRID_RISTRETTO255: Hybrid(),
    IBE_CONVERSATION: Ibe(),
}
"""By the number that labels, proposals and policies carry."""


def scheme_of(suite: int) -> Scheme:
    """The scheme of a suite; ``RefusedError(SUITE_MISMATCH)`` if there is none of that number."""
    if suite not in _SCHEMES:
        raise RefusedError(Reason.SUITE_MISMATCH, f"there is no suite {suite}")
    return _SCHEMES[suite]
