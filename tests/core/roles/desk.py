"""People at the authority's desk of the scene: every event that can be asked for, and a case in every state."""

from collections.abc import Callable
from typing import Any

from escrow.roles.agency.commands import Succeed, Withdraw
from escrow.roles.agency.state import load_case
from escrow.roles.calls import Apply, Case, GetCase, OrderCase, SignCase, WithdrawCase
from escrow.tlog.entry import EntryType
from escrow.warrant import dsse
from escrow.warrant.documents import PAYLOAD_TYPE
from escrow.warrant.orders import statement_of
from escrow.warrant.postponing import postponed
from escrow.warrant.sealing import seal_tag
from escrow.warrant.table import Event, State
from escrow.world.founding import APPROVERS, ISSUERS
from escrow.world.loop import complete
from tests.core.roles.scene import AGENCY, DAY, HOUR, MINUTE, Scene, scene

PLAIN = {
    Event.REFUSE: EntryType.REFUSAL,
    Event.SUSPEND: EntryType.SUSPENSION,
    Event.RESUME: EntryType.RESUMPTION,
    Event.CANCEL: EntryType.CANCELLATION,
    Event.ATTAIN: EntryType.ATTAINMENT,
}


class Desk:
    """One case at the desk."""

    def __init__(self, at: Scene, warrant_id: bytes) -> None:
        self.at = at
        self.warrant_id = warrant_id

    @property
    def case(self) -> Case:
        case: Case = self.at.world.ask("authority", GetCase(self.warrant_id), AGENCY)
        return case

    @property
    def state(self) -> State:
        return State(self.case.state)

    @property
    def tag(self) -> bytes:
        return seal_tag(self.warrant_id)

    def order(self, kind: EntryType, person: str, detail: int | None = None) -> Case:
        """One person's signature over an order or, with a time, a postponement."""
        turn = self.case.turn if kind in (EntryType.SUSPENSION, EntryType.RESUMPTION) else 0
        said = turn if detail is None else detail
        statement = statement_of(kind, self.tag, said) if detail is None else postponed(kind, self.tag, said)
        call = OrderCase(self.warrant_id, kind, said, person, self.at.person(person).sign(statement))
        return self._ask(call, f"person/{person}")

    def sign(self, role: str, person: str, *, ending: bytes = b"", identifiers: tuple[str, ...] = ()) -> Case:
        """One lock, or an urgent warrant's second one by order."""
        case = self.case
        statement = dsse.pae(PAYLOAD_TYPE, case.payload)
        if case.sealed:
            statement = statement_of(EntryType.APPROVAL, self.tag)
        signature = self.at.person(person).sign(statement)
        return self._ask(SignCase(self.warrant_id, role, person, signature, ending, identifiers), f"person/{person}")

    def seal(self) -> None:
        """Both locks."""
        self.sign("issuer", ISSUERS[0])
        self.sign("approver", APPROVERS[0])
        self.at.settle()

    def ask(self, event: Event, approver: str = APPROVERS[0]) -> None:
        """Ask for an event, with all signatures that it needs; refused where the desk refuses."""
        match event:
            case Event.WITHDRAW:
                self._ask(WithdrawCase(self.warrant_id), AGENCY)
            case Event.ISSUE:
                self.sign("issuer", ISSUERS[1])
            case Event.APPROVE:
                self.sign("approver", APPROVERS[1])
            case Event.EXTEND:
                until = self.case.secret_until + HOUR
                for person in (ISSUERS[0], APPROVERS[0]):
                    self.order(EntryType.NONDISCLOSURE_EXTENDED, person, until)
            case Event.RENEW | Event.MODIFY:
                self.succeed(event)
            case _:
                for person in (ISSUERS[0], APPROVERS[0]) if event is Event.RESUME else (approver,):
                    self.order(PLAIN[event], person)
        self.at.settle()

    def succeed(self, event: Event, end: int = 0) -> "Desk":
        """Apply for a successor; what the desk says of it is said here."""
        at, payload = self.at, self.at.payload_bytes(self.warrant_id)
        at.world.network.down.add(at.world["authority"].party)
        try:
            wanted = Succeed(self.warrant_id, max_capsules=2)
            if event is Event.RENEW:
                wanted = Succeed(self.warrant_id, not_after=end or at.world.now + 3 * DAY)
            new = bytes(at.world.run(at.agency, wanted).warrant_id)
        finally:
            at.world.network.down.discard(at.world["authority"].party)
        assert payload == at.payload_bytes(self.warrant_id)
        profile = load_case(at.world.store(AGENCY), self.warrant_id).profile
        self._ask(Apply(at.payload_bytes(new), profile), AGENCY)
        return Desk(at, new)

    def withdraw(self) -> str:
        """As the agency's own tool does it; the reason of a refusal."""
        self.at.world.run(self.at.agency, Withdraw(self.warrant_id))
        return self.at.report(self.warrant_id).refused

    def _ask(self, call: Any, origin: str) -> Case:
        case: Case = self.at.world.ask("authority", call, origin)
        complete(self.at.world["authority"].pump())
        return case


