"""N19: what a subpoena to the operator yields when escrow is off, from the relay's whole store."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, cast

from escrow.store.memory import MemoryStore
from escrow.world.loop import complete
from escrow_lab.demo.messages import account_of
from escrow_lab.published.figure import Finding
from escrow_lab.regime import Message
from escrow_lab.regimes.e2ee import E2ee

SOURCE = "Signal, 2016: date of registration and of the last connection, and nothing else"
WORDS: Final = "said between two people"


def findings(*, quick: bool) -> Iterator[Finding]:  # noqa: ARG001
    """The kinds of records about an account, and whether any of them has the words."""
    regime = E2ee(1)
    for number in range(4):
        regime.seal(Message(number, 60 * number, *(("alice", "bob") if number % 2 else ("bob", "alice")), WORDS))
    store = cast(MemoryStore, regime.world["relay"].store)
    account = complete(account_of(regime.world.devices["alice"]))
    kinds = kinds_about(store, account)
    shown = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
    clear = sum(WORDS.encode() in key + value for key, value in store.scan(b""))
    yield Finding("N19", "records of the relay in which the words stand", SOURCE, 0, clear, "exact", clear == 0)
    yield Finding(
        "N19", "kinds of records about an account", SOURCE, "2 dates", shown, "exact", set(kinds) <= {"account"}
    )


def kinds_about(store: MemoryStore, account: bytes) -> Counter[str]:
    """The first parts of the keys of all records that name an account, with how many there are."""
    named = (key for key, value in store.scan(b"") if account in key or account in value)
    return Counter(key.partition(b"/")[0].decode(errors="replace") for key in named)
