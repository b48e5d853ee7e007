"""One custodian fewer than the threshold, with all that the relay has recorded."""

from escrow_lab.attack import ESCROWED, Outcome, talk, tried
from escrow_lab.deployed import CUSTODIANS, RELAY, THRESHOLD
from escrow_lab.regime import Regime

THREAT = "t-1 custodians and the relay put together what they have stored"
ON = ESCROWED


def attack(regime: Regime) -> Outcome:
    """Interpolate through what there is."""
    return tried(regime, talk(regime), RELAY, *CUSTODIANS[: THRESHOLD - 1])
