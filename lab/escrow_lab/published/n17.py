"""N17: how likely t of n are in service, and how likely t of n collude: two curves that one threshold decides."""

from collections.abc import Iterator
from typing import Final

from escrow_lab.custody.model import Custody, served, tail
from escrow_lab.custody.simulation import services
from escrow_lab.published.figure import Finding

SOURCE = "TACo documentation: 16 of 32; the others are this project's default and two more"
COMMITTEES: Final = ((3, 5), (5, 9), (16, 32), (51, 100))
DOWN, CORRUPT, TRIALS, QUICK_TRIALS = 0.1, 0.1, 200_000, 20_000


def findings(*, quick: bool) -> Iterator[Finding]:
    """The binomial tail, checked by drawing custodians that are in service or not."""
    trials = QUICK_TRIALS if quick else TRIALS
    for threshold, n in COMMITTEES:
        custody = Custody(n, threshold, 0.1, downtime=DOWN)
        p, drawn = served(custody), services(custody, trials, seed=n)
        what = f"{threshold} of {n} in service, each out {DOWN:.0%} of the time"
        yield Finding("N17", what, SOURCE, f"closed form {p:.9f}", drawn.share, "95 % interval", drawn.agrees_with(p))
        collusion = tail(n, threshold, CORRUPT)
        what = f"{threshold} of {n} collude, each with probability {CORRUPT:.0%}"
        yield Finding("N17", what, SOURCE, "none", collusion, "none", None)
