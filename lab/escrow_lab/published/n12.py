"""N12: translucent cryptography opens the share of messages that it says, by decrypting them."""

from collections.abc import Iterator

from escrow_lab.custody.model import tail
from escrow_lab.published.figure import Finding
from escrow_lab.regime import Message
from escrow_lab.regimes.translucent import AUTHORITY, Translucent

SOURCE = "Bellare and Rivest, 1999: p = 0.4, 40 of 100"
P, SESSIONS, QUICK_SESSIONS = 0.4, 10_000, 3000


def findings(*, quick: bool) -> Iterator[Finding]:
    """A share of real sessions, and whether p lies in its exact 95 % interval."""
    sessions = QUICK_SESSIONS if quick else SESSIONS
    regime = Translucent(1)
    opener = regime.give(frozenset({AUTHORITY}))
    opened = sum(opener(regime.seal(Message(n, 0, "alice", "bob", "word"))) == "word" for n in range(sessions))
    inside = min(tail(sessions, opened, P), 1 - tail(sessions, opened + 1, P)) >= 0.025
    yield Finding("N12", f"share of {sessions} messages opened", SOURCE, P, opened / sessions, "95 % interval", inside)
