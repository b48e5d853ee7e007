"""N16: how rare an access would be at the scale of the planet, and what escrow adds to every message there."""

from collections.abc import Iterator

from escrow_lab.published.figure import Finding, within
from escrow_lab.regime import Message
from escrow_lab.regimes import make

MESSAGES_A_DAY, WARRANTS_A_YEAR = 100e9, 2297
SOURCE = "WhatsApp, 2020: about 100 billion messages a day; US Courts, Wiretap Report 2024: 2,297"
TALK = 6


def findings(*, quick: bool) -> Iterator[Finding]:  # noqa: ARG001
    """The ratio as published, and terabytes a day from the bytes that our devices really submit."""
    ratio = WARRANTS_A_YEAR / (365 * MESSAGES_A_DAY)
    yield Finding("N16", "US warrants a message", SOURCE, 6.3e-11, ratio, "1 %", within(ratio, 6.3e-11, 0.01))
    plain = submitted("e2ee")
    for regime in ("escrow-tdh2",):
        more = submitted(regime) - plain
        yield Finding("N16", f"bytes that {regime} adds to a message", "measured", "none", more, "none", None)
        daily = more * MESSAGES_A_DAY / 1e12
        yield Finding("N16", f"terabytes a day that {regime} adds", SOURCE, "none", round(daily, 1), "none", None)


def submitted(regime: str) -> int:
    """Bytes of a message between two people who have heard each other."""
    deployment = make(regime)
    ends = ("alice", "bob"), ("bob", "alice")
    sealed = [deployment.seal(Message(n, 60 * n, *ends[n % 2], "See you at the station.")) for n in range(TALK)]
    return len(sealed[-1].wire)