def applied(at: Scene, **changes: Any) -> Desk:
    now = at.world.now
    return Desk(at, at.apply(**{"not_after": now + DAY, "nondisclosure_until": now + 2 * DAY} | changes))


def _logless(at: Scene, desk: Desk, *signers: tuple[str, str]) -> Desk:
    at.world.network.down.add(at.world["log"].party)
    for role, person in signers:
        desk.sign(role, person)
    return desk


def _sealed(at: Scene, **changes: Any) -> Desk:
    desk = applied(at, **changes)
    desk.seal()
    return desk


def _active(at: Scene, **changes: Any) -> Desk:
    desk = _sealed(at, **changes)
    at.pass_time(2 * MINUTE)
    return desk


def _urgent(at: Scene) -> Desk:
    desk = applied(at, approve_by=at.world.now + 12 * HOUR)
    desk.sign("issuer", ISSUERS[0])
    at.settle()
    at.pass_time(2 * MINUTE)
    return desk


def _exhausted(at: Scene) -> Desk:
    desk = _active(at, max_capsules=3)
    at.execute(desk.warrant_id)
    at.settle()
    return desk


def _after(event: Event) -> Callable[[Scene], Desk]:
    def done(at: Scene) -> Desk:
        desk = _active(at)
        desk.ask(event)
        return desk

    return done


def _later(by: int, *, urgent: bool = False, silent: bool = False) -> Callable[[Scene], Desk]:
    def waited(at: Scene) -> Desk:
        desk = _urgent(at) if urgent else _active(at)
        if silent:
            at.world.network.down.add(at.world["log"].party)
        at.pass_time(by)
        return desk

    return waited


def _refused(at: Scene) -> Desk:
    desk = _urgent(at)
    desk.ask(Event.REFUSE)
    return desk


SITUATIONS: dict[str, tuple[State, Callable[[Scene], Desk]]] = {
    "submitted": (State.SUBMITTED, applied),
    "submitted, urgent": (State.SUBMITTED, lambda at: applied(at, approve_by=at.world.now + 12 * HOUR)),
    "issued urgent": (
        State.ISSUED_URGENT,
        lambda at: _logless(at, applied(at, approve_by=at.world.now + 12 * HOUR), ("issuer", ISSUERS[0])),
    ),
    "approved": (
        State.APPROVED,
        lambda at: _logless(at, applied(at), ("issuer", ISSUERS[0]), ("approver", APPROVERS[0])),
    ),
    "cooling": (State.COOLING, _sealed),
    "active": (State.ACTIVE, _active),
    "active, urgent": (State.ACTIVE, _urgent),
    "exhausted": (State.EXHAUSTED, _exhausted),
    "suspended": (State.SUSPENDED, _after(Event.SUSPEND)),
    "attained": (State.ATTAINED, _after(Event.ATTAIN)),
    "cancelled": (State.CANCELLED, _after(Event.CANCEL)),
    "refused": (State.REFUSED, _refused),
    "lapsed": (State.LAPSED, _later(13 * HOUR, urgent=True)),
    "expired": (State.EXPIRED, _later(25 * HOUR)),
    "disclosure due": (State.DISCLOSURE_DUE, _later(3 * DAY - HOUR, silent=True)),
    "overdue": (State.OVERDUE, _later(4 * DAY, silent=True)),
    "disclosed": (State.DISCLOSED, _later(3 * DAY)),
}
"""A case in each state, where there are two kinds of case in both, and how it came there."""

_IDS: dict[str, bytes] = {}


def situation(name: str) -> Desk:
    """The case of that name, made once and rewound."""
    at, (_, make) = scene(), SITUATIONS[name]
    down = "log" if name in ("issued urgent", "approved", "disclosure due", "overdue") else ""
    if name not in _IDS:
        desk = make(at.rewind("said"))
        _IDS[name] = desk.warrant_id
        at.keep(f"desk/{name}")
    at.rewind(f"desk/{name}")
    if down:
        at.world.network.down.add(at.world[down].party)
    return Desk(at, _IDS[name])
