"""What a device or an agency knows of the log without following it: a head, and records proved under it.

The head is a checkpoint under a quorum of witnesses, consistent with every head seen before. Records are entries
with an inclusion proof under the head; logged is not yet authorised, so each getter checks authority as well.
Freshness is not proved by inclusion: a log may serve an old device list, which the account's own audits notice.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.committee.documents import CommitteeKey, ShareGeneration
from escrow.e2ee.devices import DeviceList
from escrow.encoding import number, u16, u64
from escrow.errors import BehindError, EscrowError, IntegrityError, Kind, Reason
from escrow.ids import AccountId, Millis, Party
from escrow.roles.authorised import check_committee_key, check_generation
from escrow.roles.calls import GetHead, GetRecord, Head, Record
from escrow.roles.machine import Answered, Draft, Read
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
    """The newest head: its size, 32-byte root and median witness time in ms."""

    size: int
    root: bytes
    time_ms: int


class SeenRecord(Struct, frozen=True):
    """An entry proved under some head; ``index`` orders the versions of one subject."""

    index: int
    entry: bytes


@dataclass(frozen=True, slots=True)
class LightView:
    """The view under ``view/`` of a role's state. All state lives in the draft that is passed in."""

    genesis: Genesis

    # -- the head -----------------------------------------------------------------------------

    def head(self, view: Read | Draft) -> SeenHead | None:
        """The newest head seen, if any."""
        data = view.get(_HEAD)
        return None if data is None else unpack(data, SeenHead)

    def fresh(self, view: Read | Draft, now: Millis, within: int) -> bool:
        """Whether the newest head is at most ``within`` ms old."""
        head = self.head(view)
        return head is not None and now - head.time_ms <= within

    def require_fresh(self, view: Read | Draft, now: Millis) -> SeenHead:
        """The head, if it is fresh enough to act on (``LOG_STALE``) and our clock agrees with it (``CLOCK_SKEW``)."""
        head = self.head(view)
        if head is None or now - head.time_ms > self.genesis.fresh_ms:
            raise BehindError(Reason.LOG_STALE)
        if head.time_ms - now > self.genesis.skew_ms:
            raise BehindError(Reason.CLOCK_SKEW)
        return head

    def refresh(self, draft: Draft, fresh_after: int) -> None:
        """Owe the question for a newer head, unless it is owed already or was just in vain."""
        if draft.get(_ABSENT) is None and not draft.owed(GetHead):
            head = self.head(draft)
            draft.owe(LOG, GetHead(head.size if head else 0, max(0, fresh_after)))

    # -- records ------------------------------------------------------------------------------

    def want(self, draft: Draft, entry_type: EntryType, subject: bytes) -> None:
        """Owe the question for a record, unless it is owed already or known to be absent under this head."""
        head = self.head(draft)
        if head is None:
            self.refresh(draft, 0)
            return
        absent = draft.get(_ABSENT + _key(entry_type, subject))
        asked = any(todo.call.entry_type == entry_type and todo.call.subject == subject
                    for todo in draft.owed(GetRecord) if isinstance(todo.call, GetRecord))  # fmt: skip
        if not asked and (absent is None or number(absent) < head.size):
            draft.owe(LOG, GetRecord(entry_type, subject, head.size))

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
        devices = DeviceList.decode(entry.payload)
        if devices.account != account:
            raise IntegrityError(Reason.LOG_INCONSISTENT, "the log filed a device list under another account")
        return devices

    # -- answers ------------------------------------------------------------------------------

    def on_answer(self, draft: Draft, event: Answered, now: Millis) -> bool:
        """Take the answer to a question of this view; return False if it was not one."""
        match event.todo.call, event.reply:
            case GetHead(), Head() as reply:
                self._on_head(draft, reply)
            case GetRecord() as call, Record() as reply:
                self._on_record(draft, call, reply)
            case GetRecord() as call, EscrowError() as error if error.reason.kind is Kind.NOT_FOUND:
                draft.put(_ABSENT + _key(call.entry_type, call.subject), u64(call.size))
                self.refresh(draft, now - self.genesis.fresh_ms // 2)
            case GetHead(), _:
                draft.put(_ABSENT, b"")
            case GetRecord() as call, _:
                draft.put(_ABSENT + _key(call.entry_type, call.subject), u64(call.size))
            case _:
                return False
        draft.settle(event.todo)
        return True

    def _on_head(self, draft: Draft, reply: Head) -> None:
        new = verify_head(reply.note, self.genesis.log_key, self.genesis.witness_rule)
        old = self.head(draft)
        if old is not None and old.size:
            verify_consistency(old.size, old.root, new.size, new.root, reply.proof)
        time_ms = max(new.time_ms, old.time_ms if old else 0)
        draft.put(_HEAD, pack(SeenHead(new.size, new.root, time_ms)))

    def _on_record(self, draft: Draft, call: GetRecord, reply: Record) -> None:
        head = self.head(draft)
        if head is None or head.size != call.size:
            return  # the head has moved on since the question; ask again under the new one
        entry = Entry.decode(reply.entry)
        verify_inclusion(entry.leaf_hash(), reply.index, head.size, reply.path, head.root)
        entry.verify(self.genesis.log.origin)
        key = _RECORD + _key(EntryType(call.entry_type), call.subject)
        known = draft.get(key)
        if entry.type == call.entry_type and (known is None or unpack(known, SeenRecord).index <= reply.index):
            draft.put(key, pack(SeenRecord(reply.index, reply.entry)))


def committee_subject(genesis: Genesis, period: int) -> bytes:
    """Under which subject the log files the committee key of ``period``."""
    return genesis.policy.hash + u64(period)


def _key(entry_type: int, subject: bytes) -> bytes:
    return u16(entry_type) + subject
