"""A key generation some of whose members cheat, and whose others hear of everything in an order that chance chooses.

The log is one list, which each custodian reads at its own pace; letters arrive before or after what they are about.
Only when there is nothing left to hear does time pass.
"""

import random
from dataclasses import dataclass, field

from hypothesis import strategies as st

from escrow.committee import dkg
from escrow.committee.dkg import DkgState
from escrow.committee.messages import Aborted, Finished, Kind, ToLog, ToMember
from escrow_lab.malice.deviations import DEVIATIONS, together
from escrow_lab.malice.forging import Moment
from tests.claims.keygen import RETIRE_AT, STARTED, coins, identity, proposal

Plot = dict[int, list[str]]
"""Who plays which deviations."""


@st.composite
def plots(draw: st.DrawFn) -> Plot:
    """One of three or two of five custodians, and up to three deviations of each."""
    names = st.lists(st.sampled_from(sorted(DEVIATIONS)), min_size=1, max_size=3, unique=True)
    cheats = draw(st.one_of(st.sets(st.integers(1, 3), min_size=1, max_size=1), st.just({2, 3}), st.just({1, 5})))
    return {index: draw(names) for index in sorted(cheats)}


@dataclass
class Assembly:
    """``plot``: who cheats, and how. ``order`` decides who hears what when."""

    n: int
    threshold: int
    plot: Plot
    order: int
    log: list[tuple[Kind, bytes, bytes]] = field(default_factory=list)
    letters: list[tuple[int, ToMember]] = field(default_factory=list)
    states: dict[int, DkgState] = field(default_factory=dict)
    kept: dict[int, DkgState] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)
    ended: dict[int, Finished | Aborted] = field(default_factory=dict)
    now: int = STARTED

    def __post_init__(self) -> None:
        self.proposal, self.chance = proposal(self.n, self.threshold), random.Random(self.order)
        for index in range(1, self.n + 1):
            fresh = coins(self.order, index)
            self._did(index, dkg.begin(identity(index), index, self.proposal, 0, RETIRE_AT, self.now, fresh))

    @property
    def honest(self) -> list[int]:
        return [index for index in range(1, self.n + 1) if index not in self.plot]

    def play(self) -> "Assembly":
        """Until all honest members have ended."""
        while not self.ended.keys() >= set(self.honest):
            behind = [index for index in self.states if self.read.get(index, 0) < len(self.log)]
            choices = [*behind, *([0] if self.letters else [])]
            if not choices:
                self._wait()
            elif chosen := self.chance.choice(choices):
                kind, submitter, payload = self.log[self.read.get(chosen, 0)]
                self.read[chosen] = self.read.get(chosen, 0) + 1
                state, key = self.states[chosen], identity(chosen)
                self._did(chosen, dkg.on_entry(state, key, kind, submitter, payload, self.now))
            else:
                sender, letter = self.letters.pop(self.chance.randrange(len(self.letters)))
                to = letter.index
                self._did(to, dkg.on_ciphertext(self.states[to], identity(to), sender, letter.payload))
        return self

    def ends(self) -> dict[int, Aborted | None]:
        """How it ended for each honest member; None: with a key."""
        return {index: end if isinstance(end := self.ended[index], Aborted) else None for index in self.honest}

    def finished(self) -> dict[int, Finished]:
        return {index: end for index in self.honest if isinstance(end := self.ended[index], Finished)}

    def _wait(self) -> None:
        self.now += dkg.PATIENCE
        if self.now > STARTED + 12 * dkg.SILENCE:
            raise AssertionError("it never ends")
        for index in list(self.states):
            self._did(index, dkg.on_tick(self.states[index], self.now))

    def _did(self, index: int, step: dkg.Step) -> None:
        state, outputs = step
        self.states[index] = state
        if state.transport is not None:
            self.kept[index] = state
        if index in self.plot and index in self.kept:
            outputs = together(*self.plot[index])(Moment(state, self.kept[index], outputs))
        for output in outputs:
            match output:
                case ToLog(kind, payload):
                    # As the log does: the same entry twice is one.
                    if (said := (kind, identity(index).public, payload)) not in self.log:
                        self.log.append(said)
                case ToMember():
                    self.letters.append((index, output))
                case _:
                    self.ended.setdefault(index, output)
