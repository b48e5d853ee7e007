"""A recipient who reports what was never said."""

from dataclasses import replace

from escrow_lab.attack import Outcome, Prevented, Succeeded, talk
from escrow_lab.regimes.franking import Franking

THREAT = "a recipient reports other words, or another sender, than there were"
ON = ("franking",)


def attack(regime: Franking) -> Outcome:
    """Change the words under the true commitment, then the name above the true words."""
    honest = regime.report(talk(regime)[0])
    lies = replace(honest, words=b"something worse"), replace(honest, sealed=replace(honest.sealed, sender="mallory"))
    believed = [lie for lie in lies if regime.verify(lie)]
    if believed or not regime.verify(honest):
        return Succeeded("a report that the platform believes")
    return Prevented("the platform", "commitment and tag name the words and their sender")
