"""Does this evidence prove what it says? Whoever has pinned the genesis can tell, alone and with nobody's secret.

A verifier decides everything anew from signed and logged bytes, as a custodian did, and as of the moment when each
custodian said that it would release. What it cannot see: a release request that the bundle keeps back, whose items are
hidden in the log until they are disclosed; and whether the warrant was lawful.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from escrow.capsule.receipt import Receipt
from escrow.capsule.schemes import CommitteeContext
from escrow.committee.documents import ShareGeneration
from escrow.errors import DeviationError, Reason, RefusedError
from escrow.roles.agency.opening import invalid_shares, open_items
from escrow.roles.authorised import context_of
from escrow.roles.custodian.items import ItemCheck
from escrow.roles.custodian.quotas import Quotas
from escrow.roles.evidence.bundle import Asked, Bundle, Said
from escrow.roles.evidence.history import History, Past
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft, Read
from escrow.roles.warrant_checks import (
    Clock,
    SealedWarrant,
    check_asked_committee,
    check_both_locks,
    check_payload,
    check_scope,
    check_seal,
    check_status,
    check_time,
)
from escrow.roles.warrant_ledger import LoggedIntent
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.genesis import Genesis
from escrow.warrant.release import ReleaseResponse
from escrow.warrant.request import ReleaseRequest, check_request_signature
from escrow.warrant.sealing import seal_tag


@dataclass(frozen=True, slots=True)
class Verified:
    """What holds of a bundle. ``custodians`` have released, ``culprits`` sent shares that do not verify."""

    warrant: WarrantPayload
    opened: tuple[Said, ...]
    custodians: frozenset[int]
    culprits: frozenset[int]
    log_size: int
    log_time_ms: int


@dataclass(frozen=True, slots=True)
class _Read:
    """One request of a bundle, taken apart."""

    request: ReleaseRequest
    signature: bytes
    generation: ShareGeneration
    responses: Mapping[int, ReleaseResponse]


def verify_bundle(genesis: Genesis, history: History, view: Read, bundle: Bundle) -> Verified:
    """Check a bundle whose log was replayed into ``view``; raise the reason of the first thing that is wrong.

    As a custodian's checks CUST-3 to CUST-9, and of CUST-10 what the warrant admits; ``INTENT_MISSING``,
    ``SHARE_INVALID``, ``NOT_ENOUGH_SHARES``, and ``EVIDENCE_MISMATCH`` if the bundle says that something else was
    opened than what opens.
    """
    if bundle.genesis_hash != genesis.hash.hex():
        raise RefusedError(Reason.EVIDENCE_MISMATCH, "the bundle is of another deployment")
    if not bundle.requests:
        raise RefusedError(Reason.EVIDENCE_MISMATCH, "nothing was asked of any custodian")
    return _Verifier(genesis, history, view, [_taken_apart(each) for each in bundle.requests]).run(bundle)


@dataclass(frozen=True, slots=True)
class _Verifier:
    genesis: Genesis
    history: History
    view: Read
    asked: list[_Read]

    @property
    def follower(self) -> Follower:
        return Follower(self.genesis)

    def run(self, bundle: Bundle) -> Verified:
        warrants, opened = [], list[Said]()
        custodians, culprits = set[int](), set[int]()
        for one in self.asked:
            # SPEC EVI-2: what is not sealed in the log under both locks proves nothing.
            warrant = self._warrant(one.request, bytes.fromhex(bundle.warrant_id))
            context = self._context(one, warrant)
            # SPEC EVI-3: a response without its custodian's intent in the log names the custodian.
            intents = self._intents(one, warrant)
            clocks = [self._check_moment(one, warrant, intent.index) for intent in intents.values()]
            # SPEC EVI-7: what is beyond the warrant's number, counted over the intents of the log, is refused.
            Quotas(self.follower, Draft(self.view), warrant).check(one.request)
            self._check_items(one, warrant, context, Clock(min(clock.low for clock in clocks), 0))
            # SPEC EVI-5: shares that their proofs do not bind to this request open nothing here.
            bad = invalid_shares(context, one.generation, one.request, one.responses)
            if len(one.responses) - len(bad) < one.generation.threshold:
                raise (
                    DeviationError(Reason.SHARE_INVALID, culprits=self._names(one, bad))
                    if bad
                    else RefusedError(Reason.NOT_ENOUGH_SHARES, f"{len(one.responses)} of {one.generation.threshold}")
                )
            items, _ = open_items(context, one.generation, one.request, one.responses)
            opened += [Said.of(item) for item in items]
            warrants.append(warrant)
            custodians |= one.responses.keys()
            culprits |= bad
        # SPEC EVI-6: what the bundle says was opened is what opens, no more and no less.
        if sorted(opened, key=_order) != sorted(bundle.opened, key=_order):
            raise RefusedError(Reason.EVIDENCE_MISMATCH, "what opens is not what the bundle says was opened")
        head = self.history.heads[-1]
        ordered = tuple(sorted(opened, key=_order))
        return Verified(
            warrants[0].payload, ordered, frozenset(custodians), frozenset(culprits), head.size, head.time_ms
        )

    def _warrant(self, request: ReleaseRequest, warrant_id: bytes) -> SealedWarrant:
        if request.seal_tag != seal_tag(warrant_id):
            raise RefusedError(Reason.EVIDENCE_MISMATCH, "a request under another warrant")
        opening = request.salt, request.dsse
        seal = check_seal(self.follower, self.view, request.seal_tag, *opening, request.field_root)
        locks = check_both_locks(self.genesis, seal, request.dsse)
        return check_payload(self.genesis, seal, locks, *opening, request.seal_tag)

    def _context(self, one: _Read, warrant: SealedWarrant) -> CommitteeContext:
        logged = check_asked_committee(self.follower, self.view, one.request)
        request = one.request
        check_request_signature(warrant.payload.request_public, request.hash, request.count, one.signature)
        known = self.follower.generation_by_hash(self.view, one.generation.hash)
        if known is None or known.committee_key_hash != logged.key.hash:
            raise RefusedError(Reason.GENERATION_MISMATCH, "shares that the log does not show")
        return context_of(self.genesis, logged.key)

    def _intents(self, one: _Read, warrant: SealedWarrant) -> dict[int, LoggedIntent]:
        """The intent of everybody who has answered, by index."""
        request, public = one.request, warrant.payload.request_public
        said = request.committee_key_hash, request.item_root, request.count
        found = dict[int, LoggedIntent]()
        for logged in self._logged(request):
            intent = logged.intent
            if (intent.committee_key_hash, intent.item_root, intent.count) != said:
                continue
            check_request_signature(public, request.hash, intent.count, intent.request_sig)
            if intent.custodian in one.generation.members:
                found.setdefault(one.generation.members.index(intent.custodian) + 1, logged)
        if missing := one.responses.keys() - found.keys():
            raise DeviationError(Reason.INTENT_MISSING, culprits=self._names(one, missing))
        return {index: found[index] for index in one.responses}

    def _logged(self, request: ReleaseRequest) -> list[LoggedIntent]:
        intents = self.follower.intents(self.view, request.seal_tag)
        return [logged for logged in intents if logged.intent.request_hash == request.hash]

    def _check_moment(self, one: _Read, warrant: SealedWarrant, index: int) -> Clock:
        """The warrant was in force when the intent at ``index`` was logged: by the checkpoints on both sides of it."""
        first = self.history.first_with(index)
        clock = Clock(self.history.time_before(index), first.time_ms)
        # SPEC EVI-4: a release before the warrant's time, after its end or while it was stopped is refused.
        # What allows it was logged before the intent, and nothing stopped it from there to the first checkpoint, not
        # for a while either: so leaving out a checkpoint, which moves ``first`` away, only refuses more.
        check_time(Past(self.genesis, index), self.view, warrant, clock, one.request.expires)
        past = Past(self.genesis, first.size)
        turns = [order.index + 1 for order in past.orders(self.view, warrant.tag) if order.index >= index]
        for size in (index, *turns):
            check_status(Past(self.genesis, size), self.view, warrant, clock)
        return clock

    def _check_items(self, one: _Read, warrant: SealedWarrant, context: CommitteeContext, clock: Clock) -> None:
        check = ItemCheck(self.follower, self.view, context)
        for item in one.request.items:
            time = Receipt.decode(item.receipt).ingest_time
            check_scope(self.genesis, warrant, clock, item.terms, time, item.roster_path)
            check.check(item, self._first_intent(item.unit))
        one.request.check_identities()

    def _first_intent(self, unit: tuple[bytes, ...]) -> int:
        """Where in the log somebody first meant to open a release unit, over all requests of the bundle."""
        asked = (one.request for one in self.asked if unit in one.request.units)
        return min(logged.index for request in asked for logged in self._logged(request))

    def _names(self, one: _Read, indices: "frozenset[int] | set[int]") -> list[str]:
        names = {key: name for name, key in self.follower.custodian_keys(self.view).items()}
        return [names[one.generation.members[index - 1]] for index in sorted(indices)]


def _taken_apart(asked: Asked) -> _Read:
    generation, responses = asked.shares, asked.responses()
    request = asked.terms
    for index, response in responses.items():
        answers = response.index, response.generation_hash, response.request_hash, len(response.shares)
        if answers != (index, generation.hash, request.hash, request.count) or not 1 <= index <= generation.n:
            raise RefusedError(Reason.SHARE_INVALID, f"custodian {index} answers something else")
    if not responses:
        raise RefusedError(Reason.NOT_ENOUGH_SHARES, f"0 of {generation.threshold}")
    return _Read(request, asked.signature, generation, responses)


def _order(said: Said) -> tuple[int, str, str, str]:
    return said.ingest_seq, said.body_id, said.text, said.reason
