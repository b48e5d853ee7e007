"""A good warrant, and the messages of somebody else."""

from escrow_lab.attack import ESCROWED, OTHER, Case, Outcome
from escrow_lab.deployed import Deployed

THREAT = "an agency asks under a valid warrant for messages of somebody whom it does not name"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Put the other one's items into a request."""
    case = Case.opened(regime)
    return case.demand(case.items(OTHER)[:1])
