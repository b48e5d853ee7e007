"""Shadow keys: Kilian and Leighton, 1995. A key that nobody holds in escrow travels in the open, within the regime."""

from escrow.crypto.coins import Coins
from escrow_lab.attack import ESCROWED, OTHER, TARGET, Outcome, Prevented
from escrow_lab.attacks.super_encryption import within
from escrow_lab.letters import Key
from escrow_lab.regime import Message, Regime

THREAT = "a user publishes a second key under the escrowed first, and is written to with that one"
ON = (*ESCROWED, "clipper", "master-key")


def attack(regime: Regime) -> Outcome:
    """The recipient announces its shadow key as any message; the sender writes to it."""
    shadow = Key.of(Coins(bytes(31) + b"\x02"))
    announced = regime.seal(Message(0, 0, OTHER, TARGET, shadow.public.encode().hex()))
    if not announced.delivered:
        return Prevented("the regime carries no such message")
    return within(regime, shadow, 1)
