"""A recording of today, and a machine that computes discrete logarithms one day: NCL-QUANTUM."""

from escrow_lab.attack import ESCROWED, Outcome, Prevented, Succeeded, talk
from escrow_lab.deployed import Deployed

THREAT = "whoever has recorded everything computes the logarithm of the committee key later"
ON = ESCROWED


def attack(regime: Deployed) -> Outcome:
    """Open the recording with that one number, and no custodian's share."""
    for sealed in talk(regime):
        words = regime.by_logarithm(sealed)
        if words is not None:
            return Succeeded(words)
    return Prevented("what a logarithm does not open: the shares are sealed by X-Wing")
