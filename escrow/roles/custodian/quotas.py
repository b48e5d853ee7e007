"""CUST-10: how much may be opened, under one warrant by all custodians together and by this one in a day.

A warrant's use is what the log shows: the distinct requests for which any custodian has logged an intent, in the order
of their first intents. A request counts only if the agency has signed it, so no custodian can use a quota up; it
counts whatever becomes of it.
"""

from collections import Counter
from dataclasses import dataclass

from escrow.encoding import u64
from escrow.errors import Reason, RefusedError
from escrow.ids import Party
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
class _Cap:
    """So many capsules a day for one agency, authority or target, or for all: what a request adds, and the most."""

    reason: Reason
    whose: bytes
    count: int
    most: int

    def place(self, now: int) -> bytes:
        """Where the day's sum is kept."""
        return _DEBIT + u64(now // DAY) + self.reason.name.encode() + b"/" + self.whose


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
        if used + request.count > self.warrant.payload.quota:
            raise RefusedError(Reason.QUOTA_WARRANT)
        alone = not has_second_lock(self.follower, self.draft, self.warrant)
        if alone and used + request.count > self.follower.genesis.policy.limits.urgent_capsules:
            raise RefusedError(Reason.QUOTA_URGENT)

    def check_day(self, request: ReleaseRequest, agency: Party, now: int) -> None:
        """Refuse what the day of ``now`` leaves no room for at this custodian.

        ``QUOTA_AGENCY``, ``QUOTA_AUTHORITY``, ``QUOTA_TARGET``, ``QUOTA_GLOBAL``.
        """
        for cap in self._caps(request, agency):
            if load_number(self.draft, cap.place(now)) + cap.count > cap.most:
                raise RefusedError(cap.reason)

    def debit(self, request: ReleaseRequest, agency: Party, now: int) -> None:
        """Count the request, for good. Days that are over are forgotten."""
        today = _DEBIT + u64(now // DAY)
        for key, _ in list(self.draft.scan(_DEBIT)):
            if key[: len(today)] < today:
                self.draft.delete(key)
        for cap in self._caps(request, agency):
            place = cap.place(now)
            save_number(self.draft, place, load_number(self.draft, place) + cap.count)
        self.draft.put(_INTENT + self.warrant.tag + request.hash, pack(Admitted(request.count)))

    def _caps(self, request: ReleaseRequest, agency: Party) -> list["_Cap"]:
        limits, payload = self.follower.genesis.policy.limits, self.warrant.payload
        return [
            _Cap(Reason.QUOTA_AGENCY, agency.encode(), request.count, limits.agency_daily_cap),
            _Cap(Reason.QUOTA_AUTHORITY, payload.authority.encode(), request.count, limits.authority_daily_cap),
            *(
                _Cap(Reason.QUOTA_TARGET, target, count, limits.target_daily_cap)
                for target, count in sorted(_by_target(request).items())
            ),
            _Cap(Reason.QUOTA_GLOBAL, b"", request.count, limits.global_daily_cap),
        ]

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


def _by_target(request: ReleaseRequest) -> dict[bytes, int]:
    """How many capsules of the request are about whom: the member that is shown, or else the sender."""
    about = {item.unit: item.roster_path.account if item.roster_path else item.terms.sender_account
             for item in request.items}  # fmt: skip
    return dict(Counter(bytes(account) for account in about.values()))
