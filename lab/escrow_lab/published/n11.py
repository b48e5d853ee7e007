"""N11: what error rate of a perceptual hash a threshold of 30 matches forgives, by the size of the library."""

from collections.abc import Iterator

from escrow_lab.custody.model import tail
from escrow_lab.published.figure import Finding

SOURCE = "Apple, Security Threat Model Review, 2021: threshold 30, fewer than 1 false flag in 10^12 accounts a year"
THRESHOLD, MOST = 30, 1e-12
LIBRARIES = (1_000, 10_000, 100_000, 1_000_000)


def findings(*, quick: bool) -> Iterator[Finding]:  # noqa: ARG001
    """P[Bin(N, p) >= 30] at the largest p that keeps the promise: just below it holds, just above it does not."""
    for size in LIBRARIES:
        p = largest_rate(size)
        holds = tail(size, THRESHOLD, p) <= MOST < tail(size, THRESHOLD, 1.01 * p)
        what = f"false flags of an account with {size:,} pictures, if one in {1 / p:,.0f} is a false match"
        yield Finding("N11", what, SOURCE, MOST, tail(size, THRESHOLD, p), "at most, and tight to 1 % of p", holds)


def largest_rate(size: int, threshold: int = THRESHOLD, most: float = MOST) -> float:
    """The largest rate of false matches with which an account of ``size`` pictures is flagged at most so often."""
    low, high = 0.0, threshold / size  # where half of all accounts are flagged
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(size, threshold, middle) <= most else (low, middle)
    return low
