"""Which committees are worth having: no other one of the table is both safer and more often in service."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from escrow_lab.custody.model import Custody, breach, served


@dataclass(frozen=True, slots=True)
class Choice:
    """A committee and its two probabilities; ``best``: on the frontier."""

    custody: Custody
    breach: float
    served: float
    best: bool = False


def choices(terms: Custody, sizes: Iterable[int]) -> list[Choice]:
    """Every threshold of every size, under the rates of ``terms``."""
    made = (replace(terms, n=n, threshold=t) for n in sizes for t in range(1, n + 1))
    return marked([Choice(one, breach(one), served(one)) for one in made])


def marked(found: list[Choice]) -> list[Choice]:
    """The same, with those on the frontier marked."""
    return [replace(one, best=not any(_beats(other, one) for other in found)) for one in found]


def _beats(other: Choice, one: Choice) -> bool:
    as_good = other.breach <= one.breach and other.served >= one.served
    return as_good and (other.breach < one.breach or other.served > one.served)
