"""Our escrow with both schemes, each with a seed of its own; needs the extra ``pq``."""

from escrow_lab.deployed import Deployed


class EscrowHybrid(Deployed):
    """See ``Deployed``."""

    SCHEME = "hybrid-ed25519"


REGIME = EscrowHybrid
