"""CUST-3 to CUST-8: what every party that acts on a warrant decides anew, from signed and logged bytes alone.

Custodians run these before they release, the relay before it produces. Each function is one step of the list, raises
``RefusedError`` with the reason the list names, and must be called in order: nothing inside an envelope is believed
before the seal and the locks hold. Freshness of one's own view (CUST-1) comes before; items, quotas and intents
(CUST-9 onward) are the custodian's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from escrow.capsule.label import Label
from escrow.crypto.suites import has_identities
from escrow.errors import BehindError, EscrowError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.ledger import Ledger, LoggedKey
from escrow.roles.machine import Draft, Read
from escrow.roles.warrant_ledger import LoggedSeal
from escrow.tlog.quorum import Head
from escrow.warrant.documents import WarrantPayload, check_home, parse_warrant, validate
from escrow.warrant.dsse import Envelope
from escrow.warrant.genesis import Genesis
from escrow.warrant.intervals import Intervals
from escrow.warrant.locks import Locks, check_locks
from escrow.warrant.request import ReleaseRequest
from escrow.warrant.roster_path import RosterPath
from escrow.warrant.scope import Scope, spans_epoch
from escrow.warrant.sealing import check_commit, check_leaf, field_root, seal_tag
from escrow.warrant.table import Event

_STOPS = {
    Event.CANCEL: Reason.CANCELLED,
    Event.REFUSE: Reason.REFUSED,
    Event.ATTAIN: Reason.ATTAINED,
}
"""Orders after which nothing opens again, whatever follows."""


@dataclass(frozen=True, slots=True)
class SealedWarrant:
    """A warrant after CUST-5: sealed, under both locks, well formed and within its policy."""

    payload: WarrantPayload
    tag: bytes
    seal: LoggedSeal
    scope: Scope
    approved: bool
    """Whether the second lock is in the envelope; an urgent warrant may get it later, by a logged order."""

    @property
    def activation(self) -> Millis:
        """From when on it opens anything: its own start, or the delay after the seal was witnessed."""
        delay = 1000 * self.payload.activation_delay_s
        return Millis(max(self.payload.not_before, self.seal.covered_ms + delay))


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks, neither trusted alone: whatever opens waits for the later, whatever ends heeds the earlier."""

    low: int
    high: int

    @classmethod
    def of(cls, now: Millis, head: Head) -> "Clock":
        """Our own clock and the median of the witnesses of the newest checkpoint."""
        return cls(min(now, head.time_ms), max(now, head.time_ms))


def check_seal(ledger: Ledger, view: Read | Draft, tag: bytes, salt: bytes, dsse: bytes, root: bytes) -> LoggedSeal:
    """CUST-3. The seal of these bytes, first of its tag, in our own log; ``salt`` and ``root`` (of the fields) open it.

    ``SEAL_NOT_LOGGED``, ``SEAL_NOT_FIRST``, ``SEAL_MISMATCH``.
    """
    # SPEC CUST-3: what is not sealed in our own log, first of its tag and as it is, is refused.
    seals = ledger.seals(view, tag)
    if not seals:
        raise RefusedError(Reason.SEAL_NOT_LOGGED)
    first, *later = seals
    if not _commits(first, salt, dsse, root):
        sealed_again = any(_commits(seal, salt, dsse, root) for seal in later)
        raise RefusedError(Reason.SEAL_NOT_FIRST if sealed_again else Reason.SEAL_MISMATCH)
    return first


def check_both_locks(genesis: Genesis, seal: LoggedSeal, dsse: bytes) -> Locks:
    """CUST-4. Only a warrant that was sealed as urgent may lack its second lock.

    ``MALFORMED``, ``SIGNATURE_INVALID``, ``LOCKS_INCOMPLETE``, ``SEPARATION_OF_DUTIES``, ``ROLE_KEY_UNAUTHORISED``.
    """
    # SPEC CUST-4: nothing of the payload is read before both locks hold over its bytes.
    return check_locks(dsse, genesis, urgent_allowed=seal.leaf.urgent)


