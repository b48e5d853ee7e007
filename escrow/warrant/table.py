"""The states of a warrant and what leads from one to the next: the whole law in one table.

*cancel* is an authority's end, *expire* time's, *lapse* a missing second lock's, *refuse* a lock's no, *withdraw*
the applicant's. The table says what may follow; *whether* an event has happened (signatures, clocks, quotas)
is decided by whoever raises it. The diagram in docs/spec/warrant.md is printed from here.
"""

from collections.abc import Mapping
from enum import StrEnum, unique
from types import MappingProxyType
from typing import Final

from escrow.errors import Reason, RefusedError


@unique
class State(StrEnum):
    """Where a warrant stands."""

    NONE = "none"
    DRAFT = "draft"
    SUBMITTED = "submitted"
    ISSUED_URGENT = "issued_urgent"
    APPROVED = "approved"
    SEALED = "sealed"
    COOLING = "cooling"
    ACTIVE = "active"
    EXHAUSTED = "exhausted"
    SUSPENDED = "suspended"
    ATTAINED = "attained"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    LAPSED = "lapsed"
    DISCLOSURE_DUE = "disclosure_due"
    OVERDUE = "overdue"
    DISCLOSED = "disclosed"


@unique
class Event(StrEnum):
    """What can happen to a warrant."""

    APPLY = "apply"
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    ISSUE = "issue"
    ISSUE_URGENT = "issue_urgent"
    APPROVE = "approve"
    REFUSE = "refuse"
    LAPSE = "lapse"
    SEAL = "seal"
    WITNESSED = "witnessed"
    ACTIVATE = "activate"
    EXHAUST = "exhaust"
    ATTAIN = "attain"
    RENEW = "renew"
    MODIFY = "modify"
    EXTEND = "extend"
    SUSPEND = "suspend"
    RESUME = "resume"
    CANCEL = "cancel"
    EXPIRE = "expire"
    NOTIFY = "notify"
    DUE = "due"
    DISCLOSE = "disclose"
    OVERDUE = "overdue"


_STOPPED: Final = {
    Event.SUSPEND: State.SUSPENDED,
    Event.CANCEL: State.CANCELLED,
    Event.REFUSE: State.REFUSED,
    Event.LAPSE: State.LAPSED,
    Event.EXPIRE: State.EXPIRED,
}
_DISCLOSING: Final = {Event.DUE: State.DISCLOSURE_DUE, Event.DISCLOSE: State.DISCLOSED}


def _staying(state: State, *events: Event) -> dict[Event, State]:
    return dict.fromkeys(events, state)


