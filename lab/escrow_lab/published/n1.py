"""N1: how many random LEAFs a rogue sender tries until another chip takes one."""

from collections.abc import Iterator
from statistics import fmean, stdev

from escrow_lab.published.figure import Finding, within
from escrow_lab.regimes.clipper import Clipper

SOURCE = "Blaze, CCS 1994: 2^16 trials on average"
RUNS, QUICK_RUNS = 1000, 400


def findings(*, quick: bool) -> Iterator[Finding]:
    """The published checkword, then narrower ones: each bit doubles the work, so 32 bits would have been a repair."""
    runs = QUICK_RUNS if quick else RUNS
    for bits in (16, 12, 8):
        trials = [float(count) for count in forgeries(bits, runs)]
        error = stdev(trials) / runs**0.5
        expected = 2.0**bits
        yield Finding(
            "N1",
            f"trials per forged LEAF, {bits}-bit checkword, {runs} forgeries (standard error {error:.0f})",
            SOURCE if bits == 16 else "2^bits, by the same argument",
            expected,
            round(fmean(trials), 1),
            "10 %",
            within(fmean(trials), expected, 0.10),
        )


def forgeries(bits: int, runs: int, seed: int = 1) -> Iterator[int]:
    """The trials that each of ``runs`` forgeries took."""
    chip = Clipper(seed, checkword=bits)
    for number in range(runs):
        coins = chip.coins("forgery", number)
        _, trials = chip.search(coins.take("session", 10), coins.take("iv", 16), coins.take("guesses", 32))
        yield trials
