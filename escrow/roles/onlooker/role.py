"""The machine of an onlooker: it follows the log and keeps the public record of every key generation and handover.

==============  ========================================================================
``log/``        the followed log
``dkg/``        ``Runs`` by period: the newest run, and how those before it ended
``handover/``   ``Resharing`` by committee key hash: the newest, whether it has ended or not
==============  ========================================================================
"""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec import Struct

from escrow.committee.documents import CommitteeProposal
from escrow.committee.messages import Kind
from escrow.committee.record import Record
from escrow.committee.record import Stage as RunStage
from escrow.committee.resharing import Resharing, Stage
from escrow.committee.succession import HandoverProposal
from escrow.encoding import u64
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import GetUpdate
from escrow.roles.follower import Follower
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Writes
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis
from escrow.warrant.handover_order import cancellation_of

_DKG = b"dkg/"
_HANDOVER = b"handover/"
_KINDS = {EntryType[kind.name]: kind for kind in Kind}


class Runs(Struct, frozen=True):
    """The key generation of a period."""

    record: Record
    failed: tuple[tuple[str, int], ...] = ()
    """(name of the reason, index of the culprit) of each run before."""


@dataclass(frozen=True, slots=True)
class Onlooker:
    """See the module. It answers nobody; whoever runs it reads its state."""

    genesis: Genesis

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:  # noqa: ARG002
        """See ``Role``."""
        draft = Draft(view)
        match event:
            case Answered(todo, reply) if isinstance(todo.call, GetUpdate):
                self._take(draft, self.follower.on_update(draft, todo, reply, now))
            case Answered(todo, _):
                draft.settle(todo)
            case CatchUp() | Tick():
                self.follower.catch_up(draft, now, asked=True)
            case Called():
                raise RefusedError(Reason.PERMISSION_DENIED, "an onlooker answers nobody")
        return draft.writes(), None

    @property
    def follower(self) -> Follower:
        """The log as it is followed."""
        return Follower(self.genesis)

    def _take(self, draft: Draft, entries: Iterable[tuple[int, Entry]]) -> None:
        for index, entry in entries:
            if entry.type is EntryType.COMMITTEE_PROPOSAL:
                self._begin_run(draft, CommitteeProposal.decode(entry.payload))
            elif entry.type is EntryType.HANDOVER_PROPOSAL:
                self._begin_handover(draft, index, HandoverProposal.decode(entry.payload))
            elif entry.type is EntryType.HANDOVER_CANCELLATION:
                self._give_up(draft, cancellation_of(entry.payload, self.genesis))
            elif entry.type in _KINDS:
                self._go_on(draft, _KINDS[entry.type], entry)

    def _begin_run(self, draft: Draft, proposal: CommitteeProposal) -> None:
        place = _DKG + u64(proposal.period)
        if draft.get(place) is None:
            retire_at = self.genesis.policy.retire_at(proposal.period)
            draft.put(place, pack(Runs(Record.begin(proposal, 0, retire_at))))

    def _begin_handover(self, draft: Draft, index: int, proposal: HandoverProposal) -> None:
        before = self.follower.generation_by_hash(draft, proposal.generation_hash)
        logged = None if before is None else self.follower.committee_key_by_hash(draft, before.committee_key_hash)
        if before is None or logged is None:
            raise AssertionError("a proposal that was filed is of a generation that was")
        known = handover_of(draft, before.committee_key_hash)
        if known is None or known.stage >= Stage.FINISHED or known.proposal.generation_hash != before.hash:
            record = Resharing.begin(proposal, before, logged.key.public, index)
            draft.put(_HANDOVER + before.committee_key_hash, pack(record))

    def _give_up(self, draft: Draft, order_hash: bytes) -> None:
        attempt = self.follower.handovers.attempt(draft, order_hash)
        if attempt is None:
            raise AssertionError("what is cancelled was ordered")
        order = attempt.order(self.genesis)
        record = handover_of(draft, order.key_hash)
        if record is not None and record.committee == order.committee and record.stage < Stage.FINISHED:
            draft.delete(_HANDOVER + order.key_hash)

    def _go_on(self, draft: Draft, kind: Kind, entry: Entry) -> None:
        for place, data in list(draft.scan(_DKG)):
            runs = unpack(data, Runs)
            record = runs.record.after(kind, entry.submitter, entry.payload)
            if record.stage is RunStage.ABORTED and record.verdict is not None:
                # As every custodian does: the next run begins where the one before it ends.
                following = Record.begin(record.proposal, record.run + 1, record.retire_at)
                draft.put(place, pack(Runs(following, (*runs.failed, record.verdict))))
            elif record is not runs.record:
                draft.put(place, pack(Runs(record, runs.failed)))
        for place, data in list(draft.scan(_HANDOVER)):
            before = unpack(data, Resharing)
            after = before.after(kind, entry.submitter, entry.payload)
            if after is not before:
                draft.put(place, pack(after))


def runs_of(view: Read | Draft, period: int) -> Runs | None:
    """The key generation of a period, if anybody has proposed one."""
    data = view.get(_DKG + u64(period))
    return None if data is None else unpack(data, Runs)


def handover_of(view: Read | Draft, key_hash: bytes) -> Resharing | None:
    """The newest handover of a committee key."""
    data = view.get(_HANDOVER + key_hash)
    return None if data is None else unpack(data, Resharing)
