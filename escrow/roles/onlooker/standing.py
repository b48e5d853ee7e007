"""How a ceremony of the custodians stands: who has done what is needed of how many, who is missing, and for what.

A function of the followed log and, where a time has to come, of the clock. Every attempt has a nonce, 16 bytes in
hexadecimal digits: what somebody signs or looks at is this attempt, and no other that has taken its place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, unique

from msgspec import Struct
from msgspec.structs import replace

from escrow.committee.documents import ShareGeneration
from escrow.committee.record import Stage as RunStage
from escrow.committee.resharing import Resharing, Side, Stage
from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.ids import Millis
from escrow.roles.follower import Follower
from escrow.roles.handover_orders import Attempt
from escrow.roles.ledger import LoggedKey
from escrow.roles.machine import Read
from escrow.roles.onlooker.role import handover_of, runs_of
from escrow.warrant.genesis import Genesis
from escrow.warrant.handover_order import HandoverOrder


@unique
class State(StrEnum):
    """Where an attempt is."""

    NONE = "none"
    """Nobody has begun one."""
    SIGNING = "signing"
    """Roots are missing."""
    WAITING = "waiting"
    """Its time has not come."""
    RUNNING = "running"
    """Custodians are at work."""
    ERASING = "erasing"
    """The outcome stands; some have not said yet that they have erased what it replaces."""
    FAILED = "failed"
    """It came to nothing, and nothing has changed."""
    CANCELLED = "cancelled"
    DONE = "done"


class Standing(Struct, frozen=True):
    """``done`` of ``needed`` have done what ``awaits`` names; ``missing`` have not."""

    ceremony: str
    period: int
    nonce: str
    state: State
    awaits: str = ""
    done: int = 0
    needed: int = 0
    missing: tuple[str, ...] = ()
    holders: tuple[str, ...] = ()
    """Who holds the shares, or will."""
    threshold: int = 0
    generation: int = 0
    effective_at: int = 0
    reason: str = ""
    culprits: tuple[str, ...] = ()

    def require_done(self) -> None:
        """``CEREMONY_UNFINISHED`` unless it has come to its end."""
        if self.state is not State.DONE:
            raise UnavailableError(Reason.CEREMONY_UNFINISHED, f"{self.ceremony} of period {self.period}: {self.state}")

    def require_nonce(self, nonce: str) -> None:
        """``CEREMONY_STALE`` if it is another attempt; an empty nonce means whichever there is."""
        if nonce and nonce != self.nonce:
            raise RefusedError(Reason.CEREMONY_STALE, f"the attempt is {self.nonce or 'not begun'}")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a followed log, at ``now``."""

    genesis: Genesis
    view: Read
    now: Millis

    # -- key generation -----------------------------------------------------------------------

    def key_generation(self, ceremony: str, period: int) -> Standing:
        """The key of a period: begun by a proposal, made by the custodians' machines, done when the log shows it."""
        runs, policy = runs_of(self.view, period), self.genesis.policy
        common = Standing(
            ceremony, period, "", State.NONE, needed=policy.n, holders=policy.custodians, threshold=policy.t
        )
        if runs is None:
            return common
        reason, culprit = runs.failed[-1] if runs.failed else ("", 0)
        culprits = (policy.custodians[culprit - 1],) if culprit else ()
        common = replace(common, nonce=runs.record.session[:16].hex(), reason=reason, culprits=culprits)
        if self._ledger.committee_key(self.view, policy.hash, period) is not None:
            return replace(common, state=State.DONE, done=policy.n)
        if runs.record.stage >= RunStage.FINISHED:
            return replace(common, state=State.RUNNING, awaits="the log", done=policy.n)
        missing = tuple(name for index, name in enumerate(policy.custodians, 1) if runs.record.owes(index))
        done, awaits = policy.n - len(missing), runs.record.stage.name
        return replace(common, state=State.RUNNING, awaits=awaits, done=done, missing=missing)

    # -- handover -----------------------------------------------------------------------------

    def handover(self, period: int, nonce: str = "") -> Standing:
        """The attempt with that nonce, or the newest one; ``NO_COMMITTEE_KEY``, ``CEREMONY_STALE``."""
        logged = self._logged(period)
        orders = [(one, one.order(self.genesis)) for one in self._ledger.handovers.attempts(self.view)]
        ordered = [each for each in orders if each[1].key_hash == logged.key.hash and nonce in ("", each[1].nonce)]
        record = handover_of(self.view, logged.key.hash)
        # A handover that no order is about is a refresh, and an attempt of its own.
        subject = None if record is None else (record.before.hash.hex(), record.committee)
        refresh = record is not None and subject not in [(order.generation, order.committee) for _, order in orders]
        if ordered and (nonce or record is None or not refresh or record.place < ordered[-1][0].begun):
            return self._ordered(period, *ordered[-1], record)
        found = Standing("handover", period, "", State.NONE)
        if record is not None:
            found = self._at_work(replace(found, nonce=record.proposal.nonce.hex()), record)
        found.require_nonce(nonce)
        return found

    def _ordered(self, period: int, attempt: Attempt, order: HandoverOrder, record: Resharing | None) -> Standing:
        before = self._ledger.generation_by_hash(self.view, bytes.fromhex(order.generation))
        if before is None:
            raise AssertionError("an order that was filed is about a generation that was")
        holders, needed = tuple(member.id for member in order.members), self.genesis.root_threshold
        common = Standing("handover", period, order.nonce, State.SIGNING, "signatures", len(attempt.signers), needed,
                          (), holders, order.threshold, before.number, order.effective_at)  # fmt: skip
        if attempt.cancelled >= 0:
            return replace(common, state=State.CANCELLED, awaits="")
        after = self._ledger.successor(self.view, before)
        if after is not None:
            carried_out = attempt.complete >= 0 and (after.members, after.threshold) == order.committee
            # Otherwise a refresh that was under way came first.
            return self._handed(common, before, after) if carried_out else replace(common, state=State.FAILED)
        if attempt.complete < 0:
            roots = ((f"root-{place}", public) for place, public in enumerate(self.genesis.root_keys, 1))
            return replace(common, missing=tuple(name for name, public in roots if public not in attempt.signers))
        if record is not None and (record.before.hash, record.committee) == (before.hash, order.committee):
            return self._at_work(common, record)
        return replace(common, state=State.WAITING if self.now < order.effective_at else State.RUNNING)

    def _at_work(self, common: Standing, record: Resharing) -> Standing:
        """How far the custodians' machines are."""
        proposal, before = record.proposal, record.before
        common = replace(common, state=State.RUNNING, holders=self._names(proposal.members),
                         threshold=proposal.threshold, generation=before.number)  # fmt: skip
        after = self._ledger.successor(self.view, before)
        if after is not None and (after.members, after.threshold) == record.committee:
            return self._handed(common, before, after)
        if record.verdict is not None or after is not None:
            reason, culprits = record.verdict or (Reason.GENERATION_MISMATCH.name, ())
            return replace(common, state=State.FAILED, awaits="", reason=reason, culprits=self._names(culprits))
        if record.stage >= Stage.FINISHED:
            return replace(common, awaits="the log", done=proposal.n, needed=proposal.n)
        side, members = (Side.OLD, before.members) if record.stage is Stage.DEAL else (Side.NEW, proposal.members)
        missing = tuple(name for index, name in enumerate(self._names(members), 1) if record.owes(side, index))
        needed, done = before.threshold if side is Side.OLD else proposal.n, len(members) - len(missing)
        awaits = f"HANDOVER_{record.stage.name}"
        return replace(common, awaits=awaits, done=min(done, needed), needed=needed, missing=missing)

    def _handed(self, common: Standing, before: ShareGeneration, after: ShareGeneration) -> Standing:
        erased = self._ledger.erased(self.view, before.committee_key_hash, before.hash)
        missing = self._names(member for member in before.members if member not in erased)
        common = replace(common, awaits="ERASURE", generation=after.number, needed=before.n, missing=missing)
        return replace(common, state=State.ERASING if missing else State.DONE, done=before.n - len(missing))

    # -- erasure ------------------------------------------------------------------------------

    def erasure(self, period: int) -> Standing:
        """The end of a period: no person begins it, and nothing moves it."""
        logged = self._logged(period)
        newest = self._ledger.generation(self.view, logged.key.hash)
        if newest is None:
            raise AssertionError("no key counts before its shares do")
        erased = self._ledger.erased(self.view, logged.key.hash)
        missing = self._names(member for member in newest.members if member not in erased)
        common = Standing("erase", period, logged.key.hash[:16].hex(), State.DONE, "ERASURE", newest.n - len(missing),
                          newest.n, missing, self._names(newest.members), newest.threshold, newest.number,
                          logged.key.retire_at)  # fmt: skip
        if not missing:
            return common
        return replace(common, state=State.WAITING if self.now < logged.key.retire_at else State.ERASING)

    # -- names --------------------------------------------------------------------------------

    @property
    def _ledger(self) -> Follower:
        return Follower(self.genesis)

    def _logged(self, period: int) -> LoggedKey:
        logged = self._ledger.committee_key(self.view, self.genesis.policy.hash, period)
        if logged is None:
            raise UnavailableError(Reason.NO_COMMITTEE_KEY, f"period {period}")
        return logged

    def _names(self, keys: Iterable[bytes]) -> tuple[str, ...]:
        """Ids; also those of orders that were cancelled since, and of nobody the key."""
        named = {member.public: member.id for attempt in self._ledger.handovers.attempts(self.view)
                 for member in attempt.order(self.genesis).members}  # fmt: skip
        named |= {key: name for name, key in self._ledger.custodian_keys(self.view).items()}
        return tuple(named.get(key, key.hex()) for key in keys)
