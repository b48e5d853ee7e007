"""What the entries of the log say: the register kept by the log itself and by every party that follows all of it.

Logged is not authorised. An entry is filed only if its submitter is entitled to its type and has signed it, if its
content verifies, and if it comes in its turn: device lists as a chain, committee keys certified by all their
custodians and behind the shares that they hold, the first seal per tag, ingest roots that grow. Whatever else the log
holds is counted as a leaf and ignored. How the entries get here is ``follower``'s business.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from escrow.capsule.receipt import IngestRoot
from escrow.committee.documents import CommitteeKey, CommitteeProposal, ShareGeneration
from escrow.committee.erasure import ErasureAttestation
from escrow.committee.succession import HandoverProposal, reshared_group
from escrow.e2ee.devices import DeviceList
from escrow.encoding import number, u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.authorised import check_committee_key, check_holders, check_shares, proposal_for
from escrow.roles.filed import Filed
from escrow.roles.handover_orders import BY_COMMITTEE, HandoverOrders, subject_of
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.roles.warrant_ledger import FILED_HERE, SEAL, WarrantLedger
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import dsse
from escrow.warrant.entitlement import CUSTODIAN, ENTITLED
from escrow.warrant.handover_order import HandoverOrder, order_of

LEAVES = "log/leaves"
"""The stream of entries as followed; a record's number is the entry's index in the log."""

END_OF_TIME = 1 << 53
"""A period that retires later than this (ms) can be written into no document."""

_LIST = b"log/list/"
_PROPOSAL = b"log/proposal/"
_HANDOVER = b"log/handover/proposal/"
_KEY = b"log/key/"
_KEY_BY_HASH = b"log/key-hash/"
_GENERATION = b"log/generation/"
_INGEST = b"log/ingest/"
_ERASURE = b"log/erasure/"
_GENERATION_BY_HASH = b"log/generation-hash/"

_NOTHING_LEFT = bytes(32)
"""Stands where an attestation names no generation."""

_SUBJECTS = {
    EntryType.DEVICE_LIST: _LIST,
    EntryType.COMMITTEE_KEY: _KEY,
    EntryType.SHARE_GENERATION: _GENERATION,
    EntryType.HANDOVER_ORDER: BY_COMMITTEE,
    EntryType.WARRANT_SEALED: SEAL,
    EntryType.INGEST_ROOT: _INGEST,
}
"""What can be looked up: by account, or account and version (u64); policy hash and period (u64); committee key hash;
committee key hash and digest of its holders; seal tag; relay key.
"""


@dataclass(frozen=True, slots=True)
class LoggedKey:
    """The committee key that counts for a (policy, period), and its place in the log."""

    index: int
    policy_hash: bytes
    period: int
    key: CommitteeKey


@dataclass(frozen=True, slots=True)
class LoggedRoot:
    """A logged ingest root. Receipts under it, and not under the one before, have times in ``(after_ms, time_ms]``."""

    index: int
    size: int
    root: bytes
    after_ms: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Ledger(WarrantLedger):
    """The register under ``log/`` of a role's state. All state is in the view that is passed in."""

    # -- devices ------------------------------------------------------------------------------

    def device_list(self, view: Read | Draft, account: bytes, before: int | None = None) -> DeviceList | None:
        """The newest list of ``account``; with ``before``, the newest among the entries before that log index."""
        if before is None:
            found = view.last(_LIST + account)
            return None if found is None else DeviceList.decode(unpack(found[1], Filed).payload)
        known = [unpack(value, Filed) for _, value in view.scan(_LIST + account)]
        earlier = [one for one in known if one.index < before]
        return DeviceList.decode(earlier[-1].payload) if earlier else None

    # -- committees ---------------------------------------------------------------------------

    def proposal(self, view: Read | Draft, proposal_hash: bytes) -> CommitteeProposal | None:
        """The logged proposal with that hash, if it is the one that the policy admits for its period."""
        data = view.get(_PROPOSAL + proposal_hash)
        return None if data is None else proposal_for(self.genesis, number(data))

    def committee_key(self, view: Read | Draft, policy_hash: bytes, period: int) -> LoggedKey | None:
        """The first authorised key of a period: the one that counts."""
        data = view.get(_KEY + policy_hash + u64(period))
        if data is None:
            return None
        filed = unpack(data, Filed)
        return LoggedKey(filed.index, policy_hash, period, _committee_key(filed.payload))

    def committee_keys(self, view: Read | Draft) -> Iterator[LoggedKey]:
        """Every key that counts, of whichever period."""
        for place, data in view.scan(_KEY):
            filed, policy_hash, period = unpack(data, Filed), place[len(_KEY) : -8], number(place[-8:])
            yield LoggedKey(filed.index, policy_hash, period, _committee_key(filed.payload))

    def committee_key_by_hash(self, view: Read | Draft, key_hash: bytes) -> LoggedKey | None:
        """The same, found by ``committee_key_hash``."""
        data = view.get(_KEY_BY_HASH + key_hash)
        return None if data is None else self.committee_key(view, data[:32], number(data[32:]))

    def generation(self, view: Read | Draft, key_hash: bytes) -> ShareGeneration | None:
        """The newest authorised share generation of a committee key."""
        found = view.last(_GENERATION + key_hash)
        return None if found is None else ShareGeneration.decode(unpack(found[1], Filed).payload)

    def generation_by_hash(self, view: Read | Draft, generation_hash: bytes) -> ShareGeneration | None:
        """Any share generation that was ever in force."""
        place = view.get(_GENERATION_BY_HASH + generation_hash)
        data = None if place is None else view.get(_GENERATION + place)
        return None if data is None else ShareGeneration.decode(unpack(data, Filed).payload)

    def has_proposed(self, view: Read | Draft, proposal_hash: bytes) -> bool:
        """Whether the log shows a handover proposal with that hash that was admitted."""
        return view.get(_HANDOVER + proposal_hash) is not None

    def successor(self, view: Read | Draft, generation: ShareGeneration) -> ShareGeneration | None:
        """The generation that has followed on another one, if any has."""
        data = view.get(_GENERATION + generation.committee_key_hash + u32(generation.number + 1))
        return None if data is None else ShareGeneration.decode(unpack(data, Filed).payload)

    def erased(self, view: Read | Draft, key_hash: bytes, generation_hash: bytes = b"") -> frozenset[bytes]:
        """The identity keys of those who say that they hold nothing under a committee key, or of a generation."""
        prefix = _ERASURE + key_hash + (generation_hash or _NOTHING_LEFT)
        return frozenset(key[len(prefix) :] for key, _ in view.scan(prefix))

    @property
    def handovers(self) -> HandoverOrders:
        """What the roots have ordered."""
        return HandoverOrders(self.genesis)

    def custodian_keys(self, view: Read | Draft) -> Mapping[str, bytes]:
        """Id -> identity key of every custodian: those of the genesis, and those whom the roots have named since."""
        return self.handovers.custodians(view)

    # -- ingest roots -------------------------------------------------------------------------

    def newest_root(self, view: Read | Draft, relay: bytes) -> LoggedRoot | None:
        """The newest ingest root of a relay."""
        found = view.last(_INGEST + relay)
        return None if found is None else _logged_root(found[1])

    def root_covering(self, view: Read | Draft, relay: bytes, seq: int) -> LoggedRoot | None:
        """The first ingest root that covers the receipt with this ``ingest_seq``; None while none does."""
        prefix = _INGEST + relay
        found = next(view.scan(prefix, after=prefix + u64(seq), limit=1), None)
        return None if found is None else _logged_root(found[1])

    # -- by subject ---------------------------------------------------------------------------

    def index_of(self, view: Read | Draft, entry_type: EntryType, subject: bytes, size: int) -> int | None:
        """The log index of the entry about ``subject`` that counts among the first ``size`` entries.

        That is the newest, but of seals the first. Types that have no subject have no such entry.
        """
        prefix = _SUBJECTS.get(entry_type)
        if prefix is None:
            return None
        last = view.last(prefix + subject)
        if last and entry_type is not EntryType.WARRANT_SEALED and (index := unpack(last[1], Filed).index) < size:
            return index
        known = [unpack(value, Filed).index for _, value in view.scan(prefix + subject)]
        within = [index for index in known if index < size]
        if not within:
            return None
        return within[0] if entry_type is EntryType.WARRANT_SEALED else within[-1]

    # -- filing -------------------------------------------------------------------------------

    def follow(self, draft: Draft, data: bytes, covered_ms: Millis) -> Entry | None:
        """Keep the next entry of the log; file it if it counts, return None if not."""
        try:
            attempt = Draft(draft)
            entry = self.file(attempt, data, covered_ms)
        except (MalformedError, RefusedError):
            draft.append(LEAVES, data)
            return None
        draft.absorb(attempt)
        return entry

    def file(self, draft: Draft, data: bytes, covered_ms: Millis) -> Entry:
        """Keep and file the next entry; raise ``MalformedError`` or ``RefusedError`` if it does not count."""
        entry = Entry.decode(data)
        _require(self._entitled(draft, entry), Reason.ENTRY_REFUSED)
        entry.verify(self.genesis.log.origin)
        index = draft.append(LEAVES, data)
        self._file_content(draft, entry, Filed(index, covered_ms, entry.payload))
        return entry

    def _entitled(self, draft: Draft, entry: Entry) -> bool:
        if self.genesis.entitled(entry.type, entry.submitter):
            return True
        return CUSTODIAN in ENTITLED[entry.type] and self.handovers.names(draft, entry.submitter)

    def _not_before(self, draft: Draft, covered_ms: Millis) -> int:  # noqa: ARG002 - followers ask the draft
        """Before which time (ms) the entry that is filed now was certainly not logged: who logs it, knows."""
        return covered_ms

    def _file_content(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        match entry.type:
            case EntryType.DEVICE_LIST:
                self._file_device_list(draft, entry, filed)
            case EntryType.INGEST_ROOT:
                self._file_ingest_root(draft, entry, filed)
            case kind if kind in FILED_HERE:
                self.file_about_warrant(draft, entry, filed)
            case _:
                self._file_custody(draft, entry, filed)

    def _file_custody(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        match entry.type:
            case EntryType.COMMITTEE_PROPOSAL:
                self._file_proposal(draft, entry)
            case EntryType.COMMITTEE_KEY:
                self._file_committee_key(draft, filed)
            case EntryType.HANDOVER_ORDER:
                self._file_order(draft, entry, filed)
            case EntryType.HANDOVER_CANCELLATION:
                self.handovers.cancel(draft, entry.payload, filed.index)
            case EntryType.HANDOVER_PROPOSAL:
                self._check_handover(draft, HandoverProposal.decode(entry.payload), filed)
            case EntryType.SHARE_GENERATION:
                self._file_generation(draft, filed)
            case EntryType.ERASURE:
                self._file_erasure(draft, entry, filed)
            case _:
                pass  # nothing to look up; whoever reads this type takes it from the entry itself

    def _file_device_list(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        new = DeviceList.decode(entry.payload)
        _require(new.account_key == entry.submitter, Reason.ENTRY_REFUSED)
        new.check_follows(self.device_list(draft, new.account))
        draft.put(_LIST + new.account + u64(new.version), pack(filed))

    def _file_committee_key(self, draft: Draft, filed: Filed) -> None:
        proposal = self.proposal(draft, CommitteeKey.decode(filed.payload).proposal_hash)
        if proposal is None:
            raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "nobody has proposed this committee")
        key = check_committee_key(self.genesis, proposal.period, filed.payload)
        # Otherwise whoever completes the certificate could make a key count and keep back who holds it.
        _require(self.generation(draft, key.hash), Reason.COMMITTEE_UNAUTHORISED)
        place = proposal.policy_hash + u64(proposal.period)
        _require(draft.get(_KEY + place) is None, Reason.COMMITTEE_UNAUTHORISED)
        draft.put(_KEY + place, pack(filed))
        draft.put(_KEY_BY_HASH + key.hash, place)

    def _file_generation(self, draft: Draft, filed: Filed) -> None:
        generation = ShareGeneration.decode(filed.payload)
        if generation.number:
            self._check_successor(draft, generation, filed)
        else:
            check_holders(self.genesis, filed.payload)
        place = generation.committee_key_hash + u32(generation.number)
        _require(draft.get(_GENERATION + place) is None, Reason.COMMITTEE_UNAUTHORISED)
        draft.put(_GENERATION + place, pack(filed))
        draft.put(_GENERATION_BY_HASH + generation.hash, place)

    def _check_successor(self, draft: Draft, generation: ShareGeneration, filed: Filed) -> None:
        logged = self.committee_key_by_hash(draft, generation.committee_key_hash)
        before = self.generation(draft, generation.committee_key_hash)
        if logged is None or before is None or generation.number != before.number + 1:
            raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the generation does not follow the one before it")
        # SPEC HND-10: a refresh needs nobody's leave; other members or another threshold need the roots'.
        if not _same_committee(generation, before):
            self._check_ordered(self.handovers.in_force(draft, before), generation, filed)
        check_shares(self.genesis, logged.key, generation)
        self.handovers.carried_out(draft, before, generation)

    def _check_ordered(
        self, order: HandoverOrder | None, wanted: ShareGeneration | HandoverProposal, filed: Filed
    ) -> None:
        if order is None or order.committee != (wanted.members, wanted.threshold):
            raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "no order of the roots names these holders")
        # SPEC HND-13: nothing follows from an order before its time.
        _require(self.handovers.in_effect(order, filed.covered_ms), Reason.NOT_IN_EFFECT)

    def _file_proposal(self, draft: Draft, entry: Entry) -> None:
        proposal = CommitteeProposal.decode(entry.payload)
        _require(self.genesis.policy.retire_at(proposal.period) < END_OF_TIME, Reason.COMMITTEE_UNAUTHORISED)
        _require(proposal == proposal_for(self.genesis, proposal.period), Reason.COMMITTEE_UNAUTHORISED)
        draft.put(_PROPOSAL + proposal.hash, u64(proposal.period))

    def _check_handover(self, draft: Draft, proposal: HandoverProposal, filed: Filed) -> None:
        """A handover begins if the generation that it names is in force, and the next may have the members it names."""
        before = self.generation_by_hash(draft, proposal.generation_hash)
        newest = before and self.generation(draft, before.committee_key_hash)
        if before is None or newest is None or newest.hash != proposal.generation_hash:
            raise RefusedError(Reason.GENERATION_MISMATCH)
        _require(proposal.suite == self.genesis.policy.suite, Reason.COMMITTEE_UNAUTHORISED)
        reshared_group(proposal.suite)
        order = self.handovers.in_force(draft, before)
        # A refresh would end the generation that the roots have ordered to be handed over: it waits.
        if order is not None or not _same_committee(proposal, before):
            self._check_ordered(order, proposal, filed)
        draft.put(_HANDOVER + proposal.hash, b"")

    def _file_order(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        order, _ = order_of(dsse.Envelope.parse(entry.payload), self.genesis)
        logged, newest = self.committee_key_by_hash(draft, order.key_hash), self.generation(draft, order.key_hash)
        _require(logged and order.effective_at < logged.key.retire_at, Reason.PERIOD_RETIRED)
        after = self._not_before(draft, Millis(filed.covered_ms))
        if self.handovers.file(draft, entry.payload, entry.submitter, filed.index, newest, after):
            draft.put(BY_COMMITTEE + subject_of(order) + u64(filed.index), pack(filed))

    def _file_erasure(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        said = ErasureAttestation.decode(entry.payload)
        logged = self.committee_key_by_hash(draft, said.committee_key_hash)
        _require(logged, Reason.COMMITTEE_UNKNOWN)
        # SPEC ERA-3: nobody is done with a period before its end, nor with a generation before the next is in force.
        if said.final:
            _require(logged and said.time >= logged.key.retire_at, Reason.ENTRY_REFUSED)
        else:
            before = self.generation_by_hash(draft, said.generation_hash)
            newest = self.generation(draft, said.committee_key_hash)
            _require(before and newest and before.committee_key_hash == newest.committee_key_hash
                     and before.number < newest.number, Reason.ENTRY_REFUSED)  # fmt: skip
        place = _ERASURE + said.committee_key_hash + (said.generation_hash or _NOTHING_LEFT) + entry.submitter
        _require(draft.get(place) is None, Reason.ENTRY_REFUSED)
        draft.put(place, pack(filed))

    def _file_ingest_root(self, draft: Draft, entry: Entry, filed: Filed) -> None:
        new = IngestRoot.decode(entry.payload)
        _require(new.relay == entry.submitter, Reason.ENTRY_REFUSED)
        before = self.newest_root(draft, new.relay)
        if before is not None:
            _require(before.size < new.size and before.time_ms < new.time, Reason.RECEIPT_INVALID)
            filed = Filed(filed.index, filed.covered_ms, filed.payload, before.time_ms)
        draft.put(_INGEST + new.relay + u64(new.size), pack(filed))


@lru_cache(maxsize=64)
def _committee_key(payload: bytes) -> CommitteeKey:
    """There are few, they never change, and every message asks for one."""
    return CommitteeKey.decode(payload)


def _same_committee(one: ShareGeneration | HandoverProposal, other: ShareGeneration) -> bool:
    return (one.members, one.threshold) == (other.members, other.threshold)


def _require(holds: object, reason: Reason) -> None:
    if not holds:
        raise RefusedError(reason)


def _logged_root(data: bytes) -> LoggedRoot:
    filed = unpack(data, Filed)
    root = IngestRoot.decode(filed.payload)
    return LoggedRoot(filed.index, root.size, root.root, filed.after_ms, root.time)
