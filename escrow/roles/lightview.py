"""What a device or an agency knows of the log without following it: a head, and records proved under it.

The head is a checkpoint under a quorum of witnesses, consistent with every head seen before. Records are entries
with an inclusion proof under the head; logged is not yet authorised, so what has no authority is not kept.
Freshness is not proved by inclusion: a log may serve an old device list, which the account's own audits notice, or keep
an ingest root back, which whoever follows the whole log notices. Every question has an end: one that was in vain is
asked again only after ``hope_again``.
"""

from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from escrow.capsule.receipt import IngestRoot
from escrow.committee.documents import CommitteeKey, ShareGeneration
from escrow.e2ee.devices import DeviceList
from escrow.encoding import number, u16, u64
from escrow.errors import EscrowError, Kind, Reason, RefusedError
from escrow.ids import AccountId, Millis, Party
from escrow.roles.authorised import check_committee_key, check_generation
from escrow.roles.calls import Dating, GetDating, GetHead, GetRecord, Head, Record
from escrow.roles.handover_orders import subject_for, subject_of
from escrow.roles.machine import Answered, Draft, Read, Todo
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import verify_consistency, verify_inclusion
from escrow.tlog.quorum import verify_head
from escrow.warrant.genesis import Genesis
from escrow.warrant.handover_order import HandoverOrder, verify_order

LOG = Party("log")
_HEAD = b"view/head"
_RECORD = b"view/record/"
_ABSENT = b"view/absent/"
_NONE = b"view/none/"
_DATES = b"view/dates/"


class SeenHead(Struct, frozen=True):
    """The newest head: its size, 32-byte root, median witness time in ms, and what our clock said when it came.

    ``count`` says how many heads there have been; see ``LightView.next_head``.
    """

    size: int
    root: bytes
    time_ms: int
    seen_ms: int
    count: int


class SeenRecord(Struct, frozen=True):
    """An entry, its place in the log, and size and time of the last head under which it was shown to be the newest."""

    index: int
    entry: bytes
    size: int
    shown_ms: int


class Dates(Struct, frozen=True):
    """When an entry was logged: after one time and by another (ms), on the word of a quorum of witnesses."""

    after_ms: int
    by_ms: int


