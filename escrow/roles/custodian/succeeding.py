"""How a custodian takes part in a handover: it feeds the log to ``committee.handover`` and does what that says.

A handover begins where the log shows an admitted proposal while none is in progress, so it begins at the same place for
everybody. What the roots have ordered is proposed by whoever holds a share, when its time has come, and again after a
while if nothing came of it. The old share is in force, and kept, until the log shows the next generation; every share
of a generation that was acknowledged is kept until then, too, because only the log decides which one that is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from escrow.committee import handover
from escrow.committee.documents import ShareGeneration
from escrow.committee.handover import HandoverState, Me
from escrow.committee.messages import Abandoned, Kind, Renewed, ToLog, ToMember
from escrow.committee.resharing import Resharing
from escrow.committee.succession import HandoverProposal, reshared_group
from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey
from escrow.encoding import u64
from escrow.errors import BehindError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.calls import DeliverDealing
from escrow.roles.custodian.state import (
    ERASING,
    HANDOVER,
    MADE,
    SUCCESSOR,
    TRIED,
    Holding,
    load_holding,
    load_number,
    save_holding,
    save_number,
)
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis
from escrow.warrant.handover_order import cancellation_of

AGAIN = 600_000
"""How long after a handover was tried the roots' order is tried again, ms: somebody new may have been late."""

_KINDS = {EntryType[kind.name]: kind for kind in Kind if kind.of_handover}


