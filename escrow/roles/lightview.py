"""What a device or an agency knows of the log without following it: a head, and records proved under it.

The head is a checkpoint under a quorum of witnesses, consistent with every head seen before. Records are entries
with an inclusion proof under the head; logged is not yet authorised, so what has no authority is not kept.
Freshness is not proved by inclusion: a log may serve an old device list, which the account's own audits notice. Every
question has an end: one that was in vain is asked again only after ``hope_again``.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.committee.documents import CommitteeKey, ShareGeneration
from escrow.e2ee.devices import DeviceList
from escrow.encoding import number, u16, u64
from escrow.errors import EscrowError, Kind, Reason, RefusedError
from escrow.ids import AccountId, Millis, Party
from escrow.roles.authorised import check_committee_key, check_generation
from escrow.roles.calls import GetHead, GetRecord, Head, Record
from escrow.roles.machine import Answered, Draft, Read, Todo
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import verify_consistency, verify_inclusion
from escrow.tlog.quorum import verify_head
from escrow.warrant.genesis import Genesis

LOG = Party("log")
_HEAD = b"view/head"
_RECORD = b"view/record/"
_ABSENT = b"view/absent/"


class SeenHead(Struct, frozen=True):
    """The newest head: its size, 32-byte root, median witness time in ms, and what our clock said when it came."""

    size: int
    root: bytes
    time_ms: int
    seen_ms: int


class SeenRecord(Struct, frozen=True):
    """An entry, its place in the log, and the size of the tree in which it was shown to be the newest."""

    index: int
    entry: bytes
    size: int


@dataclass(frozen=True, slots=True)
class LightView:
    """The view under ``view/`` of a role's state. All state lives in the draft that is passed in."""

    genesis: Genesis

    # -- the head -----------------------------------------------------------------------------

    def head(self, view: Read | Draft) -> SeenHead | None:
        """The newest head seen, if any."""
        data = view.get(_HEAD)
        return None if data is None else unpack(data, SeenHead)

    def trouble(self, view: Read | Draft, now: Millis) -> Reason | None:
        """Why there is no head to act on: ``LOG_STALE``, or ``CLOCK_SKEW`` if our clock disagreed when it came."""
        head, skew = self.head(view), self.genesis.skew_ms
        if head is None or now - head.time_ms > self.genesis.fresh_ms:
            return Reason.LOG_STALE
        if abs(head.seen_ms - head.time_ms) > skew or head.time_ms - now > skew:
            return Reason.CLOCK_SKEW
        return None

    def refresh(self, draft: Draft, fresh_after: int) -> None:
        """Owe the question for a newer head, unless it is owed already or was just in vain."""
        if draft.get(_ABSENT) is None and not draft.owed(GetHead):
            head = self.head(draft)
            draft.owe(LOG, GetHead(head.size if head else 0, max(0, fresh_after)))

    # -- records ------------------------------------------------------------------------------

    def want(self, draft: Draft, entry_type: EntryType, subject: bytes) -> None:
        """Owe the question for the newest record, unless that is owed already, known, or absent under this head."""
        head = self.head(draft)
        if head is None:
            self.refresh(draft, 0)
            return
        if self.is_newest(draft, entry_type, subject):
            return
        absent = draft.get(_ABSENT + _key(entry_type, subject))
        asked = any(todo.call.entry_type == entry_type and todo.call.subject == subject
                    for todo in draft.owed(GetRecord) if isinstance(todo.call, GetRecord))  # fmt: skip
        if not asked and (absent is None or number(absent) < head.size):
            draft.owe(LOG, GetRecord(entry_type, subject, head.size))

    def is_newest(self, view: Read | Draft, entry_type: EntryType, subject: bytes) -> bool:
        """Whether the record we have was shown to be the newest under the head that we have."""
        head, data = self.head(view), view.get(_RECORD + _key(entry_type, subject))
        return head is not None and data is not None and unpack(data, SeenRecord).size == head.size

    def want_newer(self, draft: Draft, entry_type: EntryType, subject: bytes, now: Millis) -> None:
        """What we have is not enough: owe the question for what a newer head may hold, once."""
        mark = _ABSENT + _key(entry_type, subject)
        head = self.head(draft)
        if head is not None and draft.get(mark) is None and self.is_newest(draft, entry_type, subject):
            draft.put(mark, u64(head.size))
            self.refresh(draft, now - self.genesis.fresh_ms // 2)
        else:
            self.want(draft, entry_type, subject)

    def hope_again(self, draft: Draft) -> None:
        """Forget which questions were in vain: the next ``want`` or ``refresh`` asks again."""
        for key, _ in list(draft.scan(_ABSENT)):
            draft.delete(key)

    def record(self, view: Read | Draft, entry_type: EntryType, subject: bytes) -> Entry | None:
        """The newest entry of this type about ``subject`` that was proved to us."""
        data = view.get(_RECORD + _key(entry_type, subject))
        return None if data is None else Entry.decode(unpack(data, SeenRecord).entry)

    def committee_key(self, view: Read | Draft, period: int) -> CommitteeKey | None:
        """The committee key of ``period`` of the policy in force, authorised, if it was proved to us."""
        entry = self.record(view, EntryType.COMMITTEE_KEY, committee_subject(self.genesis, period))
        return None if entry is None else check_committee_key(self.genesis, period, entry.payload)

    def generation(self, view: Read | Draft, period: int) -> ShareGeneration | None:
        """The share generation of ``period``, authorised, if it and its key were proved to us."""
        key = self.committee_key(view, period)
        entry = None if key is None else self.record(view, EntryType.SHARE_GENERATION, key.hash)
        return None if key is None or entry is None else check_generation(self.genesis, key, period, entry.payload)

    def device_list(self, view: Read | Draft, account: AccountId) -> DeviceList | None:
        """The newest device list of ``account``, signed by the key whose hash the account is, if proved to us."""
        entry = self.record(view, EntryType.DEVICE_LIST, account)
        if entry is None:
            return None
        return DeviceList.decode(entry.payload)

    # -- answers ------------------------------------------------------------------------------

    def on_answer(self, draft: Draft, event: Answered, now: Millis) -> bool:
        """Take the answer to a question of this view; return False if it was not one.

        Raises ``IntegrityError`` for a fork of the log, and what its parts raise for an answer that does not prove what
        it should; the caller may then ``give_up`` the question.
        """
        match event.todo.call, event.reply:
            case GetHead() as call, Head() as reply:
                self._on_head(draft, call, reply, now)
            case GetRecord() as call, Record() as reply:
                self._on_record(draft, call, reply)
            case GetRecord() as call, EscrowError() as error if error.reason.kind is Kind.NOT_FOUND:
                first = draft.get(_ABSENT + _key(call.entry_type, call.subject)) is None
                self.give_up(draft, event.todo)
                if first:
                    self.refresh(draft, now - self.genesis.fresh_ms // 2)
            case ((GetHead() | GetRecord()), _):
                self.give_up(draft, event.todo)
            case _:
                return False
        draft.settle(event.todo)
        return True

    def give_up(self, draft: Draft, todo: Todo) -> None:
        """Strike a question of this view off: it was in vain, and is not asked again before ``hope_again``."""
        match todo.call:
            case GetHead():
                draft.put(_ABSENT, b"")
            case GetRecord() as call:
                draft.put(_ABSENT + _key(call.entry_type, call.subject), u64(call.size))
        draft.settle(todo)

    def _on_head(self, draft: Draft, call: GetHead, reply: Head, now: Millis) -> None:
        new = verify_head(reply.note, self.genesis.log_key, self.genesis.witness_rule)
        old = self.head(draft)
        if old is not None and old.size:
            verify_consistency(old.size, old.root, new.size, new.root, reply.proof)
        time_ms = max(new.time_ms, old.time_ms if old else 0)
        draft.put(_HEAD, pack(SeenHead(new.size, new.root, time_ms, now)))
        if new.time_ms < call.fresh_after or self.trouble(draft, now) is not None:
            draft.put(_ABSENT, b"")  # asking at once for a better one would go on for ever

    def _on_record(self, draft: Draft, call: GetRecord, reply: Record) -> None:
        head = self.head(draft)
        if head is None or head.size != call.size:
            return  # the head has moved on since the question; ask again under the new one
        entry = Entry.decode(reply.entry)
        verify_inclusion(entry.leaf_hash(), reply.index, head.size, reply.path, head.root)
        entry.verify(self.genesis.log.origin)
        self._check_authority(call, entry)
        key = _RECORD + _key(call.entry_type, call.subject)
        known = draft.get(key)
        if known is not None:
            _check_onward(unpack(known, SeenRecord), reply.index, entry)
        draft.put(key, pack(SeenRecord(reply.index, reply.entry, head.size)))

    def _check_authority(self, call: GetRecord, entry: Entry) -> None:
        """An entry is kept if it is of the type and about the subject that was asked for, and counts."""
        if entry.type != call.entry_type or not self.genesis.entitled(entry.type, entry.submitter):
            raise RefusedError(Reason.NOT_LOGGED, "the log shows another entry than it was asked for")
        match entry.type:
            case EntryType.DEVICE_LIST:
                about: bytes = DeviceList.decode(entry.payload).account
            case EntryType.COMMITTEE_KEY:
                period = number(call.subject[-8:])
                check_committee_key(self.genesis, period, entry.payload)
                about = committee_subject(self.genesis, period)
            case EntryType.SHARE_GENERATION:
                about = ShareGeneration.decode(entry.payload).committee_key_hash
            case _:
                return
        if about != call.subject:
            raise RefusedError(Reason.NOT_LOGGED, "the log shows an entry about something else")


def _check_onward(seen: SeenRecord, index: int, entry: Entry) -> None:
    """What is newer stands later. Of device lists it has a later version, too: an old one may be logged once more."""
    if index < seen.index:
        raise RefusedError(Reason.NOT_LOGGED, "the log showed a newer entry before")
    before = Entry.decode(seen.entry)
    if entry.type is not EntryType.DEVICE_LIST or entry.payload == before.payload:
        return
    old, new = DeviceList.decode(before.payload), DeviceList.decode(entry.payload)
    # SPEC DIR-1: a list that cannot come after the one that was seen is refused.
    if new.version <= old.version:
        raise RefusedError(Reason.NOT_LOGGED, "the log showed a newer device list before")
    if new.version == old.version + 1:
        new.check_follows(old)


def committee_subject(genesis: Genesis, period: int) -> bytes:
    """Under which subject the log files the committee key of ``period``."""
    return genesis.policy.hash + u64(period)


def _key(entry_type: int, subject: bytes) -> bytes:
    return u16(entry_type) + subject
