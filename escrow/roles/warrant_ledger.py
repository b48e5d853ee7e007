"""What the entries of the log say about warrants: seals, orders, intents, and what comes after a warrant's end.

A part of ``ledger``, which see: everything is filed only if it comes in its turn. Of what follows on a seal nothing is
filed without the seal, so nobody can fill the log with what belongs to no warrant.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from escrow.encoding import u64
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.filed import Filed
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import postponing
from escrow.warrant.disclosure import PUBLIC, Disclosure
from escrow.warrant.error_report import ErrorReport
from escrow.warrant.genesis import Genesis
from escrow.warrant.noticed import NoticeDelivered
from escrow.warrant.orders import KINDS, Order
from escrow.warrant.postponing import Postponement
from escrow.warrant.release import Denial, ReleaseIntent, ReleaseRecord
from escrow.warrant.sealing import SealedLeaf
from escrow.warrant.table import Event

SEAL: Final = b"log/seal/"
_ORDER = b"log/order/"
_INTENT = b"log/intent/"
_ANNOUNCED = b"log/announced/"
_RECORD = b"log/record/"
_DENIAL = b"log/denial/"
_POSTPONED = b"log/postponed/"
_DISCLOSURE = b"log/disclosure/"
_NOTICE = b"log/notice/"
_ERROR = b"log/error/"

FILED_HERE: Final = frozenset(
    {
        EntryType.WARRANT_SEALED,
        EntryType.RELEASE_INTENT,
        EntryType.RELEASE_RECORD,
        EntryType.DENIAL,
        EntryType.DISCLOSURE,
        EntryType.NOTICE_DELIVERED,
        EntryType.ERROR_REPORT,
        *KINDS,
        *postponing.KINDS,
    }
)
"""The types of entry that this part files."""


@dataclass(frozen=True, slots=True)
class LoggedSeal:
    """A seal. ``covered_ms`` is the median time of the first quorum head that this party saw it under."""

    index: int
    payload: bytes
    covered_ms: Millis

    @property
    def leaf(self) -> SealedLeaf:
        """Its public fields."""
        return SealedLeaf.decode(self.payload)


@dataclass(frozen=True, slots=True)
class LoggedOrder:
    """A valid order about a seal tag, for instance its cancellation."""

    index: int
    event: Event
    covered_ms: Millis


@dataclass(frozen=True, slots=True)
class LoggedIntent:
    """A custodian's intent to release, under its own signature."""

    index: int
    intent: ReleaseIntent
    covered_ms: Millis


@dataclass(frozen=True, slots=True)
class LoggedRecord:
    """What a custodian says became of its intent."""

    index: int
    record: ReleaseRecord


@dataclass(frozen=True, slots=True)
class Shown:
    """What was logged after a warrant about what it was: when it was disclosed, when its target was told."""

    secret_until: int
    """The end of secrecy: the warrant's own, or that of the last extension in time."""
    notice_until: int
    """By when the target must have been told, logged delays included."""
    disclosed_ms: int | None
    """Since when everything public is disclosed."""
    noticed_ms: int | None
    """Since when the log shows that a notice was delivered."""


def _announced(said: ReleaseIntent | ReleaseRecord) -> bytes:
    """Where it stands that a custodian has meant to answer a request: there are many under one seal."""
    return _ANNOUNCED + said.seal_tag + said.custodian + said.request_hash


def _covered(filed: Filed) -> int:
    return filed.covered_ms