@dataclass(frozen=True, slots=True)
class Succeeding:
    """The part of a custodian that passes shares on. All state is in the draft that is passed in."""

    follower: Follower
    identity: SigningKey

    @property
    def genesis(self) -> Genesis:
        """The deployment."""
        return self.follower.genesis

    def propose(self, draft: Draft, period: int, now: Millis, coins: Coins) -> None:
        """Ask for a refresh of the shares of ``period``.

        ``NO_COMMITTEE_KEY`` or ``PERIOD_RETIRED`` if there are none; ``SUITE_MISMATCH`` if they stay where they are.
        """
        reshared_group(self.genesis.policy.suite)
        logged = self.follower.committee_key(draft, self.genesis.policy.hash, period)
        before = None if logged is None else self.follower.generation(draft, logged.key.hash)
        if before is None:
            raise RefusedError(Reason.NO_COMMITTEE_KEY)
        if now >= self.genesis.policy.retire_at(period):
            raise RefusedError(Reason.PERIOD_RETIRED)
        suite, nonce = self.genesis.policy.suite, coins.take("handover", 16)
        proposal = HandoverProposal(suite, before.hash, before.members, before.threshold, nonce)
        owe_entry(draft, self.genesis, self.identity, EntryType.HANDOVER_PROPOSAL, proposal.encode())

    def on_entries(self, draft: Draft, entries: Iterable[tuple[int, Entry]], now: Millis, coins: Coins) -> None:
        """Take newly followed entries, in log order."""
        for index, entry in entries:
            if entry.type is EntryType.HANDOVER_PROPOSAL:
                self._begin(draft, index, HandoverProposal.decode(entry.payload), now, coins)
            elif entry.type is EntryType.SHARE_GENERATION:
                self._succeed(draft, ShareGeneration.decode(entry.payload), entry.payload)
            elif entry.type is EntryType.HANDOVER_CANCELLATION:
                self._give_up(draft, cancellation_of(entry.payload, self.genesis))
            elif entry.type in _KINDS:
                for key, data in list(draft.scan(HANDOVER)):
                    state, said = unpack(data, HandoverState), (_KINDS[entry.type], entry.submitter, entry.payload)
                    self._carry_out(draft, key, handover.on_entry(state, self._me(draft, key), *said, now))

    def on_tick(self, draft: Draft, now: Millis, coins: Coins) -> None:
        """Name who is silent, and begin what the roots have ordered."""
        for key, data in list(draft.scan(HANDOVER)):
            state = unpack(data, HandoverState)
            step = handover.on_tick(state, now)
            if step[0] is not state:
                self._carry_out(draft, key, step)

        for _, key_hash in list(draft.scan(MADE)):
            self._obey(draft, key_hash, now, coins)

    def _obey(self, draft: Draft, key_hash: bytes, now: Millis, coins: Coins) -> None:
        holding, newest = load_holding(draft, key_hash), self.follower.generation(draft, key_hash)
        head = self.follower.head(draft)
        if holding is None or holding.share is None or newest is None or head is None:
            return
        order = self.follower.handovers.in_force(draft, newest)
        # Behind a head of its time the proposal is in effect for everybody who sees it.
        if order is None or min(head.time_ms, now) < order.effective_at:
            return
        place = TRIED + newest.hash
        if draft.get(HANDOVER + key_hash) is None and (draft.get(place) is None or now >= load_number(draft, place)):
            save_number(draft, place, now + AGAIN)
            suite, nonce = self.genesis.policy.suite, coins.take("handover", 16)
            proposal = HandoverProposal(suite, newest.hash, *order.committee, nonce)
            owe_entry(draft, self.genesis, self.identity, EntryType.HANDOVER_PROPOSAL, proposal.encode())

    def on_dealing(self, draft: Draft, caller: Party, call: DeliverDealing) -> bool:
        """Take a ciphertext from another member; False if it is of no handover that the log shows.

        ``BehindError`` if it comes from one who can only deal in a handover, of which our log does not show this one.
        """
        sender = self.follower.custodian_keys(draft).get(caller)
        for key, data in list(draft.scan(HANDOVER)):
            state = unpack(data, HandoverState)
            record = state.record
            if (record.proposal.hash, record.place) != (call.proposal_hash, call.run):
                continue
            if sender is None or sender not in record.before.members:
                raise RefusedError(Reason.PERMISSION_DENIED, "only members deal")
            index = record.before.members.index(sender) + 1
            self._carry_out(draft, key, handover.on_ciphertext(state, self._me(draft, key), index, call.ciphertext))
            return True
        if self.follower.has_proposed(draft, call.proposal_hash):
            return True  # it comes too late: that one is over, or another one came before it
        if sender is not None and caller not in self.genesis.policy.custodians:
            raise BehindError(Reason.LOG_STALE, "a dealing of a handover that has not begun here")
        return False

    def _begin(self, draft: Draft, index: int, proposal: HandoverProposal, now: Millis, coins: Coins) -> None:
        before = self.follower.generation_by_hash(draft, proposal.generation_hash)
        logged = None if before is None else self.follower.committee_key_by_hash(draft, before.committee_key_hash)
        if before is None or logged is None:
            raise AssertionError("a proposal that was filed is of a generation that was")
        place = HANDOVER + before.committee_key_hash
        if draft.get(place) is not None or now >= self.genesis.policy.retire_at(logged.period):
            return
        save_number(draft, TRIED + before.hash, now + AGAIN)
        if self.identity.public not in {*before.members, *proposal.members}:
            return
        record = Resharing.begin(proposal, before, logged.key.public, index)
        fresh = coins.take(f"handover/{index}", 32)
        self._carry_out(draft, place, handover.begin(self._me(draft, place), record, now, fresh))

    def _me(self, draft: Draft, place: bytes) -> Me:
        holding = load_holding(draft, place[len(HANDOVER) :])
        return Me(self.identity, None if holding is None else holding.share)

    def _carry_out(self, draft: Draft, place: bytes, step: handover.Step) -> None:
        state, outputs = step
        draft.put(place, pack(state))
        if state.share is not None:
            draft.put(SUCCESSOR + place[len(HANDOVER) :] + state.record.outcome.hash, state.share.expose())
        for output in outputs:
            match output:
                case ToLog(kind, payload):
                    if kind.follows_erasure:
                        draft.scrub()
                    owe_entry(draft, self.genesis, self.identity, EntryType[kind.name], payload)
                case ToMember(index, ciphertext):
                    record = state.record
                    call = DeliverDealing(record.proposal.hash, record.place, ciphertext)
                    party = self._party(draft, record.proposal.members[index - 1])
                    if party is not None:  # or the next entry that we read cancels the order that names it
                        draft.owe(party, call)
                case Renewed() | Abandoned():
                    draft.delete(place)
                    draft.scrub()

    def _give_up(self, draft: Draft, order_hash: bytes) -> None:
        """The roots' order is cancelled: the handover that follows from it ends, and the old shares stay.

        A share that we have acknowledged stays, too: the roots may order the same again, and the log may then show it.
        """
        attempt = self.follower.handovers.attempt(draft, order_hash)
        if attempt is None:
            raise AssertionError("what is cancelled was ordered")
        order = attempt.order(self.genesis)
        place = HANDOVER + order.key_hash
        data = draft.get(place)
        if data is not None and unpack(data, HandoverState).record.committee == order.committee:
            draft.delete(place)
            draft.scrub()

    def _succeed(self, draft: Draft, generation: ShareGeneration, payload: bytes) -> None:
        """The log shows the next generation: it is in force, and all shares that are not of it are erased."""
        key_hash = generation.committee_key_hash
        holding, kept = load_holding(draft, key_hash), draft.get(SUCCESSOR + key_hash + generation.hash)
        if not generation.number:
            return
        # SPEC HND-11: an old share is erased when the log shows that all have new ones, and not before.
        if holding is not None and holding.share is not None:
            save_holding(draft, key_hash, replace(holding, share=None))
            draft.put(ERASING + key_hash + holding.generation.hash, b"")
        if kept is not None:
            self._take_office(draft, holding, generation, payload, Secret(kept))
        for prefix in (HANDOVER, SUCCESSOR):
            for place, _ in list(draft.scan(prefix + key_hash)):
                draft.delete(place)
        draft.scrub()

    def _take_office(
        self, draft: Draft, holding: Holding | None, generation: ShareGeneration, payload: bytes, share: Secret
    ) -> None:
        """Keep the share of the generation in force; who had none before gets all that goes with one."""
        key_hash, index = generation.committee_key_hash, generation.members.index(self.identity.public) + 1
        if holding is None:
            logged = self.follower.committee_key_by_hash(draft, key_hash)
            if logged is None:
                raise AssertionError("no generation counts before its key does")
            draft.put(MADE + u64(logged.period), key_hash)
            holding = Holding(logged.period, 0, index, logged.key.encode(), payload, None)
        save_holding(draft, key_hash, replace(holding, index=index, generation_bytes=payload, share=share))

    def _party(self, draft: Draft, member: bytes) -> Party | None:
        names = (name for name, key in self.follower.custodian_keys(draft).items() if key == member)
        return next(map(Party, names), None)
