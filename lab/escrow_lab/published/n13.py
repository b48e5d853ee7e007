"""N13: what crumple zones cost whoever wants in, from this machine's hash rate: a curve, not a point."""

import hashlib
import time
from collections.abc import Iterator

from escrow_lab.published.figure import Finding

SOURCE = "Wright and Varia, EuroS&P 2018: $1,000 to $1,000,000 a message"
CORE_HOUR = 0.01
"""Dollars for an hour of one core: an assumption. Special hardware is some 10^5 times as cheap for a hash."""
SECONDS, QUICK_SECONDS = 2.0, 0.2


def findings(*, quick: bool) -> Iterator[Finding]:
    """How many bits of puzzle a price buys, here and with hardware made for it."""
    rate = hash_rate(QUICK_SECONDS if quick else SECONDS)
    yield Finding("N13", "SHA-256 a second on one core of this machine", "measured", "none", round(rate), "none", None)
    for dollars in (1, 1_000, 1_000_000):
        for name, gain in (("one core of this machine", 1), ("hardware 10^5 times as cheap", 10**5)):
            hashes = dollars / CORE_HOUR * 3600 * rate * gain
            bits = int(hashes).bit_length() - 1
            what = f"bits of puzzle for ${dollars:,} a message on {name}"
            yield Finding("N13", what, SOURCE, "none", bits, "none", None)


def hash_rate(seconds: float) -> float:
    """SHA-256 of short inputs a second, in one thread."""
    count, begun = 0, time.process_time()
    while (spent := time.process_time() - begun) < seconds:
        for number in range(count, count + 1000):
            hashlib.sha256(number.to_bytes(40, "big")).digest()
        count += 1000
    return count / spent
