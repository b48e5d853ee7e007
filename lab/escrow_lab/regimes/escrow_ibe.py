"""Our escrow with identity-based encryption: a released key opens an account's whole epoch; needs the extra ``ibe``."""

from escrow_lab.deployed import Deployed


class EscrowIbe(Deployed):
    """See ``Deployed``."""

    SCHEME = "ibe"


REGIME = EscrowIbe
