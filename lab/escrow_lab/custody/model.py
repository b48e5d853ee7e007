"""Custody risk in closed form. The simulation beside it shares the statement of the model and none of the formulas.

Each custodian is broken into at ``hazard`` times a year. A share of that, ``correlation``, comes as common shocks,
each of which reaches any custodian with probability ``reach``; the rest strikes each one alone. Whoever breaks in takes
the share of that day, which is worth nothing beside shares from after the next refresh; the key falls when
``threshold`` shares of one interval are taken. A custodian is out of service for ``downtime`` of the time, correlated
in the same way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, comb, exp, lgamma, log
from typing import Final

from escrow.errors import MalformedError, Reason

YEAR: Final = 1.0
_SHOCKS: Final = 200
"""More common shocks in a year than this are not counted: with the rates that are admitted there are none."""


@dataclass(frozen=True, slots=True)
class Custody:
    """n custodians of whom ``threshold`` open; rates per year, ``refresh`` in years (0: never)."""

    n: int
    threshold: int
    hazard: float
    refresh: float = 0.0
    correlation: float = 0.0
    reach: float = 0.8
    downtime: float = 0.01

    def __post_init__(self) -> None:
        shares = self.correlation, self.downtime
        sound = 1 <= self.threshold <= self.n <= 255 and 0 <= self.hazard <= 20 and 0 < self.reach <= 1
        if not (sound and all(0 <= share <= 1 for share in shares) and (self.refresh == 0 or self.refresh >= 1 / 3660)):
            raise MalformedError(
                "custody: 1 <= threshold <= n <= 255, 0 <= hazard <= 20, shares from 0 to 1", Reason.USAGE
            )

    @property
    def shocks(self) -> float:
        """Common shocks a year."""
        return self.correlation * self.hazard / self.reach

    @property
    def alone(self) -> float:
        """Break-ins a year at one custodian that are nobody else's."""
        return (1 - self.correlation) * self.hazard

    @property
    def intervals(self) -> list[float]:
        """The lengths of the intervals between refreshes within a year; the last may be shorter."""
        if not self.refresh or self.refresh >= YEAR:
            return [YEAR]
        count = ceil(YEAR / self.refresh - 1e-9)
        return [self.refresh] * (count - 1) + [YEAR - self.refresh * (count - 1)]


def breach(custody: Custody) -> float:
    """The probability that the key falls within a year."""
    safe = 1.0
    for length in custody.intervals:
        safe *= 1 - _breach_in(custody, length)
    return 1 - safe


def served(custody: Custody) -> float:
    """The probability that enough custodians are in service when a lawful request comes."""
    common = min(1.0, custody.correlation * custody.downtime / custody.reach)
    alone = (1 - custody.correlation) * custody.downtime
    down_in_shock = 1 - (1 - alone) * (1 - custody.reach)
    needed = custody.threshold
    return (1 - common) * tail(custody.n, needed, 1 - alone) + common * tail(custody.n, needed, 1 - down_in_shock)


def tail(n: int, least: int, p: float) -> float:
    """P[Bin(n, p) >= least], summed from its smaller terms so that 10^-12 is meant when it is said."""
    if least <= 0 or p >= 1:
        return 1.0 if least <= n else 0.0
    if p <= 0 or least > n:
        return 0.0
    if n <= 400:
        return min(1.0, sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n, least - 1, -1)))
    return min(1.0, sum(sorted(_terms(n, least, p))))


def _terms(n: int, least: int, p: float) -> Iterator[float]:
    constant = lgamma(n + 1)
    for k in range(least, n + 1):
        yield exp(constant - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))
        if k > 60 + 4 * n * p and k > least + 60:
            return


def _breach_in(custody: Custody, length: float) -> float:
    """The probability that enough shares are taken within one interval: over the number of its common shocks."""
    expected, spared = custody.shocks * length, exp(-custody.alone * length)
    total, weight = 0.0, exp(-expected)
    for count in range(_SHOCKS):
        taken = 1 - spared * (1 - custody.reach) ** count
        total += weight * tail(custody.n, custody.threshold, taken)
        weight *= expected / (count + 1)
        if weight < 1e-18 and count > expected:
            break
    return total
