"""Custodians who reach the threshold: NCL-COLLUSION."""

from escrow_lab.attack import ESCROWED, Outcome, talk, tried
from escrow_lab.deployed import CUSTODIANS, RELAY, THRESHOLD
from escrow_lab.regime import Regime

THREAT = "t custodians and the relay open what they like: no warrant, no log, no trace"
ON = ESCROWED


def attack(regime: Regime) -> Outcome:
    """Combine the shares in their stores."""
    return tried(regime, talk(regime), RELAY, *CUSTODIANS[:THRESHOLD])
