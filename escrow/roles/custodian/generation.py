"""How a custodian helps to make the committee's key: it feeds the log to ``committee.dkg`` and does what that says.

There is no coordinator. A run begins where the log shows the period's proposal, so all custodians begin at the same
place; who puts the proposal there does not matter. An aborted run is followed by the next, with the same members. Any
custodian may propose any period, which costs the others work and them their name in the log.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import replace

from escrow.committee import dkg
from escrow.committee.dkg import DkgState
from escrow.committee.documents import CommitteeKey, CommitteeProposal
from escrow.committee.messages import Aborted, Finished, Kind, Output, ToLog, ToMember
from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u64
from escrow.errors import BehindError, EscrowError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.authorised import proposal_for
from escrow.roles.calls import CommitteeStatus, DeliverDealing
from escrow.roles.custodian.state import CERTIFIED, MADE, RUN, Holding, forget_holding, load_holding, save_holding
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis

_PROPOSED = b"proposed/"

_KINDS = {EntryType[kind.name]: kind for kind in Kind}


@dataclass(frozen=True, slots=True)
class KeyMaking:
    """Custodian ``index`` (1..n) with its identity key. All state is in the draft that is passed in."""

    follower: Follower
    index: int
    identity: SigningKey

    @property
    def genesis(self) -> Genesis:
        """The deployment."""
        return self.follower.genesis

    def on_entries(self, draft: Draft, entries: Iterable[tuple[int, Entry]], now: Millis, coins: Coins) -> None:
        """Take newly followed entries, in log order."""
        relevant = [entry for _, entry in entries if entry.type in _KINDS or entry.type is EntryType.COMMITTEE_PROPOSAL]
        if not relevant:
            return
        runs = {number(key[len(RUN) :]): unpack(data, DkgState) for key, data in draft.scan(RUN)}
        for entry in relevant:
            if entry.type is EntryType.COMMITTEE_PROPOSAL:
                period = CommitteeProposal.decode(entry.payload).period
                over = now >= self.genesis.policy.retire_at(period)
                if not over and period not in runs and draft.get(MADE + u64(period)) is None:
                    runs[period] = self._begin(draft, period, 0, now, coins)
                continue
            if entry.type is EntryType.COMMITTEE_KEY:
                settled = self._settle(draft, entry.payload)
                runs.pop(settled, None)
                draft.delete(RUN + u64(settled))
                continue
            for period, state in list(runs.items()):
                step = dkg.on_entry(state, self.identity, _KINDS[entry.type], entry.submitter, entry.payload, now)
                runs[period] = self._carry_out(draft, period, step, now, coins)
        for period, state in runs.items():
            self._keep(draft, period, state)

    def on_tick(self, draft: Draft, now: Millis, coins: Coins) -> None:
        """Propose what is due, and name who is silent."""
        for key, data in list(draft.scan(RUN)):
            period, state = number(key[len(RUN) :]), unpack(data, DkgState)
            after = self._carry_out(draft, period, dkg.on_tick(state, now), now, coins)
            if after != state:
                self._keep(draft, period, after)
        for period in self._due(now):
            if not self._known(draft, period) and self._fresh(draft, now):
                draft.put(_PROPOSED + u64(period), b"")
                proposal = proposal_for(self.genesis, period).encode()
                owe_entry(draft, self.genesis, self.identity, EntryType.COMMITTEE_PROPOSAL, proposal)

    def on_dealing(self, draft: Draft, caller: Party, call: DeliverDealing, now: Millis, coins: Coins) -> None:
        """Take a ciphertext from another member; ``BehindError`` if our log does not show the run that it is of."""
        members = self.genesis.policy.custodians
        if caller not in members:
            raise RefusedError(Reason.PERMISSION_DENIED, "only members deal")
        for key, data in list(draft.scan(RUN)):
            period, state = number(key[len(RUN) :]), unpack(data, DkgState)
            if state.record.proposal.hash != call.proposal_hash:
                continue
            if call.run > state.record.run:
                raise BehindError(Reason.LOG_STALE, "a dealing of a run that has not begun here")
            if call.run == state.record.run:
                step = dkg.on_ciphertext(state, self.identity, members.index(caller) + 1, call.ciphertext)
                self._keep(draft, period, self._carry_out(draft, period, step, now, coins))
            return
        if self.follower.proposal(draft, call.proposal_hash) is None:
            raise BehindError(Reason.LOG_STALE, "a dealing of a committee that nobody has proposed here")

    def status(self, view: Read | Draft, now: Millis) -> CommitteeStatus:
        """The committee key and generation that serve at ``now``."""
        for period in self._due(now)[:1]:
            key_hash = view.get(MADE + u64(period))
            holding = None if key_hash is None else load_holding(view, key_hash)
            if holding is not None and holding.share is not None:
                return CommitteeStatus(holding.key_bytes, holding.generation_bytes, holding.run)
            state = view.get(RUN + u64(period))
            if state is not None:
                return CommitteeStatus(b"", b"", unpack(state, DkgState).record.run)
        return CommitteeStatus(b"", b"", 0)

    def _due(self, now: Millis) -> list[int]:
        """The running period, and in its last quarter the next: its key must exist before its first message."""
        policy = self.genesis.policy
        if now < policy.epoch_origin:
            return []
        period = policy.period_of(policy.epoch_of(now))
        start, end = policy.period_bounds(period)
        return [period, period + 1] if 4 * (end - now) <= end - start else [period]

    def _known(self, draft: Draft, period: int) -> bool:
        made = self.follower.committee_key(draft, self.genesis.policy.hash, period)
        return made is not None or any(draft.get(key + u64(period)) is not None for key in (_PROPOSED, RUN, MADE))

    def _fresh(self, draft: Draft, now: Millis) -> bool:
        try:
            self.follower.require_fresh(draft, now)
        except EscrowError:
            return False
        return True

    def _begin(self, draft: Draft, period: int, run: int, now: Millis, coins: Coins) -> DkgState:
        proposal = proposal_for(self.genesis, period)
        retire_at = self.genesis.policy.retire_at(period)
        fresh = coins.take(f"run/{period}/{run}", 32)
        step = dkg.begin(self.identity, self.index, proposal, run, retire_at, now, fresh)
        return self._carry_out(draft, period, step, now, coins)

    def _carry_out(self, draft: Draft, period: int, step: dkg.Step, now: Millis, coins: Coins) -> DkgState:
        """Do what the run says, and return its state: that of the next run if this one has failed."""
        state, outputs = step
        if state.share is not None:
            self._remember(draft, period, state, state.share)
        for output in outputs:
            if isinstance(output, Aborted):
                draft.scrub()
                return self._begin(draft, period, output.run + 1, now, coins)
            self._do(draft, period, state, output)
        return state

    def _do(self, draft: Draft, period: int, state: DkgState, output: Output) -> None:
        match output:
            case ToLog(kind, payload):
                if kind.follows_erasure:
                    # SPEC ERA-4: what the step has erased is in no journal when the entry leaves.
                    draft.scrub()
                owe_entry(draft, self.genesis, self.identity, EntryType[kind.name], payload)
            case ToMember(index, ciphertext):
                record = state.record
                call = DeliverDealing(record.proposal.hash, record.run, ciphertext)
                draft.owe(Party(self.genesis.policy.custodians[index - 1]), call)
            case Finished(key, generation, index, share):
                key_hash = CommitteeKey.decode(key).hash
                draft.put(MADE + u64(period), key_hash)
                save_holding(draft, key_hash, Holding(period, state.record.run, index, key, generation, share))

    def _keep(self, draft: Draft, period: int, state: DkgState) -> None:
        place = RUN + u64(period)
        if draft.get(MADE + u64(period)) is None:
            draft.put(place, pack(state))
        else:
            draft.delete(place)

    def _remember(self, draft: Draft, period: int, state: DkgState, share: Secret) -> None:
        """Keep the share of a key that we certify, whatever becomes of the run.

        Once all the others have certified it too, the last custodian alone decides when the key is complete, and may
        show it after the run was given up. The first key in the log counts, so we must be able to serve it.
        """
        key, generation = state.record.outcome.key, state.record.outcome.generation
        holding = Holding(period, state.record.run, state.index, key.encode(), generation.encode(), share)
        draft.put(CERTIFIED + u64(period) + key.hash, pack(holding))

    def _settle(self, draft: Draft, payload: bytes) -> int:
        """The log shows the key of a period: serve that one, and forget the others."""
        key = CommitteeKey.decode(payload)
        logged = self.follower.committee_key_by_hash(draft, key.hash)
        if logged is None:
            raise AssertionError("a key that was followed is filed")
        certified = dict(draft.scan(CERTIFIED + u64(logged.period)))
        ours = certified.get(CERTIFIED + u64(logged.period) + key.hash)
        made = draft.get(MADE + u64(logged.period))
        if ours is not None and made != key.hash:
            generation = self.follower.generation(draft, key.hash)
            if generation is None:
                raise AssertionError("no key counts before its shares do")
            holding = unpack(ours, Holding)
            encoded = generation.encode()
            save_holding(draft, key.hash, replace(holding, key_bytes=payload, generation_bytes=encoded))
            draft.put(MADE + u64(logged.period), key.hash)
            if made is not None:
                forget_holding(draft, made)
        for place in certified:
            draft.delete(place)
        return logged.period
