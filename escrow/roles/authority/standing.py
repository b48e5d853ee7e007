"""Where a sealed warrant stands now: the state table, walked along what the log and the clock say.

For showing it to people, and for what the authority's own desk may still do. Whoever releases anything decides anew
with ``warrant_checks``.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from escrow.errors import RefusedError
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read
from escrow.roles.warrant_ledger import LoggedIntent, LoggedOrder, LoggedSeal
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.table import DUE_ORDER, Event, State, step


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a warrant is walked along: its document, its seal, and whether the envelope holds the second lock."""

    ledger: Ledger
    payload: WarrantPayload
    seal: LoggedSeal
    approved: bool

    def at(self, view: Read | Draft, now: int, pending: Iterable[Event] = ()) -> State:
        """The state at ``now``. ``pending`` are events that have happened and are not in the log yet."""
        tag, shown = self.seal.leaf.seal_tag, self.ledger.shown(view, self.seal)
        orders, intents = self.ledger.orders(view, tag), self.ledger.intents(view, tag)
        timeline: list[tuple[int, Event]] = [(order.covered_ms, order.event) for order in orders]
        timeline += [*self._ends(orders), *self._exhausted(intents), (shown.secret_until, Event.DUE)]
        overdue = shown.secret_until + self.ledger.genesis.policy.limits.disclosure_grace
        timeline.append((overdue, Event.OVERDUE))
        state = State.SEALED
        for time, event in sorted(timeline, key=_when):
            if time <= now:
                state = walked(self._opened(state, time), [event])
        state = self._opened(state, now)
        if shown.disclosed_ms is not None and shown.disclosed_ms <= now:
            state = walked(state, [Event.DISCLOSE])  # last: what was disclosed while in force is so once it is over
        return walked(state, pending)

    @property
    def activation(self) -> int:
        """From when on it opens anything."""
        return max(self.payload.not_before, self.seal.covered_ms + 1000 * self.payload.activation_delay_s)

    def _ends(self, orders: Iterable[LoggedOrder]) -> list[tuple[int, Event]]:
        ends: list[tuple[int, Event]] = [(self.payload.not_after, Event.EXPIRE)]
        deadline = self.payload.approve_by
        in_time = any(one.event is Event.APPROVE and one.covered_ms < deadline for one in orders)
        if self.payload.urgent and not self.approved and not in_time:
            ends.append((deadline, Event.LAPSE))
        return ends

    def _exhausted(self, intents: Iterable[LoggedIntent]) -> list[tuple[int, Event]]:
        """Since when the quota is used up, counting each signed request once."""
        seen, used = set[bytes](), 0
        for one in intents:
            intent = one.intent
            if intent.request_hash in seen or not intent.is_signed_by(self.payload.request_public):
                continue
            seen.add(intent.request_hash)
            used += intent.count
            if used >= self.payload.quota:
                return [(one.covered_ms, Event.EXHAUST)]
        return []

    def _opened(self, state: State, time: int) -> State:
        """What becomes of a warrant by itself: witnessed at once, since we saw its seal under a quorum; then active."""
        if state is State.SEALED:
            state = step(state, Event.WITNESSED)
        if state is State.COOLING and time >= self.activation:
            state = step(state, Event.ACTIVATE)
        return state


def _when(fact: tuple[int, Event]) -> tuple[int, int]:
    """By time; at one instant in the order of the table, but what takes turns in that of the log."""
    time, event = fact
    rank = Event.SUSPEND if event in (Event.RESUME, Event.APPROVE) else event
    return time, DUE_ORDER.index(rank) if rank in DUE_ORDER else len(DUE_ORDER)


def walked(state: State, events: Iterable[Event]) -> State:
    """The state after ``events``, of which those that come too late change nothing."""
    for event in events:
        with suppress(RefusedError):
            state = step(state, event)
    return state
