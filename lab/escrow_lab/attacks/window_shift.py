"""A good warrant, and what its target wrote before its window."""

from escrow_lab.attack import ESCROWED, TARGET, Case, Outcome
from escrow_lab.deployed import Deployed

THREAT = "an agency asks under a valid warrant for messages of its target from before the window"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Put the target's first item into a request."""
    case = Case.opened(regime)
    return case.demand(case.items(TARGET)[:1])
