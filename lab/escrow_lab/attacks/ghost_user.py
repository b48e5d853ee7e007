"""A silent participant in somebody's conversations: with ``transparency`` its target sees it."""

from escrow_lab.attack import SECRET, TARGET, Detected, Outcome, Prevented, Succeeded, talk
from escrow_lab.regime import Order
from escrow_lab.regimes.ghost import Ghost

THREAT = "the operator adds a reader to a user's list of devices and shows it to nobody"
ON = ("ghost",)


def attack(regime: Ghost) -> Outcome:
    """Haunt the target, and listen until somebody notices."""
    order = Order(TARGET, 0, 1 << 30)
    regime.access(order)
    talk(regime)
    access = regime.access(order)
    if regime.noticed:
        return Detected(*regime.noticed[0])
    heard = [text for text in access.opened.values() if SECRET in text]
    return Succeeded(heard[0]) if heard else Prevented("nothing was heard")
