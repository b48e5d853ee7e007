"""Custody risk by playing it: years in which break-ins happen at moments, and shares are taken and replaced.

Knows the model's statement and none of its formulas: shocks and break-ins happen at moments, drawn one by one.
"""

from dataclasses import dataclass

import numpy as np

from escrow_lab.custody.model import YEAR, Custody


@dataclass(frozen=True, slots=True)
class Count:
    """How often something happened in so many trials."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        """The estimate."""
        return self.hits / self.trials

    def agrees_with(self, p: float, outside: float = 0.05) -> bool:
        """Whether ``p`` lies in the exact interval of Clopper and Pearson, which leaves out that much: 95 % stay."""
        at_most = _cumulative(self.hits, self.trials, p)
        at_least = 1 - (_cumulative(self.hits - 1, self.trials, p) if self.hits else 0.0)
        return at_most >= outside / 2 and at_least >= outside / 2


def breaches(custody: Custody, trials: int, seed: int) -> Count:
    """In how many of ``trials`` years the key fell."""
    draw = np.random.default_rng(seed)
    ends = np.cumsum(custody.intervals)
    taken = np.zeros((trials, len(ends), custody.n), dtype=bool)
    for custodian in range(custody.n):
        years, moments = _moments(draw, trials, custody.alone)
        taken[years, np.searchsorted(ends, moments, side="left").clip(max=len(ends) - 1), custodian] = True
    years, moments = _moments(draw, trials, custody.shocks)
    reached = draw.random((len(years), custody.n)) < custody.reach
    places = np.searchsorted(ends, moments, side="left").clip(max=len(ends) - 1)
    np.logical_or.at(taken, (years, places), reached)
    fallen = (taken.sum(axis=2) >= custody.threshold).any(axis=1)
    return Count(int(fallen.sum()), trials)


def played(year: tuple[Custody, int, int]) -> Count:
    """``breaches`` of (custody, trials, seed): a job for somebody else's process."""
    return breaches(*year)


def services(custody: Custody, trials: int, seed: int) -> Count:
    """How many of ``trials`` requests found enough custodians in service."""
    draw = np.random.default_rng(seed)
    shock = draw.random(trials) < custody.correlation * custody.downtime / custody.reach
    alone = draw.random((trials, custody.n)) < (1 - custody.correlation) * custody.downtime
    reached = draw.random((trials, custody.n)) < custody.reach
    down = alone | (shock[:, None] & reached)
    return Count(int(((~down).sum(axis=1) >= custody.threshold).sum()), trials)


def _moments(
    draw: np.random.Generator, trials: int, rate: float
) -> tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", "np.ndarray[tuple[int], np.dtype[np.float64]]"]:
    """Moments of a Poisson process of ``rate`` a year in each of ``trials`` years: (the year, the moment in it)."""
    counts = draw.poisson(rate * YEAR, trials)
    return np.repeat(np.arange(trials), counts), draw.random(int(counts.sum())) * YEAR


def _cumulative(hits: int, trials: int, p: float) -> float:
    """P[Bin(trials, p) <= hits]."""
    if p <= 0:
        return 1.0
    if p >= 1:
        return 1.0 if hits >= trials else 0.0
    steps = np.arange(1, hits + 1)
    ratios = np.log(trials - steps + 1) - np.log(steps) + np.log(p) - np.log1p(-p)
    logs = trials * np.log1p(-p) + np.concatenate([[0.0], np.cumsum(ratios)])
    return float(min(1.0, np.exp(logs).sum()))