@dataclass(frozen=True, slots=True)
class WarrantLedger:
    """The part of the register that is about warrants. All state is in the view that is passed in."""

    genesis: Genesis

    # -- looking up ---------------------------------------------------------------------------

    def seal(self, view: Read | Draft, tag: bytes) -> LoggedSeal | None:
        """The first seal with this tag: the only one that counts."""
        return next(iter(self.seals(view, tag, limit=1)), None)

    def seals(self, view: Read | Draft, tag: bytes, limit: int = 1 << 30) -> list[LoggedSeal]:
        """Every seal with this tag, in log order."""
        found = (unpack(value, Filed) for _, value in view.scan(SEAL + tag, limit=limit))
        return [LoggedSeal(one.index, one.payload, Millis(one.covered_ms)) for one in found]

    def orders(self, view: Read | Draft, tag: bytes) -> list[LoggedOrder]:
        """Every valid order about this tag, in log order."""
        found = _about(view, _ORDER, tag)
        return [LoggedOrder(one.index, _event(one.payload), Millis(one.covered_ms)) for one in found]

    def is_news(self, view: Read | Draft, order: Order) -> bool:
        """Whether a valid order says anything that the log does not show yet.

        What was signed once is in everybody's hands: an old resumption must not undo a later suspension, nor an old
        suspension stop what was resumed.
        """
        known = [Order.decode(one.payload) for one in _about(view, _ORDER, order.seal_tag)]
        if order.type is EntryType.RESUMPTION:
            return order.turn == sum(1 for one in known if one.type is EntryType.RESUMPTION)
        shown = {public for one in known if (one.type, one.turn) == (order.type, order.turn)
                 for public, _ in one.signatures}  # fmt: skip
        return any(public not in shown for public, _ in order.signatures)

    def turn(self, view: Read | Draft, tag: bytes) -> int:
        """How often a warrant was resumed: the turn of its next suspension and resumption."""
        return sum(1 for order in self.orders(view, tag) if order.event is Event.RESUME)

    def intents(self, view: Read | Draft, tag: bytes) -> list[LoggedIntent]:
        """Every custodian's intents under this tag, in log order."""
        found = _about(view, _INTENT, tag)
        return [LoggedIntent(one.index, ReleaseIntent.decode(one.payload), Millis(one.covered_ms)) for one in found]

    def records(self, view: Read | Draft, tag: bytes) -> list[LoggedRecord]:
        """What custodians say became of their intents under this tag, in log order."""
        return [LoggedRecord(one.index, ReleaseRecord.decode(one.payload)) for one in _about(view, _RECORD, tag)]

    def disclosures(self, view: Read | Draft, tag: bytes) -> list[Disclosure]:
        """What was disclosed, in log order."""
        return [Disclosure.decode(one.payload) for one in _about(view, _DISCLOSURE, tag)]

    def disclosed(self, view: Read | Draft, tag: bytes) -> frozenset[str]:
        """The fields that are disclosed."""
        return frozenset[str]().union(*(one.names for one in self.disclosures(view, tag)))

    def notices(self, view: Read | Draft, tag: bytes) -> list[NoticeDelivered]:
        """The notices that were delivered."""
        return [NoticeDelivered.decode(one.payload) for one in _about(view, _NOTICE, tag)]

    def errors(self, view: Read | Draft, tag: bytes) -> list[ErrorReport]:
        """The errors that were reported."""
        return [ErrorReport.decode(one.payload) for one in _about(view, _ERROR, tag)]

    def shown(self, view: Read | Draft, seal: LoggedSeal, dated: Callable[[Filed], int] = _covered) -> Shown:
        """What is due about a sealed warrant, and what of it was done.

        A postponement counts only if it came before the time it moves; ``dated`` says when it came, in ms.
        """
        tag, limits = seal.leaf.seal_tag, self.genesis.policy.limits
        extensions = self._postponed(view, EntryType.NONDISCLOSURE_EXTENDED, tag)
        secret = _put_off(extensions, seal.leaf.nondisclosure_until, dated)
        delays = self._postponed(view, EntryType.NOTICE_DELAYED, tag)
        notice = _put_off(delays, secret + limits.notice_within, dated)
        names, disclosed_ms = frozenset[str](), None
        for one in _about(view, _DISCLOSURE, tag):
            names |= Disclosure.decode(one.payload).names
            if disclosed_ms is None and names >= set(PUBLIC):
                disclosed_ms = one.covered_ms
        told = next(_about(view, _NOTICE, tag), None)
        return Shown(secret, notice, disclosed_ms, None if told is None else told.covered_ms)

    def check_postponement(self, view: Read | Draft, seal: LoggedSeal, kind: EntryType, until: int) -> None:
        """Whether a postponement to ``until`` is one, and within the policy; ``RANGE_INVALID``."""
        limits = self.genesis.policy.limits
        # Whether an entry counts must not depend on when its reader looked: here all that was logged before counts.
        shown = self.shown(view, seal, lambda _: 0)
        if kind is EntryType.NONDISCLOSURE_EXTENDED:
            now, most = shown.secret_until, seal.leaf.nondisclosure_until + limits.max_extension
        else:
            now, most = shown.notice_until, shown.secret_until + limits.notice_within + limits.max_notice_delay
        # SPEC DSC-4: nothing is put off to an earlier time, or beyond what the policy admits.
        _require(now < until <= most, Reason.RANGE_INVALID)

    def _postponed(self, view: Read | Draft, kind: EntryType, tag: bytes) -> list[tuple[Filed, Postponement]]:
        said = ((one, Postponement.decode(one.payload)) for one in _about(view, _POSTPONED, tag))
        return [(filed, postponement) for filed, postponement in said if postponement.type is kind]

    # -- filing -------------------------------------------------------------------------------

    def file_about_warrant(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        """File an entry of a type in ``FILED_HERE``; ``MalformedError`` or ``RefusedError`` if it does not count."""
        match entry.type:
            case EntryType.WARRANT_SEALED:
                leaf = SealedLeaf.decode(entry.payload)
                _require(leaf.authority == entry.submitter, Reason.ENTRY_REFUSED)
                _put(draft, SEAL, leaf.seal_tag, filed)
            case EntryType.RELEASE_INTENT:
                intent = ReleaseIntent.decode(entry.payload)
                _require(intent.custodian == entry.submitter, Reason.ENTRY_REFUSED)
                _put(draft, _INTENT, intent.seal_tag, filed)
                draft.put(_announced(intent), b"")
            case EntryType.RELEASE_RECORD:
                self._file_record(draft, entry, filed)
            case EntryType.DENIAL:
                self._file_denial(draft, entry, filed)
            case EntryType.DISCLOSURE:
                said = Disclosure.decode(entry.payload)
                said.check(self._sealed(draft, said.seal_tag).leaf)
                # SPEC DSC-3: what is disclosed already is not disclosed again.
                _require(said.names - self.disclosed(draft, said.seal_tag), Reason.ILLEGAL_STEP)
                _put(draft, _DISCLOSURE, said.seal_tag, filed)
            case EntryType.NOTICE_DELIVERED:
                told = NoticeDelivered.decode(entry.payload)
                self._sealed(draft, told.seal_tag)
                known = {one.notice_hash for one in self.notices(draft, told.seal_tag)}
                _require(told.notice_hash not in known, Reason.ILLEGAL_STEP)
                _put(draft, _NOTICE, told.seal_tag, filed)
            case EntryType.ERROR_REPORT:
                report = ErrorReport.decode(entry.payload)
                self._sealed(draft, report.seal_tag)
                _require(report not in self.errors(draft, report.seal_tag), Reason.ILLEGAL_STEP)
                _put(draft, _ERROR, report.seal_tag, filed)
            case kind if kind in postponing.KINDS:
                self._file_postponement(draft, entry, filed)
            case kind:
                order = Order.decode(entry.payload)
                _require(order.type == kind, Reason.ENTRY_REFUSED)
                order.check(self.genesis)
                _require(self.is_news(draft, order), Reason.ILLEGAL_STEP)
                _put(draft, _ORDER, order.seal_tag, filed)

    def _sealed(self, draft: Draft, tag: bytes) -> LoggedSeal:
        seal = self.seal(draft, tag)
        if seal is None:
            raise RefusedError(Reason.SEAL_NOT_LOGGED)
        return seal

    def _file_record(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        record = ReleaseRecord.decode(entry.payload)
        _require(record.custodian == entry.submitter, Reason.ENTRY_REFUSED)
        # SPEC DSC-6: a record of a release that nobody has announced is not logged.
        _require(draft.get(_announced(record)) is not None, Reason.INTENT_MISSING)
        _put(draft, _RECORD, record.seal_tag, filed)

    def _file_denial(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        denial = Denial.decode(entry.payload)
        _require(denial.custodian == entry.submitter, Reason.ENTRY_REFUSED)
        self._sealed(draft, denial.seal_tag)
        place = _DENIAL + denial.custodian + denial.request_hash
        # SPEC DSC-5: a denial under no seal, or a second one of the same request, is not logged.
        _require(draft.get(place) is None, Reason.ILLEGAL_STEP)
        draft.put(place, pack(filed))

    def _file_postponement(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        said = Postponement.decode(entry.payload)
        _require(said.type == entry.type, Reason.ENTRY_REFUSED)
        said.check(self.genesis)
        self.check_postponement(draft, self._sealed(draft, said.seal_tag), said.type, said.until)
        _put(draft, _POSTPONED, said.seal_tag, filed)


def _put_off(postponed: Iterable[tuple[Filed, Postponement]], until: int, dated: Callable[[Filed], int]) -> int:
    """Until when something is put off."""
    for filed, said in postponed:
        if dated(filed) < until:
            until = max(until, said.until)
    return until


def _about(view: Read | Draft, prefix: bytes, tag: bytes) -> Iterator[Filed]:
    return (unpack(value, Filed) for _, value in view.scan(prefix + tag))


def _put(draft: Draft, prefix: bytes, tag: bytes, filed: Filed) -> None:
    draft.put(prefix + tag + u64(filed.index), pack(filed))


def _require(holds: object, reason: Reason) -> None:
    if not holds:
        raise RefusedError(reason)


def _event(payload: bytes) -> Event:
    return KINDS[Order.decode(payload).type].event
