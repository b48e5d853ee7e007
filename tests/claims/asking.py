"""Asking one custodian of the scene for a release."""

from escrow.errors import EscrowError
from escrow.warrant.request import ReleaseRequest
from tests.core.roles.scene import Scene


def why_not(at: Scene, custodian: int, request: ReleaseRequest | None = None) -> str:
    """The reason of a denial, whether it is signed or the custodian rather does not answer at all; empty: released."""
    try:
        return at.why_not(request, custodian=custodian)
    except EscrowError as error:
        return error.reason.name
