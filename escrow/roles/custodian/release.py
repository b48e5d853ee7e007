"""What follows from a decision: a signed denial, an intent in the log, and only behind that the shares.

CUST-12 writes debit and intent in one step; a share leaves in a later one, when the log shows the intent under a
quorum. So whatever crashes in between, nobody holds a share that the log does not know of. Whatever fails, denies.
"""

import hashlib
from dataclasses import dataclass
from functools import partial

from escrow.capsule.schemes import ShareRequest, scheme_of
from escrow.crypto.coins import Coins
from escrow.crypto.hpke import Hpke
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u64
from escrow.errors import BehindError, DeviationError, EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.calls import Release, ReleaseReply
from escrow.roles.custodian.decision import CLOCK, Decision
from escrow.roles.custodian.disclosing import keep_opening
from escrow.roles.custodian.operators import Operators
from escrow.roles.custodian.orders import received
from escrow.roles.custodian.state import load_number, note_intent, save_number
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.roles.together import Together
from escrow.roles.warrant_checks import has_second_lock
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Genesis
from escrow.warrant.release import Denial, Outcome, ReleaseIntent, ReleaseRecord, ReleaseResponse, hpke_info
from escrow.warrant.request import ReleaseRequest
from escrow.warrant.table import Event

MOST_BYTES = 12 << 20
"""Of one request."""
MOST_CALLS = 600
"""Of one caller in a minute."""

_PENDING = ReleaseReply(b"", Reason.INTENT_PENDING.name, b"", b"")
_UNDECIDED = ReleaseReply(b"", Reason.OPERATOR_PENDING.name, b"", b"")

_CURABLE = frozenset(
    {
        Reason.GENERATION_MISMATCH,
        Reason.SEAL_NOT_LOGGED,
        Reason.COMMITTEE_UNAUTHORISED,
        Reason.APPROVAL_MISSING,
        Reason.INGEST_NOT_LOGGED,
    }
)
"""What a newer view of the log may change."""

_ENDS = frozenset({Event.CANCEL, Event.REFUSE, Event.ATTAIN})


