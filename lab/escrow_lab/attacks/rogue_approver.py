"""An approver without an issuer, with a corrupt desk and a corrupt relay."""

from escrow.world.founding import APPROVERS
from escrow_lab.attack import ESCROWED, Outcome, with_one_lock
from escrow_lab.deployed import Deployed

THREAT = "the desk seals a warrant that only the approver has signed"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Ask every custodian under it."""
    return with_one_lock(regime, APPROVERS[0])
