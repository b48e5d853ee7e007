"""Orders that reach a custodian directly: a stop binds from the moment of receipt, and we see to it that it is logged.

So neither a log that keeps entries back nor an authority that changed its mind can hold up a cancellation. What starts
a warrant again counts only once it is logged.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from escrow.crypto.sign import SigningKey
from escrow.roles.entries import owe_entry
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read
from escrow.tlog.entry import Entry
from escrow.warrant.orders import KINDS, Order
from escrow.warrant.table import Event

_RECEIVED = b"order/"

_STOPS: Final = frozenset({Event.CANCEL, Event.SUSPEND, Event.REFUSE, Event.ATTAIN})


def receive(draft: Draft, ledger: Ledger, identity: SigningKey, data: bytes) -> None:
    """Take an order from whoever brings it, once; its signatures are what counts.

    Raises ``MalformedError``, ``SIGNATURE_INVALID``, ``ROLE_KEY_UNAUTHORISED``, ``LOCKS_INCOMPLETE``,
    ``SEPARATION_OF_DUTIES``.
    """
    order = Order.decode(data)
    order.check(ledger.genesis)
    place = _RECEIVED + order.seal_tag + hashlib.sha256(data).digest()
    # Of an old one, shown again, the log says what came after it.
    if ledger.is_news(draft, order) and draft.get(place) is None:
        draft.put(place, data)
        owe_entry(draft, ledger.genesis, identity, order.type, data)


def received(view: Read | Draft, tag: bytes) -> list[Event]:
    """What was ordered to stop this warrant and is not in our log yet."""
    events = (KINDS[Order.decode(data).type].event for _, data in view.scan(_RECEIVED + tag))
    return [event for event in events if event in _STOPS]


def on_entries(draft: Draft, ledger: Ledger, entries: Iterable[tuple[int, Entry]]) -> None:
    """Take newly followed entries: from here on the log speaks for the orders that it shows."""
    tags = {Order.decode(entry.payload).seal_tag for _, entry in entries if entry.type in KINDS}
    for tag in tags:
        for key, data in list(draft.scan(_RECEIVED + tag)):
            if not ledger.is_news(draft, Order.decode(data)):
                draft.delete(key)
