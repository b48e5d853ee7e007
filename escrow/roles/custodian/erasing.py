"""The end of a period: a custodian erases all that could open it, and says so in the log.

Two steps: in the first everything goes, from the journal of the store too; the second, which begins when the first has
come to its end, attests it. So nobody attests what a crash might bring back. Nothing moves the time: it stands in the
committee key. Stored responses end with the warrant or the period, whichever is first: see ``release``.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from escrow.committee.erasure import ErasureAttestation
from escrow.crypto.sign import SigningKey
from escrow.encoding import number
from escrow.ids import Millis
from escrow.roles.custodian.state import (
    CERTIFIED,
    ERASING,
    HANDOVER,
    MADE,
    RUN,
    SUCCESSOR,
    load_holding,
    save_holding,
)
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.tlog.entry import EntryType


@dataclass(frozen=True, slots=True)
class Erasing:
    """The part of a custodian that forgets. All state is in the draft that is passed in."""

    follower: Follower
    identity: SigningKey

    def on_tick(self, draft: Draft, now: Millis) -> None:
        """Attest what an earlier step has erased; erase what has retired since."""
        self._attest(draft, now)
        for _, key_hash in list(draft.scan(MADE)):
            holding = load_holding(draft, key_hash)
            if holding is not None and holding.share is not None and self._over(holding.period, now):
                # SPEC ERA-1: at the end of retention the share is erased, with whatever could make it again.
                save_holding(draft, key_hash, replace(holding, share=None))
                draft.put(ERASING + key_hash, b"")
                draft.scrub()
        for prefix in (HANDOVER, SUCCESSOR):
            for place, _ in list(draft.scan(prefix)):
                logged = self.follower.committee_key_by_hash(draft, place[len(prefix) :][:32])
                if logged is None or self._over(logged.period, now):
                    draft.delete(place)
                    draft.scrub()
        for prefix in (RUN, CERTIFIED):
            for key, _ in list(draft.scan(prefix)):
                if self._over(number(key[len(prefix) :][:8]), now):
                    draft.delete(key)
                    draft.scrub()

    def _attest(self, draft: Draft, now: Millis) -> None:
        for key, _ in list(draft.scan(ERASING)):
            # SPEC ERA-2: an erasure is attested behind the step that made it, never in it.
            draft.delete(key)
            what = key[len(ERASING) :]
            said = ErasureAttestation(what[:32], now, what[32:]).encode()
            owe_entry(draft, self.follower.genesis, self.identity, EntryType.ERASURE, said)

    def _over(self, period: int, now: Millis) -> bool:
        return now >= self.follower.genesis.policy.retire_at(period)