class LightView(Struct, frozen=True):
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

    def keep_up(self, draft: Draft, now: Millis) -> None:
        """Owe the question for a newer head if the one that we have is not fresh."""
        head, fresh = self.head(draft), now - self.genesis.fresh_ms
        if head is None or head.time_ms < fresh:
            self.refresh(draft, fresh)

    def next_head(self, view: Draft) -> int:
        """The ``count`` of the first head that will have been asked for after this moment."""
        head = self.head(view)
        return 1 + (head.count if head else 0) + len(view.owed(GetHead))

    def renew(self, draft: Draft, now: Millis) -> None:
        """Somebody knows better than this head: ask for a newer one, and act on none until it is here."""
        head = self.head(draft)
        if head is not None:
            draft.put(_HEAD, pack(replace(head, time_ms=0)))
            self.refresh(draft, now)

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
        head, seen = self.head(view), self.seen(view, entry_type, subject)
        return head is not None and seen is not None and seen.size == head.size

    def want_newer(self, draft: Draft, entry_type: EntryType, subject: bytes, now: Millis) -> None:
        """What we have is not enough: owe the question for what a newer head may hold, once."""
        mark = _ABSENT + _key(entry_type, subject)
        head = self.head(draft)
        if head is not None and draft.get(mark) is None and self.is_newest(draft, entry_type, subject):
            draft.put(mark, u64(head.size))
            self.refresh(draft, now - self.genesis.fresh_ms // 2)
        else:
            self.want(draft, entry_type, subject)

    def want_as_of(self, draft: Draft, entry_type: EntryType, subject: bytes, at: int) -> None:
        """Owe the question for the newest record of ``at`` (ms) or later."""
        head = self.head(draft)
        if head is None or head.time_ms < at:
            self.refresh(draft, at)
        else:
            self.want(draft, entry_type, subject)

    def is_of(self, view: Read | Draft, entry_type: EntryType, subject: bytes, at: int) -> bool:
        """Whether the record that we have was shown to be the newest of ``at`` (ms) or later."""
        head, seen = self.head(view), self.seen(view, entry_type, subject)
        if head is None or seen is None:
            return False
        return (head.time_ms if seen.size == head.size else seen.shown_ms) >= at

    def is_absent(self, view: Read | Draft, entry_type: EntryType, subject: bytes) -> bool:
        """Whether the log has said that under the head that we have there is no such record."""
        head, data = self.head(view), view.get(_NONE + _key(entry_type, subject))
        return head is not None and data is not None and number(data) == head.size

    def hope_again(self, draft: Draft) -> None:
        """Forget which questions were in vain: the next ``want`` or ``refresh`` asks again."""
        for key, _ in list(draft.scan(_ABSENT)):
            draft.delete(key)

    def seen(self, view: Read | Draft, entry_type: EntryType, subject: bytes) -> SeenRecord | None:
        """The newest entry of this type about ``subject`` that was proved to us, and what we know of its time."""
        data = view.get(_RECORD + _key(entry_type, subject))
        return None if data is None else unpack(data, SeenRecord)

    def record(self, view: Read | Draft, entry_type: EntryType, subject: bytes) -> Entry | None:
        """The newest entry of this type about ``subject`` that was proved to us."""
        seen = self.seen(view, entry_type, subject)
        return None if seen is None else _entry(seen.entry)

    def ingest_root(self, view: Read | Draft) -> IngestRoot | None:
        """The newest root over the relay's receipts, if one was proved to us."""
        entry = self.record(view, EntryType.INGEST_ROOT, self.genesis.relay.public)
        return None if entry is None else IngestRoot.decode(entry.payload)

    def committee_key(self, view: Read | Draft, period: int) -> CommitteeKey | None:
        """The committee key of ``period`` of the policy in force, authorised, if it was proved to us."""
        entry = self.record(view, EntryType.COMMITTEE_KEY, committee_subject(self.genesis, period))
        return None if entry is None else check_committee_key(self.genesis, period, entry.payload)

    def generation(self, view: Read | Draft, period: int) -> ShareGeneration | None:
        """The share generation of ``period``, authorised, if it, its key and what authorises it were proved to us."""
        key = self.committee_key(view, period)
        entry = None if key is None else self.record(view, EntryType.SHARE_GENERATION, key.hash)
        if key is None or entry is None:
            return None
        generation = ShareGeneration.decode(entry.payload)
        order = None if self._is_of_policy(generation) else self.order(view, generation)
        if order is None and not self._is_of_policy(generation):
            return None
        return check_generation(self.genesis, key, period, entry.payload, order)

    def order(self, view: Read | Draft, generation: ShareGeneration) -> HandoverOrder | None:
        """The roots' order that names the holders of a generation, if it was proved to us."""
        entry = self.record(view, EntryType.HANDOVER_ORDER, subject_for(generation))
        return None if entry is None else verify_order(entry.payload, self.genesis)

    def holders(self, view: Read | Draft, generation: ShareGeneration) -> list[str]:
        """The ids of a generation's members, in the order of their indices; it must be of the policy or ordered."""
        names = {key: name for name, key in self.genesis.custodian_keys.items()}
        order = None if self._is_of_policy(generation) else self.order(view, generation)
        if order is not None:
            names |= {member.public: member.id for member in order.members}
        return [names[member] for member in generation.members]

    def want_generation(self, draft: Draft, period: int) -> bool:
        """Owe the next question that stands between us and the newest generation of ``period``; False if none does."""
        key = self.committee_key(draft, period)
        if key is None:
            self.want(draft, EntryType.COMMITTEE_KEY, committee_subject(self.genesis, period))
        elif not self.is_newest(draft, EntryType.SHARE_GENERATION, key.hash):
            self.want(draft, EntryType.SHARE_GENERATION, key.hash)
        elif self.generation(draft, period) is None:
            entry = self.record(draft, EntryType.SHARE_GENERATION, key.hash)
            if entry is None:
                raise AssertionError("the newest record is a record")
            self.want(draft, EntryType.HANDOVER_ORDER, subject_for(ShareGeneration.decode(entry.payload)))
        else:
            return False
        return True

    def _is_of_policy(self, generation: ShareGeneration) -> bool:
        policy = self.genesis.policy
        keys = tuple(self.genesis.custodian_keys[name] for name in policy.custodians)
        return (generation.members, generation.threshold) == (keys, policy.t)

    def device_list(self, view: Read | Draft, account: AccountId) -> DeviceList | None:
        """The newest device list of ``account``, signed by the key whose hash the account is, if proved to us."""
        entry = self.record(view, EntryType.DEVICE_LIST, account)
        if entry is None:
            return None
        return DeviceList.decode(entry.payload)

    # -- when it was logged -------------------------------------------------------------------

    def dates(self, view: Read | Draft, index: int) -> Dates | None:
        """When the entry at ``index`` was logged, if that was shown to us."""
        data = view.get(_DATES + u64(index))
        return None if data is None else unpack(data, Dates)

    def want_dates(self, draft: Draft, index: int) -> None:
        """Owe the question when the entry at ``index`` was logged, unless it is owed or was just in vain."""
        question = GetDating(index)
        if draft.get(_ABSENT + _DATES + u64(index)) is None and question not in [
            todo.call for todo in draft.owed(GetDating)
        ]:
            draft.owe(LOG, question)

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
                key = _key(call.entry_type, call.subject)
                first = draft.get(_ABSENT + key) is None
                self.give_up(draft, event.todo)
                draft.put(_NONE + key, u64(call.size))
                if first:
                    self.refresh(draft, now - self.genesis.fresh_ms // 2)
            case GetDating() as call, Dating() as reply:
                self._on_dating(draft, call, reply)
            case ((GetHead() | GetRecord() | GetDating()), _):
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
            case GetDating() as call:
                draft.put(_ABSENT + _DATES + u64(call.index), b"")
        draft.settle(todo)

    def _on_head(self, draft: Draft, call: GetHead, reply: Head, now: Millis) -> None:
        new = verify_head(reply.note, self.genesis.log_key, self.genesis.witness_rule)
        old = self.head(draft)
        if old is not None and old.size:
            verify_consistency(old.size, old.root, new.size, new.root, reply.proof)
        time_ms = max(new.time_ms, old.time_ms if old else 0)
        draft.put(_HEAD, pack(SeenHead(new.size, new.root, time_ms, now, 1 + (old.count if old else 0))))
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
        known = self.seen(draft, EntryType(call.entry_type), call.subject)
        if known is not None:
            _check_onward(known, reply.index, entry)
        seen = pack(SeenRecord(reply.index, reply.entry, head.size, head.time_ms))
        draft.put(_RECORD + _key(call.entry_type, call.subject), seen)
        if entry.type is EntryType.DEVICE_LIST and (known is None or known.index != reply.index):
            devices = DeviceList.decode(entry.payload)
            draft.put(_RECORD + _key(entry.type, version_subject(devices.account, devices.version)), seen)

    def _on_dating(self, draft: Draft, call: GetDating, reply: Dating) -> None:
        """No witness cosigns a smaller tree than before: what the one lacks and the other has, came between them."""
        key, rule = self.genesis.log_key, self.genesis.witness_rule
        first = verify_head(reply.first, key, rule)
        before = verify_head(reply.before, key, rule) if reply.before else None
        if not (before.size if before else 0) <= call.index < first.size:
            raise RefusedError(Reason.NOT_LOGGED, "the log shows checkpoints that are not around the entry")
        draft.put(_DATES + u64(call.index), pack(Dates(before.time_ms if before else 0, first.time_ms)))

    def _check_authority(self, call: GetRecord, entry: Entry) -> None:
        """An entry is kept if it is of the type and about the subject that was asked for, and counts."""
        # Whoever logs a generation gives it nothing: all of its members have signed it, and some may be new to us.
        entitled = entry.type is EntryType.SHARE_GENERATION or self.genesis.entitled(entry.type, entry.submitter)
        if entry.type != call.entry_type or not entitled:
            raise RefusedError(Reason.NOT_LOGGED, "the log shows another entry than it was asked for")
        match entry.type:
            case EntryType.DEVICE_LIST:
                devices = DeviceList.decode(entry.payload)
                versioned = len(call.subject) > len(devices.account)
                about = version_subject(devices.account, devices.version) if versioned else devices.account
            case EntryType.COMMITTEE_KEY:
                period = number(call.subject[-8:])
                check_committee_key(self.genesis, period, entry.payload)
                about = committee_subject(self.genesis, period)
            case EntryType.SHARE_GENERATION:
                about = ShareGeneration.decode(entry.payload).committee_key_hash
            case EntryType.HANDOVER_ORDER:
                about = subject_of(verify_order(entry.payload, self.genesis))
            case EntryType.INGEST_ROOT:
                about = IngestRoot.decode(entry.payload).relay
            case _:
                return
        if about != call.subject:
            raise RefusedError(Reason.NOT_LOGGED, "the log shows an entry about something else")


@lru_cache(maxsize=256)  # every message asks for the same few records
def _entry(data: bytes) -> Entry:
    return Entry.decode(data)


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


def version_subject(account: AccountId, version: int) -> bytes:
    """Under which subject the log finds one version of an account's device list; the account alone is the newest."""
    return account + u64(version)


def _key(entry_type: int, subject: bytes) -> bytes:
    return u16(entry_type) + subject
