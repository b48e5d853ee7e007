"""Which group a suite calculates in. The numbers are those of labels, committee proposals and policies."""

from typing import Final

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Group
from escrow.errors import Reason, RefusedError

TDH2_EDWARDS25519: Final = 1
TDH2_RISTRETTO255: Final = 2

SUITES: Final = {"tdh2-ed25519": TDH2_EDWARDS25519, "tdh2-ristretto255": TDH2_RISTRETTO255}
"""By the name that a policy gives."""


def group_of(suite: int) -> Group:
    """The group of a suite's keys; ``RefusedError(SUITE_MISMATCH)`` if it has none, or none on this machine."""
    match suite:
        case 1:  # TDH2_EDWARDS25519
            return EDWARDS25519
        case 2:  # TDH2_RISTRETTO255
            try:
                from escrow.crypto.ristretto255 import RISTRETTO255
            except ModuleNotFoundError:
                raise RefusedError(Reason.SUITE_MISMATCH, "suite 2 needs the extra 'ristretto'") from None
            return RISTRETTO255
        case _:
            raise RefusedError(Reason.SUITE_MISMATCH, f"suite {suite} has no group")
