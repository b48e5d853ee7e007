"""Orders that reach a custodian directly: a stop binds from the moment of receipt, and we see to it that it is logged.

So neither a log that keeps entries back nor an authority that changed its mind can hold up a cancellation. What starts
a warrant again counts only once it is logged.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from escrow.crypto.sign import SigningKey
from escrow.encoding import u16
from escrow.roles.entries import owe_entry
from escrow.roles.machine import Draft, Read
from escrow.tlog.entry import Entry
from escrow.warrant.genesis import Genesis
from escrow.warrant.orders import KINDS, Order
from escrow.warrant.table import Event

_RECEIVED = b"order/"
_LOGGED = b"order-logged/"

_STOPS: Final = frozenset({Event.CANCEL, Event.SUSPEND, Event.REFUSE, Event.ATTAIN})


def receive(draft: Draft, genesis: Genesis, identity: SigningKey, data: bytes) -> None:
    """Take an order from whoever brings it; its signatures are what counts.

    Raises ``MalformedError``, ``SIGNATURE_INVALID``, ``ROLE_KEY_UNAUTHORISED``, ``LOCKS_INCOMPLETE``,
    ``SEPARATION_OF_DUTIES``.
    """
    order = Order.decode(data)
    event = order.check(genesis)
    if draft.get(_LOGGED + _hash(data)) is not None:
        return  # an old one, shown again: the log says what came after it
    if event in _STOPS:
        draft.put(_RECEIVED + order.seal_tag + u16(order.type), data)
    owe_entry(draft, genesis, identity, order.type, data)


def received(view: Read | Draft, tag: bytes) -> list[Event]:
    """What was ordered about this warrant and is not in our log yet."""
    return [KINDS[Order.decode(data).type].event for _, data in view.scan(_RECEIVED + tag)]


def on_entries(draft: Draft, entries: Iterable[tuple[int, Entry]]) -> None:
    """Take newly followed entries: from here on the log speaks for the orders among them."""
    for _, entry in entries:
        if entry.type in KINDS:
            order = Order.decode(entry.payload)
            draft.put(_LOGGED + _hash(entry.payload), b"")
            place = _RECEIVED + order.seal_tag + u16(order.type)
            if draft.get(place) == entry.payload:
                draft.delete(place)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