def check_payload(
    genesis: Genesis, seal: LoggedSeal, locks: Locks, salt: bytes, dsse: bytes, tag: bytes
) -> SealedWarrant:
    """CUST-5, as far as it concerns the warrant; committee, request and suite of the items are the custodian's.

    ``SCHEMA_INVALID``, ``WILDCARD``, ``SEAL_MISMATCH``, ``POLICY_UNAUTHORISED``, ``RANGE_INVALID``,
    ``RECIPIENT_KEY_INVALID``, ``SEAL_NOT_LOGGED``, ``ROLE_KEY_UNAUTHORISED``, ``SEPARATION_OF_DUTIES``.
    """
    payload = parse_warrant(locks.payload)
    if seal_tag(payload.id) != tag:
        raise RefusedError(Reason.SEAL_MISMATCH, "the warrant has another tag")
    check_leaf(seal.leaf, payload, dsse, salt)
    check_home(payload, genesis)
    validate(payload, genesis.policy)
    return SealedWarrant(payload, tag, seal, Scope.of(payload), locks.approved)


def check_asked_committee(ledger: Ledger, view: Read | Draft, request: ReleaseRequest) -> LoggedKey:
    """CUST-5, as far as it concerns the committee: one that is authorised, and that of every item.

    ``COMMITTEE_NOT_MINE``, ``COMMITTEE_UNAUTHORISED``, ``SUITE_MISMATCH``.
    """
    # SPEC CUST-5: a payload or a committee that the log and the policy do not authorise is refused.
    policy = ledger.genesis.policy
    request.check_one_committee()
    logged = ledger.committee_key_by_hash(view, request.committee_key_hash)
    if logged is None or logged.policy_hash != policy.hash:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED)
    for item in request.items:
        label = item.terms
        if label.policy_hash != policy.hash or policy.period_of(label.epoch) != logged.period:
            raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "an item of another policy or period")
        if label.suite != policy.suite:
            raise RefusedError(Reason.SUITE_MISMATCH)
    return logged


def check_time(
    ledger: Ledger, view: Read | Draft, warrant: SealedWarrant, clock: Clock, expires: int | None = None
) -> None:
    """CUST-6. ``expires`` is the request's own end.

    ``NOT_YET_ACTIVE``, ``EXPIRED``, ``REQUEST_EXPIRED``, ``APPROVAL_MISSING``. Where only the
    witnesses' clock is behind: ``BehindError(NOT_YET_ACTIVE)``, a newer checkpoint may show that the time has come.
    """
    # SPEC CUST-6: nothing opens before its time by either clock, or after its end by one.
    if clock.low < warrant.activation:
        too_early = BehindError if clock.high >= warrant.activation else RefusedError
        raise too_early(Reason.NOT_YET_ACTIVE)
    if clock.high >= warrant.payload.not_after:
        raise RefusedError(Reason.EXPIRED)
    if expires is not None and clock.high >= expires:
        raise RefusedError(Reason.REQUEST_EXPIRED)
    if clock.low < warrant.payload.approve_by <= clock.high and not has_second_lock(ledger, view, warrant):
        raise RefusedError(Reason.APPROVAL_MISSING)
    if not _replaces_nothing_in_force(ledger, view, warrant):
        raise BehindError(Reason.NOT_YET_ACTIVE, "the warrant that it replaces is not cancelled")


def _replaces_nothing_in_force(ledger: Ledger, view: Read | Draft, warrant: SealedWarrant) -> bool:
    """Whether the warrant that this one names as its predecessor, if any, is cancelled in the log."""
    if warrant.payload.supersedes is None:
        return True
    before = ledger.orders(view, bytes.fromhex(warrant.payload.supersedes))
    return any(order.event is Event.CANCEL for order in before)


def has_second_lock(ledger: Ledger, view: Read | Draft, warrant: SealedWarrant) -> bool:
    """Whether both locks hold: in the envelope, or of an urgent warrant by an order that was logged in time."""
    orders = ledger.orders(view, warrant.tag)
    in_time = (order.event is Event.APPROVE and order.covered_ms < warrant.payload.approve_by for order in orders)
    return warrant.approved or any(in_time)


