"""The custodian's decision: CUST-1 to CUST-10, in strict order, each from signed and logged bytes alone.

What the authority's database says is no input, and nobody's word is. The first check that fails ends the decision
with its reason. Nothing here releases anything; see ``release``.
"""

from dataclasses import dataclass, field
from functools import cache, partial

from escrow.capsule.receipt import Receipt
from escrow.capsule.schemes import CommitteeContext
from escrow.crypto.edwards25519 import self_test
from escrow.crypto.suites import group_of, has_group
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.authorised import context_of
from escrow.roles.custodian.items import ItemCheck
from escrow.roles.custodian.orders import received
from escrow.roles.custodian.quotas import Quotas
from escrow.roles.custodian.state import Holding, first_intent, load_holding, load_number
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.roles.together import Together
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
from escrow.roles.warrant_ledger import LoggedSeal
from escrow.warrant.genesis import Genesis
from escrow.warrant.request import ReleaseRequest, check_request_signature

CLOCK = b"clock"


@dataclass(slots=True)
class Decision:
    """One request on its way through the list. Methods are the checks; call them in order, or ``run``."""

    follower: Follower
    draft: Draft
    request: ReleaseRequest
    signature: bytes
    now: Millis
    agency: Party
    """Who asks, as the transport has proved."""
    together: Together
    seal: LoggedSeal | None = None
    """Set by CUST-3: from then on a refusal is logged."""
    clock: Clock = field(default_factory=lambda: Clock(0, 0))
    _warrant: SealedWarrant | None = None
    _holding: Holding | None = None

    def run(self) -> None:
        """CUST-1 to CUST-9. Raises ``RefusedError`` or ``MalformedError`` at the first check that fails.

        An admitted request goes through the same list whenever it is repeated: that is CUST-14.
        """
        self.check_self()
        self.check_conflict()
        self.check_seal()
        self.check_locks()
        self.check_documents()
        self.check_time()
        self.check_status()
        self.check_scope()
        self.check_items()

    # -- what the checks have established -----------------------------------------------------

    @property
    def genesis(self) -> Genesis:
        """The deployment."""
        return self.follower.genesis

    @property
    def warrant(self) -> SealedWarrant:
        """The warrant, after CUST-5."""
        if self._warrant is None:
            raise AssertionError("the warrant is believed after CUST-5")
        return self._warrant

    @property
    def holding(self) -> Holding:
        """Our part of the committee that is asked, after CUST-5."""
        if self._holding is None:
            raise AssertionError("the committee is ours after CUST-5")
        return self._holding

    @property
    def context(self) -> CommitteeContext:
        """What the capsules are bound to."""
        return context_of(self.genesis, self.holding.key)

    # -- the list -----------------------------------------------------------------------------

    def check_self(self) -> None:
        """Our generation, period, clock, view and library."""
        # SPEC CUST-1: a custodian that is not fit to decide releases nothing.
        holding = load_holding(self.draft, self.request.committee_key_hash)
        if holding is not None:
            logged = self.follower.generation(self.draft, self.request.committee_key_hash)
            if logged is None or logged.hash != holding.generation.hash:
                raise RefusedError(Reason.GENERATION_MISMATCH)
            if holding.share is None or self.now >= self.genesis.policy.retire_at(holding.period):
                raise RefusedError(Reason.PERIOD_RETIRED)
        head = self.follower.require_fresh(self.draft, self.now)
        _boot_test(self.genesis.policy.suite)
        # A clock that is set back must not bring an ended warrant back: what was acted on once is past.
        latest = load_number(self.draft, CLOCK)
        self.clock = Clock(min(self.now, head.time_ms), max(self.now, latest, head.time_ms))

    def check_conflict(self) -> None:
        """One request id names one request."""
        # SPEC CUST-2: another request under a known id is refused.
        known = self.draft.get(b"request/" + self.request.seal_tag + self.request.request_id)
        if known is not None and known != self.request.hash:
            raise RefusedError(Reason.REQUEST_CONFLICT)

    def check_seal(self) -> None:
        """CUST-3: the warrant is sealed in the log, first of its tag."""
        request = self.request
        opening = request.salt, request.dsse, request.field_root
        self.seal = check_seal(self.follower, self.draft, request.seal_tag, *opening)

    def check_locks(self) -> None:
        """CUST-4, and the first half of CUST-5: both locks, then the document that they signed."""
        if self.seal is None:
            raise AssertionError("locks are checked under a seal")
        request = self.request
        locks = check_both_locks(self.genesis, self.seal, request.dsse)
        checked = check_payload(self.genesis, self.seal, locks, request.salt, request.dsse, request.seal_tag)
        self._warrant = checked

    def check_documents(self) -> None:
        """One authorised committee, that of every item, and ours; its suite; the agency's signature."""
        request = self.request
        check_asked_committee(self.follower, self.draft, request)
        self._holding = load_holding(self.draft, request.committee_key_hash)
        if self._holding is None:
            raise RefusedError(Reason.COMMITTEE_NOT_MINE)
        check_request_signature(self.warrant.payload.request_public, request.hash, request.count, self.signature)

    def check_time(self) -> None:
        """CUST-6: active by every clock, ended by none."""
        check_time(self.follower, self.draft, self.warrant, self.clock, self.request.expires)

    def check_status(self) -> None:
        """CUST-7: nothing has stopped it, in the log or straight to us."""
        stops = received(self.draft, self.warrant.tag)
        check_status(self.follower, self.draft, self.warrant, self.clock, stops)

    def check_scope(self) -> None:
        """CUST-8: every item is covered, and none belongs to a chain that still grows."""
        for item in self.request.items:
            time = Receipt.decode(item.receipt).ingest_time
            check_scope(self.genesis, self.warrant, self.clock, item.terms, time, item.roster_path)

    def check_items(self) -> None:
        """CUST-9: every item is genuine and was logged before anybody meant to open it."""
        check = ItemCheck(self.follower, self.draft, self.context)
        for item in self.request.items:
            check.check_origin(item, first_intent(self.draft, item.unit))
        # What a capsule says of itself never changes, and an admitted request is the one that was admitted, byte for
        # byte: its capsules were checked then. A scheme whose share depends on its capsule checks that once more.
        if not self.quotas.admitted(self.request):
            capsules = {item.capsule_id: item for item in self.request.items}
            self.together([partial(check.check_capsule, item) for item in capsules.values()])
        self.request.check_identities()

    def check_quotas(self) -> None:
        """CUST-10. Of a request that is in the log already, the log's order decides; the day counts it once."""
        self.quotas.check(self.request)
        if not self.quotas.admitted(self.request):
            self.quotas.check_day(self.request, self.agency, self.clock.high)

    @property
    def quotas(self) -> Quotas:
        """The quotas that the request falls under."""
        return Quotas(self.follower, self.draft, self.warrant)


@cache
def _boot_test(suite: int) -> None:
    self_test()
    if has_group(suite):
        group_of(suite).library.self_test()
