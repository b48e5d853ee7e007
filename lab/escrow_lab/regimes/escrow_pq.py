"""Our escrow with Shamir's shares sealed by X-Wing; needs the extra ``pq``."""

from escrow_lab.deployed import Deployed


class EscrowPq(Deployed):
    """See ``Deployed``."""

    SCHEME = "pq"


REGIME = EscrowPq