def check_status(
    ledger: Ledger, view: Read | Draft, warrant: SealedWarrant, clock: Clock, received: Iterable[Event] = ()
) -> None:
    """CUST-7. ``received`` are valid orders that came directly and are not in the log yet: they bind as well.

    ``CANCELLED``, ``SUSPENDED``, ``REFUSED``, ``ATTAINED``; ``LAPSED`` once no clock admits a second lock any more.
    """
    # SPEC CUST-7: a stopped warrant opens nothing, logged or only received.
    suspended = False
    for event in [*(order.event for order in ledger.orders(view, warrant.tag)), *received]:
        if event in _STOPS:
            raise RefusedError(_STOPS[event])
        suspended = event is Event.SUSPEND or (suspended and event is not Event.RESUME)
    if suspended:
        raise RefusedError(Reason.SUSPENDED)
    if clock.low >= warrant.payload.approve_by and not has_second_lock(ledger, view, warrant):
        raise RefusedError(Reason.LAPSED)


def check_scope(
    genesis: Genesis,
    warrant: SealedWarrant,
    clock: Clock,
    label: Label,
    ingest_time: int,
    roster_path: RosterPath | None = None,
) -> None:
    """CUST-8, for one item.

    ``OUT_OF_SCOPE``, ``ROSTER_PATH``, ``LIVE_CHAIN``, ``EPOCH_OPEN``, ``BEFORE_ACTIVATION``.
    """
    # SPEC CUST-8: what the warrant does not cover, or a chain that still grows, is refused.
    member = None
    if warrant.payload.direction == "CONVERSATION_OF":
        if roster_path is None:
            raise RefusedError(Reason.ROSTER_PATH, "a warrant on conversations needs the target's roster path")
        member = roster_path.member(label.roster_root)
    warrant.scope.require(label, ingest_time, member)
    if spans_epoch(label):
        _check_epoch(genesis, warrant, clock, label)
    # SPEC IBE-5: what opens an epoch opens its beginning, so that must lie behind a prospective warrant's activation.
    opened_from = genesis.policy.epoch_start(label.epoch) if has_identities(label.suite) else ingest_time
    if warrant.payload.kind == "PROSPECTIVE" and opened_from < warrant.activation:
        raise RefusedError(Reason.BEFORE_ACTIVATION)


def _check_epoch(genesis: Genesis, warrant: SealedWarrant, clock: Clock, label: Label) -> None:
    """What is opened with an item is of its whole epoch, which must be over, and one that the window touches.

    The warrant's epochs may begin one before the window, for single messages that arrive late; that one is not meant.
    """
    start, end = genesis.policy.epoch_start(label.epoch), genesis.policy.epoch_end(label.epoch)
    if not warrant.scope.window & Intervals.of([(start, end)]):
        raise RefusedError(Reason.OUT_OF_SCOPE, "an epoch beside the window")
    if clock.low < end + genesis.grace_ms:
        # SPEC IBE-4: no identity key of an epoch that is open, or has not begun, whatever the warrant.
        raise RefusedError(Reason.EPOCH_OPEN if has_identities(label.suite) else Reason.LIVE_CHAIN)


def check_warrant(
    ledger: Ledger, view: Read | Draft, dsse: bytes, salt: bytes, now: Millis, head: Head
) -> SealedWarrant:
    """CUST-3 to CUST-7 for whoever is shown a warrant alone, without a request that names tag and field root."""
    tag, root = _claimed(dsse)
    seal = check_seal(ledger, view, tag, salt, dsse, root)
    locks = check_both_locks(ledger.genesis, seal, dsse)
    warrant = check_payload(ledger.genesis, seal, locks, salt, dsse, tag)
    clock = Clock.of(now, head)
    check_time(ledger, view, warrant, clock)
    check_status(ledger, view, warrant, clock)
    return warrant


def _claimed(dsse: bytes) -> tuple[bytes, bytes]:
    """Tag and field root as the unverified envelope has them: enough to look the seal up, believed for nothing else."""
    try:
        payload = parse_warrant(Envelope.parse(dsse).payload)
    except EscrowError as error:
        raise RefusedError(Reason.SEAL_MISMATCH, "no seal can be for this") from error
    return seal_tag(payload.id), field_root(payload)


def _commits(seal: LoggedSeal, salt: bytes, dsse: bytes, root: bytes) -> bool:
    try:
        check_commit(seal.leaf, salt, dsse, root)
    except RefusedError:
        return False
    return True
