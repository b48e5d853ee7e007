"""The machine of a monitor: it follows the log like a custodian, believes nobody, and remembers what it has seen.

Whoever runs one needs no office and no secret. What it cannot see: a history that is shown to others only, unless it is
given one of their checkpoints (``Compare``); and whatever never reached the log.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from escrow.capsule.receipt import IngestRoot
from escrow.encoding import number, u64
from escrow.errors import BehindError, EscrowError, IntegrityError, MalformedError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.calls import Call, Done, GetUpdate, Reply
from escrow.roles.follower import Follower
from escrow.roles.ledger import LEAVES
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Todo, Writes
from escrow.roles.monitor.alarms import Alarms
from escrow.roles.monitor.commands import Alarm, Compare, Finding, Findings, GetFindings, GetReport
from escrow.roles.monitor.dating import came, note_head
from escrow.roles.monitor.statistics import report
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.frontier import Frontier
from escrow.tlog.merkle import leaf_hash
from escrow.tlog.quorum import Head, verify_head
from escrow.warrant.genesis import Genesis
from escrow.warrant.release import ReleaseIntent

_INCIDENT = b"incident/"
"""What was seen while following, and does not follow from the register: ``Finding`` by its own bytes."""
_GENESIS = b"genesis"
_REFUSED = b"refused/"
"""Places of entries that do not count."""


@dataclass(frozen=True)
class Monitor:
    """Any party; ``name`` is what the transport knows it by."""

    genesis: Genesis
    name: Party

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:  # noqa: ARG002
        """See ``Role``."""
        draft, result = Draft(view), None
        match event:
            case Called(caller, call):
                result = self._called(draft, caller, call, now)
            case Answered(todo, reply) if isinstance(todo.call, GetUpdate):
                draft = self._follow(draft, todo, reply, now)
            case Answered(todo, _):
                draft.settle(todo)
            case CatchUp():
                self._follower.catch_up(draft, now, asked=True)
            case Tick():
                self._follower.catch_up(draft, now)
        return draft.writes(), result

    def pin(self, view: Read) -> tuple[Writes, None]:
        """A step before all others: what is remembered here is of this deployment; ``EVIDENCE_MISMATCH`` if not."""
        draft = Draft(view)
        if (draft.get(_GENESIS) or self.genesis.hash) != self.genesis.hash:
            raise RefusedError(Reason.EVIDENCE_MISMATCH, "this monitor has followed the log of another deployment")
        draft.put(_GENESIS, self.genesis.hash)
        return draft.writes(), None

    @property
    def _follower(self) -> Follower:
        return Follower(self.genesis)

    def _called(self, draft: Draft, caller: Party, call: Call, now: Millis) -> Reply:
        if caller != self.name:
            raise RefusedError(Reason.PERMISSION_DENIED, "a monitor answers whoever runs it")
        match call:
            case GetFindings(watched):
                head = self._follower.head(draft)
                found = [*self._incidents(draft), *self._about_time(head, now)]
                if head is not None:
                    found += Alarms(self._follower, draft, head.time_ms).all(watched)
                size, time = (0, 0) if head is None else (head.size, head.time_ms)
                return Findings(tuple(sorted(found)), size, time)
            case Compare(note):
                self._compare(draft, note)
                return Done()
            case GetReport(year):
                return report(year, self._counted(draft))
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, "a monitor does not answer this")

    # -- following ----------------------------------------------------------------------------

    def _follow(self, draft: Draft, todo: Todo, reply: Reply | EscrowError, now: Millis) -> Draft:
        """Take an answer of the log. One that cannot be true is an incident, and nothing else of it is kept."""
        attempt, follower = Draft(draft), self._follower
        before, start = follower.head(draft), follower.size(draft)
        try:
            taken = dict(follower.on_update(attempt, todo, reply, now))
        except (IntegrityError, MalformedError, RefusedError) as error:
            # SPEC MON-3: what cannot be true is remembered, and nothing else of it is kept.
            draft.settle(todo)
            _remember(draft, Finding(_named(error), b"", -1, f"{error.reason.name}: {error.detail}"))
            return draft
        draft.absorb(attempt)
        head, end = follower.head(draft), follower.size(draft)
        for index in range(start, end):
            if index in taken:
                self._look_at(draft, index, taken[index])
            else:
                draft.put(_REFUSED + u64(index), b"")
                _remember(draft, Finding(Alarm.ENTRY_REFUSED, b"", index, _kind(draft, index)))
        if head is not None and head != before:
            note_head(draft, before, head)
            if before is not None and head.time_ms < before.time_ms:
                _remember(draft, Finding(Alarm.CLOCK, b"", -1, "the witnesses' time went back"))
        return draft

    def _look_at(self, draft: Draft, index: int, entry: Entry) -> None:
        """What is wrong with an entry that counts, in its place."""
        if entry.type is EntryType.RELEASE_INTENT:
            tag = ReleaseIntent.decode(entry.payload).seal_tag
            seal = self._follower.seal(draft, tag)
            if seal is None or seal.index > index:
                _remember(draft, Finding(Alarm.INTENT_WITHOUT_SEAL, tag, index, entry.submitter.hex()[:16]))
        if entry.type is EntryType.INGEST_ROOT:
            root, head = IngestRoot.decode(entry.payload), self._follower.head(draft)
            if head is not None and root.time > head.time_ms + self.genesis.skew_ms:
                _remember(draft, Finding(Alarm.CLOCK, entry.submitter, index, "an ingest root from the future"))

    def _about_time(self, head: Head | None, now: Millis) -> Iterator[Finding]:
        if head is None or now - head.time_ms > self.genesis.fresh_ms:
            yield Finding(Alarm.LOG_SILENT, b"", -1, "no fresh checkpoint")
        elif head.time_ms - now > self.genesis.skew_ms:
            yield Finding(Alarm.CLOCK, b"", -1, "the witnesses are ahead of this clock")

    def _incidents(self, view: Read | Draft) -> list[Finding]:
        return [unpack(data, Finding) for _, data in view.scan(_INCIDENT)]

    # -- what others were shown, and the count --------------------------------------------------

    def _compare(self, draft: Draft, note: bytes) -> None:
        theirs = verify_head(note, self.genesis.log_key, self.genesis.witness_rule)
        if theirs.size > self._follower.size(draft):
            raise BehindError(Reason.LOG_STALE, f"they were shown {theirs.size} entries")
        leaves = draft.records(LEAVES, start=0, limit=theirs.size)
        if Frontier().extend([leaf_hash(data) for data in leaves]).root() != theirs.root:
            detail = f"others were shown another tree of {theirs.size} entries"
            _remember(draft, Finding(Alarm.FORK, b"", -1, detail))

    def _counted(self, view: Read | Draft) -> Iterator[tuple[Entry, int]]:
        """Every entry that counts, with the time of its first head."""
        refused = {number(key[len(_REFUSED) :]) for key, _ in view.scan(_REFUSED)}
        head = self._follower.head(view)
        for index, data in enumerate(view.records(LEAVES, start=0, limit=head.size if head else 0)):
            if index not in refused:
                yield Entry.decode(data), came(view, index).by_ms


def _named(error: EscrowError) -> Alarm:
    """A log that contradicts itself is more than one whose answer proves nothing."""
    return Alarm.FORK if isinstance(error, IntegrityError) else Alarm.UNPROVED


def _kind(draft: Draft, index: int) -> str:
    with suppress(MalformedError):
        return Entry.decode(draft.records(LEAVES, start=index, limit=1)[0]).type.name
    return "no entry at all"


def _remember(draft: Draft, finding: Finding) -> None:
    data = pack(finding)
    draft.put(_INCIDENT + data, data)