@dataclass(frozen=True, slots=True)
class Releasing:
    """The part of a custodian that answers requests. All state is in the draft that is passed in."""

    follower: Follower
    identity: SigningKey
    hpke: Hpke
    operators: Operators
    together: Together

    @property
    def genesis(self) -> Genesis:
        """The deployment."""
        return self.follower.genesis

    def answer(
        self, draft: Draft, caller: Party, call: Release, now: Millis, coins: Coins, *, settled: bool
    ) -> ReleaseReply:
        """Shares, a signed denial, or that the intent is on its way. ``settled``: see ``Follower.settled``.

        Raises ``PERMISSION_DENIED``, ``RATE_LIMITED``, ``TOO_LARGE``, ``MALFORMED`` for what is no request at all, and
        ``BehindError`` if a newer view of the log may decide otherwise.
        """
        request = self._read(draft, caller, call, now)
        self.sweep(draft, now)
        attempt = Draft(draft)
        decision = Decision(self.follower, attempt, request, call.signature, now, caller, self.together)
        try:
            # SPEC CUST-14: behind the logged intent the same request meets the whole list again.
            decision.run()
            reply = self._proceed(decision, coins)
        except (RefusedError, MalformedError, DeviationError, BehindError) as error:
            curable = isinstance(error, BehindError) or error.reason in _CURABLE
            if curable and not settled:
                raise BehindError(error.reason, error.detail) from error
            return self._deny(draft, decision, error.reason)
        except EscrowError:
            raise  # the store or the log is damaged, which is for our operator to see
        # SPEC CUST-16: whatever else fails, denies, and shows nothing of itself.
        except Exception:  # noqa: BLE001 - whatever our own mistake is, it opens nothing and shows nothing of itself
            return self._deny(draft, decision, Reason.INTERNAL_DENY)
        draft.absorb(attempt)
        save_number(draft, CLOCK, decision.clock.high)
        return reply

    def sweep(self, draft: Draft, now: Millis) -> None:
        """Erase the responses of warrants that have ended, and log which intents came to nothing."""
        head = self.follower.head(draft)
        latest = max(now, head.time_ms if head else 0)
        self.operators.forget(draft, latest)
        for key, end in list(draft.scan(b"until/")):
            place = key[len(b"until/") :]
            tag, request_hash = place[:32], place[32:]
            if latest < number(end) and not self._stopped(draft, tag):
                continue
            if draft.get(b"answer/" + place) is None:
                self._record(draft, tag, request_hash, b"", Outcome.WITHHELD)
            draft.delete(b"answer/" + place)
            draft.delete(key)

    # -- what is asked ------------------------------------------------------------------------

    def _read(self, draft: Draft, caller: Party, call: Release, now: Millis) -> ReleaseRequest:
        # SPEC CUST-0: only a request of bounded size and rate, from an agency, is read.
        if not caller.startswith("agency/"):
            raise RefusedError(Reason.PERMISSION_DENIED, "only agencies ask for releases")
        if len(call.request) > MOST_BYTES:
            raise MalformedError(f"a request of {len(call.request)} bytes", Reason.TOO_LARGE)
        minute, place = now // 60_000, b"rate/" + caller.encode()
        before = draft.get(place) or bytes(16)
        calls = number(before[8:]) + 1 if number(before[:8]) == minute else 1
        if calls > MOST_CALLS:
            raise RefusedError(Reason.RATE_LIMITED)
        draft.put(place, u64(minute) + u64(calls))
        return ReleaseRequest.decode(call.request)

    # -- what is given ------------------------------------------------------------------------

    def _proceed(self, decision: Decision, coins: Coins) -> ReleaseReply:
        place = decision.warrant.tag + decision.request.hash
        stored, current = decision.draft.get(b"answer/" + place), decision.holding.generation.hash
        # What was answered under the shares of before combines with nobody's shares of now.
        if stored is not None and stored[:32] == current:
            return ReleaseReply(stored[32:], "", b"", b"")
        decision.check_quotas()
        if not decision.quotas.admitted(decision.request):
            if not self.operators.allow(decision.draft, decision.request, decision.agency, self._end(decision)):
                return _UNDECIDED
            decision.quotas.debit(decision.request, decision.agency, decision.clock.high)
            self._intend(decision, place)
            return _PENDING
        # SPEC CUST-13: no share leaves before the log shows the intent.
        if not self._intent_logged(decision):
            return _PENDING
        sealed = self._shares(decision, coins)
        decision.draft.put(b"answer/" + place, current + sealed)
        decision.draft.put(b"until/" + place, u64(self._end(decision)))
        response_hash = hashlib.sha256(sealed).digest()
        self._record(decision.draft, decision.warrant.tag, decision.request.hash, response_hash, Outcome.RELEASED)
        return ReleaseReply(sealed, "", b"", b"")

    def _intend(self, decision: Decision, place: bytes) -> None:
        """Owe the log the intent."""
        # SPEC CUST-12: the intent is owed in the step of the debit, and nothing else leaves in it.
        draft, request, holding = decision.draft, decision.request, decision.holding
        draft.put(b"request/" + request.seal_tag + request.request_id, request.hash)
        draft.put(b"until/" + place, u64(self._end(decision)))
        keep_opening(draft, request, decision.warrant.payload.nondisclosure_until)
        for unit in request.units:
            note_intent(draft, unit, self.follower.size(draft))
        intent = ReleaseIntent(
            seal_tag=request.seal_tag,
            custodian=self.identity.public,
            committee_key_hash=request.committee_key_hash,
            generation=holding.generation.number,
            request_hash=request.hash,
            item_root=request.item_root,
            count=request.count,
            request_sig=decision.signature,
        )
        owe_entry(draft, self.genesis, self.identity, EntryType.RELEASE_INTENT, intent.encode())

    def _end(self, decision: Decision) -> int:
        """When no response may exist any more: the warrant has ended, lapsed, or its period has retired."""
        warrant = decision.warrant
        end = min(warrant.payload.not_after, self.genesis.policy.retire_at(decision.holding.period))
        approved = has_second_lock(self.follower, decision.draft, warrant)
        return end if approved else min(end, warrant.payload.approve_by)

    def _intent_logged(self, decision: Decision) -> bool:
        """Whether the log shows our intent: everything we have followed stands under a quorum."""
        mine = (decision.request.hash, self.identity.public)
        logged = self.follower.intents(decision.draft, decision.warrant.tag)
        return any((one.intent.request_hash, one.intent.custodian) == mine for one in logged)

    def _shares(self, decision: Decision, coins: Coins) -> bytes:
        """A share per release unit, sealed to the warrant's recipient."""
        request, holding, context = decision.request, decision.holding, decision.context
        if holding.share is None:
            raise AssertionError("a retired period is refused by CUST-1")
        generation, scheme = holding.generation, scheme_of(context.suite)
        by_unit = {item.unit: item for item in request.items}
        jobs = []
        for unit in request.units:
            item = by_unit[unit]
            wanted = ShareRequest(context, generation.hash, item.label, item.capsule, request.hash)
            # Coins are drawn here, in order: how the shares are made changes none of them.
            jobs.append(partial(scheme.share, wanted, holding.share, holding.index, coins.take("share", 32)))
        response = ReleaseResponse(holding.index, generation.hash, request.hash, tuple(self.together(jobs)))
        # SPEC CUST-15: a response opens for the recipient alone, and for this warrant, request and custodian.
        info = hpke_info(request.seal_tag, request.hash, self.identity.public, generation.hash)
        return self.hpke.seal(decision.warrant.payload.recipient_public, info, response.encode())

    # -- what is said about it ----------------------------------------------------------------

    def _deny(self, draft: Draft, decision: Decision, reason: Reason) -> ReleaseReply:
        """Say no. Behind CUST-3 also in the log, once a request, so that nobody can be made to flood it."""
        request = decision.request
        denial = Denial(request.seal_tag, self.identity.public, request.hash, reason).encode()
        marker = b"denied/" + request.hash
        if decision.seal is not None and draft.get(marker) is None:
            draft.put(marker, b"")
            owe_entry(draft, self.genesis, self.identity, EntryType.DENIAL, denial)
        save_number(draft, CLOCK, max(decision.clock.high, load_number(draft, CLOCK)))
        return ReleaseReply(b"", reason.name, denial, self.identity.sign(denial))

    def _record(self, draft: Draft, tag: bytes, request_hash: bytes, response_hash: bytes, outcome: Outcome) -> None:
        digest = response_hash or hashlib.sha256(b"").digest()
        record = ReleaseRecord(tag, self.identity.public, request_hash, digest, outcome)
        owe_entry(draft, self.genesis, self.identity, EntryType.RELEASE_RECORD, record.encode())

    def _stopped(self, draft: Draft, tag: bytes) -> bool:
        logged = (order.event for order in self.follower.orders(draft, tag))
        return not _ENDS.isdisjoint((*logged, *received(draft, tag)))
