"""An issuer without an approver, with a corrupt desk and a corrupt relay."""

from escrow_lab.attack import ESCROWED, Outcome, with_one_lock
from escrow_lab.deployed import Deployed

THREAT = "the desk seals a warrant that only the issuer has signed"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Ask every custodian under it."""
    return with_one_lock(regime)
