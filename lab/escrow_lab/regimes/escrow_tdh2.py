"""Our escrow with threshold ElGamal, the default scheme."""

from escrow_lab.deployed import Deployed


class EscrowTdh2(Deployed):
    """See ``Deployed``."""

    SCHEME = "tdh2-ed25519"


REGIME = EscrowTdh2
