"""The log: it takes signed entries from those who are entitled to log them, and publishes one tree of them.

It decides nothing else. Whoever relies on it checks its checkpoints under a quorum of witnesses, and authority alone.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from escrow.crypto.mldsa import MlDsaKey
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u64
from escrow.errors import BehindError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import (
    AddCheckpoint,
    Append,
    Appended,
    AppendResult,
    Call,
    GetDating,
    GetHead,
    GetPath,
    GetRecord,
    GetUpdate,
    Head,
    Record,
    Reply,
    Update,
)
from escrow.roles.ledger import LEAVES, Ledger
from escrow.roles.log.pages import log_page
from escrow.roles.log.publishing import TREE, Outcome, Published, Publisher
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Writes
from escrow.roles.pages import Page
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.warrant.genesis import Genesis

MOST_ENTRIES = 256
"""Entries that one call may append."""
MOST_UPDATE = 4_000_000
"""Bytes of entries in one update."""
COSIGN_EVERY = 60_000
"""The head is cosigned anew when it is older than this, in ms, even if nothing was logged."""
_TICK = 1_000
"""Witnesses state whole seconds, so no head can be younger than this."""
_SEEN = b"seen/"


@dataclass(frozen=True, slots=True)
class Log:
    """The role of the party ``log``. ``key`` is the one that the genesis names."""

    genesis: Genesis
    key: SigningKey
    pq_key: MlDsaKey | None = None
    """Signs checkpoints as well where there is one; see ``Witness.pq_key``."""

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:  # noqa: ARG002
        """See ``Role.handle``."""
        draft = Draft(view)
        if not TREE.size(draft):
            self._begin(draft, now)
        result: object = None
        match event:
            case Called(call=call):
                result = self._answer(draft, call, now, self._publisher.outcome(draft))
            case Answered(todo=todo, reply=reply) if isinstance(todo.call, AddCheckpoint):
                self._publisher.on_answer(draft, todo, reply)
            case Tick():
                head = self._publisher.head(draft)
                if head is None or head.size < TREE.size(draft) or now - head.time_ms >= COSIGN_EVERY:
                    self._publisher.publish(draft, now)
            case CatchUp():
                self._publisher.publish(draft, now, demanded=True)
        return draft.writes(), result

    def page(self, view: Read, path: str) -> Page:
        """What ``GET /path`` shows."""
        return log_page(self._publisher.head(view), view, path)

    @property
    def _publisher(self) -> Publisher:
        return Publisher(self.genesis, self.key, self.pq_key)

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.genesis)

    def _begin(self, draft: Draft, now: Millis) -> None:
        """The first leaf names the deployment."""
        genesis = Entry.make(EntryType.GENESIS, self.genesis.hash, self.key, self.genesis.log.origin)
        (result,) = self._append(draft, (genesis,), now)
        if result.reason:
            raise AssertionError("the log refuses its own genesis")

    def _answer(self, draft: Draft, call: Call, now: Millis, published: Outcome | None) -> Reply:
        match call:
            case Append(entries=entries):
                if len(entries) > MOST_ENTRIES:
                    raise MalformedError(f"more than {MOST_ENTRIES} entries", Reason.TOO_LARGE)
                return Appended(self._append(draft, entries, now))
            case GetHead(known_size=known, fresh_after=fresh_after):
                head = self._head(draft, known, min(fresh_after, now - _TICK), published)
                return Head(self._publisher.counted(head.note), TREE.consistency(draft, known, head.size))
            case GetUpdate():
                head = self._head(draft, call.known_size, min(call.fresh_after, now - _TICK), published)
                return self._update(draft, call, head)
            case GetRecord(entry_type=entry_type, subject=subject, size=size):
                return self._record(draft, self._find(draft, entry_type, subject, size), size)
            case GetPath(index=index, size=size):
                return self._record(draft, index, size)
            case GetDating(index=index):
                return self._publisher.dating(draft, index)
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, f"the log does not answer {type(call).__name__}")

    # -- taking entries -----------------------------------------------------------------------

    def _append(self, draft: Draft, entries: Sequence[bytes], now: Millis) -> tuple[AppendResult, ...]:
        """Admit the entries that count, by the same rules by which every follower will file them.

        The tree grows once for all of them: hashing it entry by entry costs as much as everything else here.
        """
        first, leaves, results = TREE.size(draft), list[bytes](), list[AppendResult]()
        for data in entries:
            place = _SEEN + hashlib.sha256(data).digest()
            known = draft.get(place)
            if known is None:
                try:
                    attempt = Draft(draft)
                    self._ledger.file(attempt, data, now)
                except (MalformedError, RefusedError) as error:
                    results.append(AppendResult(0, error.reason.name))
                    continue
                draft.absorb(attempt)
                known = u64(first + len(leaves))
                draft.put(place, known)
                leaves.append(leaf_hash(data))
            results.append(AppendResult(number(known), ""))
        TREE.grow(draft, leaves)
        return tuple(results)

    # -- showing them -------------------------------------------------------------------------

    def _head(self, draft: Draft, known: int, fresh_after: int, published: Outcome | None) -> Published:
        """The head, if it covers every entry taken and is fresh enough; else ``BehindError``: publish, then ask again.

        What was just published for this very question will do even if more entries have come since. Where that failed
        for want of witnesses an older head that is fresh enough will do, or else there is none: ``QUORUM_MISSING``.
        """
        if known > TREE.size(draft):
            raise RefusedError(Reason.NOT_FOUND, "the log has never been that large")
        head = self._publisher.head(draft)
        if head is not None and known <= head.size:
            fresh = head.time_ms >= fresh_after
            if published is Outcome.MET or (fresh and (published is Outcome.MISSED or head.size == TREE.size(draft))):
                return head
        raise BehindError(Reason.LOG_STALE if published is None else Reason.QUORUM_MISSING)

    def _update(self, draft: Draft, call: GetUpdate, head: Published) -> Update:
        most = max(1, min(call.limit, head.size - call.known_size))
        entries = _within(draft.records(LEAVES, start=call.known_size, limit=most)[: head.size - call.known_size])
        reached = call.known_size + len(entries)
        note = self._publisher.counted(head.note)
        return Update(call.known_size, entries, note, TREE.consistency(draft, reached, head.size))

    def _find(self, draft: Draft, entry_type: int, subject: bytes, size: int) -> int:
        if entry_type in set(EntryType):
            index = self._ledger.index_of(draft, EntryType(entry_type), subject, size)
            if index is not None:
                return index
        raise RefusedError(Reason.NOT_FOUND, "no entry about this is in a tree of that size")

    def _record(self, draft: Draft, index: int, size: int) -> Record:
        if size > TREE.size(draft):
            raise RefusedError(Reason.NOT_FOUND, "the log has never been that large")
        path = TREE.inclusion(draft, index, size)
        return Record(index, draft.records(LEAVES, start=index, limit=1)[0], path)


def _within(entries: list[bytes]) -> tuple[bytes, ...]:
    """As many of the entries as one message may hold, but at least one."""
    total = 0
    for count, data in enumerate(entries):
        total += len(data)
        if total > MOST_UPDATE and count:
            return tuple(entries[:count])
    return tuple(entries)
