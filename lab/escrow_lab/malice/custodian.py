"""A custodian that cheats in key generation: the honest role, with something between its machine and the world."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from escrow.committee import dkg
from escrow.committee.dkg import DkgState
from escrow.crypto.coins import Coins
from escrow.ids import Millis
from escrow.roles.custodian import Custodian
from escrow.roles.custodian.generation import KeyMaking
from escrow.roles.machine import Draft
from escrow.roles.state import pack, unpack
from escrow_lab.malice.deviations import together
from escrow_lab.malice.forging import Moment

_KEPT = b"malice/kept/"
PLAYED = b"malice/played/"
"""Followed by a session: something else than the honest words has left in this run."""

Plan = Mapping[int, tuple[tuple[str, ...], ...]]
"""By period, for run after run: which deviations it plays. In runs beyond these it keeps to the rules."""


@dataclass(frozen=True)
class _Cheating(KeyMaking):
    # Not slotted: with slots there is no super() in a dataclass.
    plan: Plan

    def _carry_out(self, draft: Draft, period: int, step: dkg.Step, now: Millis, coins: Coins) -> DkgState:
        state, outputs = step
        kept = _KEPT + state.record.session
        if state.transport is not None:
            draft.put(kept, pack(state))
        runs = self.plan.get(period, ())
        if state.record.run < len(runs) and (data := draft.get(kept)) is not None:
            said = together(*runs[state.record.run])(Moment(state, unpack(data, DkgState), outputs))
            if said != outputs:
                draft.put(PLAYED + state.record.session, b"")
            outputs = said
        return super()._carry_out(draft, period, (state, outputs), now, coins)


@dataclass(frozen=True)
class CheatingCustodian(Custodian):
    """Custodian ``index``, playing ``plan``."""

    plan: Plan = field(default_factory=dict)

    @property
    def _key_making(self) -> KeyMaking:
        return _Cheating(self._follower, self.index, self.identity, self.plan)
