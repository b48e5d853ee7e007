"""CUST-10: how much may be opened, under one warrant by all custodians together and by this one in a day.

A warrant's use is what the log shows: the distinct requests for which any custodian has logged an intent, in the order
of their first intents. A request counts only if the agency has signed it, so no custodian can use a quota up; it
counts whatever becomes of it.
"""

from dataclasses import dataclass

from escrow.encoding import u64
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.custodian.state import Admitted, load_number, save_number
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow.roles.warrant_checks import SealedWarrant, has_second_lock
from escrow.warrant.request import ReleaseRequest

DAY = 86_400_000
_INTENT = b"intent/"
_DEBIT = b"debit/"


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quotas of one warrant at one custodian."""

    follower: Follower
    draft: Draft
    warrant: SealedWarrant

    def admitted(self, request: ReleaseRequest) -> bool:
        """Whether the request has been debited here before."""
        return self.draft.get(_INTENT + self.warrant.tag + request.hash) is not None

    def check(self, request: ReleaseRequest) -> None:
        """Refuse unless the warrant leaves room for the request behind those that come first.

        ``QUOTA_WARRANT``; ``QUOTA_URGENT`` where one lock alone has opened it, which opens no more than a little.
        """
        # SPEC CUST-10: a request beyond what the warrant, one lock alone, or the day leaves is refused.
        used, logged = 0, self._logged()
        for request_hash, count in logged.items():
            if request_hash == request.hash:
                break
            used += count
        else:
            # Not in the log yet: behind all that are, and behind what else we have promised and not seen there.
            promised = self._promised().items()
            used += sum(count for one, count in promised if one not in logged and one != request.hash)
        if used + request.count > self.warrant.payload.max_capsules:
            raise RefusedError(Reason.QUOTA_WARRANT)
        alone = not has_second_lock(self.follower, self.draft, self.warrant)
        if alone and used + request.count > self.follower.genesis.policy.limits.urgent_capsules:
            raise RefusedError(Reason.QUOTA_URGENT)

    def debit(self, request: ReleaseRequest, now: Millis) -> None:
        """Count the request, for good; ``QUOTA_GLOBAL`` if the day leaves no room for it."""
        day = _DEBIT + u64(now // DAY)
        spent = load_number(self.draft, day) + request.count
        if spent > self.follower.genesis.policy.limits.global_daily_cap:
            raise RefusedError(Reason.QUOTA_GLOBAL)
        save_number(self.draft, day, spent)
        self.draft.put(_INTENT + self.warrant.tag + request.hash, pack(Admitted(request.count)))

    def _logged(self) -> dict[bytes, int]:
        """Count by request hash, in the order of first intents."""
        public, counts = self.warrant.payload.request_public, dict[bytes, int]()
        for logged in self.follower.intents(self.draft, self.warrant.tag):
            intent = logged.intent
            if intent.request_hash not in counts and intent.is_signed_by(public):
                counts[intent.request_hash] = intent.count
        return counts

    def _promised(self) -> dict[bytes, int]:
        prefix = _INTENT + self.warrant.tag
        return {key[len(prefix) :]: unpack(data, Admitted).count for key, data in self.draft.scan(prefix)}
