"""Where a sealed warrant stands now: the state table, walked along what the log and the clock say.

For showing it to people. Whoever releases anything decides anew with ``warrant_checks``.
"""

from collections.abc import Iterable

from escrow.errors import RefusedError
from escrow.ids import Millis
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read
from escrow.roles.warrant_ledger import LoggedOrder
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.sealing import seal_tag
from escrow.warrant.table import DUE_ORDER, Event, State, step


def standing(ledger: Ledger, view: Read | Draft, payload: WarrantPayload, now: Millis, *, approved: bool) -> State:
    """The state of a warrant that was given to the log; ``approved``: the envelope holds the second lock."""
    tag = seal_tag(payload.id)
    seal = ledger.seal(view, tag)
    if seal is None:
        return State.SEALED
    activation = max(payload.not_before, seal.covered_ms + 1000 * payload.activation_delay_s)
    orders = ledger.orders(view, tag)
    timeline = [(order.covered_ms, order.event) for order in orders] + _ends(payload, orders, approved=approved)
    state = State.SEALED
    for time, event in sorted(timeline, key=_when):
        if time <= now:
            state = _try(_opened(state, time, activation), event)
    return _opened(state, now, activation)


def _ends(payload: WarrantPayload, orders: Iterable[LoggedOrder], *, approved: bool) -> list[tuple[int, Event]]:
    ends = [(payload.not_after, Event.EXPIRE)]
    in_time = any(one.event is Event.APPROVE and one.covered_ms < payload.approve_by for one in orders)
    if payload.urgent and not approved and not in_time:
        ends.append((payload.approve_by, Event.LAPSE))
    return [(Millis(time), event) for time, event in ends]


def _when(fact: tuple[int, Event]) -> tuple[int, int]:
    time, event = fact
    return time, DUE_ORDER.index(event) if event in DUE_ORDER else len(DUE_ORDER)


def _opened(state: State, time: int, activation: int) -> State:
    """What becomes of a warrant by itself: witnessed at once, since we saw its seal under a quorum; then active."""
    if state is State.SEALED:
        state = step(state, Event.WITNESSED)
    if state is State.COOLING and time >= activation:
        state = step(state, Event.ACTIVATE)
    return state


def _try(state: State, event: Event) -> State:
    try:
        return step(state, event)
    except RefusedError:
        return state  # an order that comes too late changes nothing