TABLE: Final[Mapping[State, Mapping[Event, State]]] = MappingProxyType(
    {
        State.NONE: {Event.APPLY: State.DRAFT},
        State.DRAFT: {Event.SUBMIT: State.SUBMITTED, Event.WITHDRAW: State.CANCELLED},
        State.SUBMITTED: {
            Event.ISSUE: State.SUBMITTED,
            Event.ISSUE_URGENT: State.ISSUED_URGENT,
            Event.APPROVE: State.APPROVED,
            Event.REFUSE: State.REFUSED,
            Event.WITHDRAW: State.CANCELLED,
            Event.LAPSE: State.LAPSED,
        },
        State.ISSUED_URGENT: {
            Event.APPROVE: State.APPROVED,
            Event.SEAL: State.SEALED,
            Event.REFUSE: State.REFUSED,
            Event.CANCEL: State.CANCELLED,
            Event.LAPSE: State.LAPSED,
        },
        State.APPROVED: {
            Event.SEAL: State.SEALED,
            Event.CANCEL: State.CANCELLED,
            Event.EXPIRE: State.EXPIRED,
        },
        State.SEALED: {Event.WITNESSED: State.COOLING, Event.APPROVE: State.SEALED, **_STOPPED},
        State.COOLING: {Event.ACTIVATE: State.ACTIVE, Event.APPROVE: State.COOLING, **_STOPPED},
        State.ACTIVE: {
            Event.EXHAUST: State.EXHAUSTED,
            Event.ATTAIN: State.ATTAINED,
            **_staying(State.ACTIVE, Event.APPROVE, Event.RENEW, Event.MODIFY, Event.EXTEND),
            **_STOPPED,
        },
        State.EXHAUSTED: {
            Event.ATTAIN: State.ATTAINED,
            **_staying(State.EXHAUSTED, Event.APPROVE, Event.RENEW, Event.MODIFY, Event.EXTEND),
            **_STOPPED,
        },
        State.SUSPENDED: {
            Event.RESUME: State.SEALED,
            **_staying(State.SUSPENDED, Event.APPROVE, Event.EXTEND),
            Event.CANCEL: State.CANCELLED,
            Event.REFUSE: State.REFUSED,
            Event.LAPSE: State.LAPSED,
            Event.EXPIRE: State.EXPIRED,
        },
        State.ATTAINED: {
            **_staying(State.ATTAINED, Event.APPROVE, Event.EXTEND, Event.NOTIFY),
            Event.REFUSE: State.REFUSED,
            Event.LAPSE: State.LAPSED,
            **_DISCLOSING,
        },
        State.EXPIRED: {
            **_staying(State.EXPIRED, Event.APPROVE, Event.EXTEND, Event.NOTIFY),
            Event.REFUSE: State.REFUSED,
            Event.LAPSE: State.LAPSED,
            **_DISCLOSING,
        },
        State.CANCELLED: {
            **_staying(State.CANCELLED, Event.APPROVE, Event.EXTEND, Event.NOTIFY),
            Event.REFUSE: State.REFUSED,
            Event.LAPSE: State.LAPSED,
            **_DISCLOSING,
        },
        State.REFUSED: {**_staying(State.REFUSED, Event.EXTEND, Event.NOTIFY), **_DISCLOSING},
        State.LAPSED: {**_staying(State.LAPSED, Event.EXTEND, Event.NOTIFY), **_DISCLOSING},
        State.DISCLOSURE_DUE: {
            Event.NOTIFY: State.DISCLOSURE_DUE,
            Event.DISCLOSE: State.DISCLOSED,
            Event.OVERDUE: State.OVERDUE,
        },
        State.OVERDUE: {Event.NOTIFY: State.OVERDUE, Event.DISCLOSE: State.DISCLOSED},
        State.DISCLOSED: {Event.NOTIFY: State.DISCLOSED},
    }
)

RELEASING: Final = frozenset({State.ACTIVE, State.EXHAUSTED})
"""A share may leave here: anew while active, for requests already counted while exhausted."""

IN_FORCE: Final = frozenset({State.SEALED, State.COOLING, State.ACTIVE, State.EXHAUSTED, State.SUSPENDED})
"""The warrant's end is the step from one of these to one of ``ENDED``."""

ENDED: Final = frozenset({State.ATTAINED, State.EXPIRED, State.CANCELLED, State.REFUSED, State.LAPSED})

DUE_ORDER: Final = (
    Event.CANCEL,
    Event.SUSPEND,
    Event.REFUSE,
    Event.LAPSE,
    Event.EXPIRE,
    Event.ATTAIN,
    Event.EXHAUST,
    Event.ACTIVATE,
)
"""The order of events that fall due at one instant: whatever stops comes before whatever opens."""


def step(state: State, event: Event) -> State:
    """The next state; ``ILLEGAL_STEP`` for every pair that is not in the table."""
    # SPEC WRT-10: an event outside the table is refused and changes nothing.
    try:
        return TABLE[state][event]
    except KeyError:
        raise RefusedError(Reason.ILLEGAL_STEP, f"{event} while {state}") from None


def mermaid() -> str:
    """The table as a Mermaid state diagram, events with one arrow written together."""
    lines = ["stateDiagram-v2"]
    for state, row in TABLE.items():
        arrows: dict[State, list[Event]] = {}
        for event, following in row.items():
            arrows.setdefault(following, []).append(event)
        source = "[*]" if state is State.NONE else state
        lines += [f"    {source} --> {following}: {', '.join(events)}" for following, events in arrows.items()]
    return "\n".join(lines) + "\n"
