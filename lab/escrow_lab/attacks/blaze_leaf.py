"""A rogue sender tries LEAFs until another chip takes one: Blaze, 1994."""

from escrow_lab.attack import SECRET, TARGET, Outcome, Prevented, Succeeded
from escrow_lab.regime import Message, Order
from escrow_lab.regimes.clipper import Clipper

THREAT = "a rogue chip sends a message that the other chip takes and no escrow agent can read"
ON = ("clipper",)


def attack(regime: Clipper) -> Outcome:
    """Forge one, and ask the agents for it."""
    sealed, trials = regime.forge(Message(0, 0, TARGET, "bob", SECRET))
    if not sealed.delivered or regime.access(Order(TARGET, 0, 1)).opened:
        return Prevented("the checkword")
    return Succeeded(f"a message that arrived and that no agent reads, after {trials} trials")
