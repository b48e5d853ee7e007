"""A whole key generation in memory: one log, n custodians, and an adversary who may replace whatever they say.

The log is a list, messages arrive at once, nothing is lost unless the adversary loses it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from escrow.capsule.schemes import CommitteeContext
from escrow.committee import dkg
from escrow.committee.documents import CommitteeKey, CommitteeProposal, ShareGeneration, verify_generation, verify_key
from escrow.committee.messages import Aborted, Finished, Kind, Output, ToLog, ToMember
from escrow.crypto.group import Scalar
from escrow.crypto.sign import SigningKey

STARTED = 1_000_000
RETIRE_AT = 90_000_000

Tamper = Callable[[int, Output], Output | None]
"""What custodian i really says instead of this; nothing if it stays silent."""


def coins(*parts: object) -> bytes:
    """32 bytes that look fresh and are the same in every run."""
    return hashlib.sha256(repr(parts).encode()).digest()


def identity(index: int) -> SigningKey:
    return SigningKey.from_seed(coins("identity", index))


def proposal(n: int, threshold: int) -> CommitteeProposal:
    members = tuple(identity(index).public for index in range(1, n + 1))
    return CommitteeProposal(1, members, threshold, coins("policy"), 0)


@dataclass
class Keygen:
    """A run, how it ended for each custodian, and everything that an eavesdropper or a thief could have kept."""

    n: int
    tamper: Tamper | None
    states: dict[int, dkg.DkgState] = field(default_factory=dict)
    finished: dict[int, Finished] = field(default_factory=dict)
    aborted: dict[int, Aborted] = field(default_factory=dict)
    log: list[tuple[Kind, bytes, bytes]] = field(default_factory=list)
    recorded: list[tuple[int, ToMember]] = field(default_factory=list)
    before_certificate: dict[int, dkg.DkgState] = field(default_factory=dict)
    at_certificate: dict[int, dkg.DkgState] = field(default_factory=dict)
    """The state of each custodian at the moment its certificate leaves it, and just before."""
    _queue: list[tuple[int, Output]] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether the run has ended for everybody."""
        return len(self.finished) + len(self.aborted) == self.n

    def take(self, index: int, change: dkg.Step) -> None:
        """The custodian's next state, and what it says, or what the adversary says instead."""
        before = self.states.get(index)
        self.states[index], outputs = change
        for output in outputs:
            if isinstance(output, ToLog) and output.kind is Kind.DKG_CERTIFY and before is not None:
                self.before_certificate[index], self.at_certificate[index] = before, self.states[index]
            said = self.tamper(index, output) if self.tamper else output
            if said is not None:
                self._queue.append((index, said))

    def deliver(self, now: int) -> None:
        """Until nobody has anything more to say."""
        while self._queue:
            author, output = self._queue.pop(0)
            match output:
                case ToLog(kind, payload):
                    self._append(author, kind, payload, now)
                case ToMember(index, ciphertext):
                    self.recorded.append((author, output))
                    self.take(index, dkg.on_ciphertext(self.states[index], identity(index), author, ciphertext))
                case Finished():
                    self.finished[author] = output
                case Aborted():
                    self.aborted[author] = output

    def _append(self, author: int, kind: Kind, payload: bytes, now: int) -> None:
        said = kind, identity(author).public, payload
        self.log.append(said)
        for index in range(1, self.n + 1):
            self.take(index, dkg.on_entry(self.states[index], identity(index), *said, now))


def keygen(n: int, threshold: int, seed: object, tamper: Tamper | None = None, run: int = 0) -> Keygen:
    """Run it to the end; with ticks of the clock where it stands still."""
    story, asked, now = Keygen(n, tamper), proposal(n, threshold), STARTED
    for index in range(1, n + 1):
        story.take(index, dkg.begin(identity(index), index, asked, run, RETIRE_AT, now, coins(seed, index)))
    while not story.over and now < STARTED + 3 * dkg.SILENCE:
        story.deliver(now)
        now += dkg.PATIENCE
        for index in range(1, n + 1):
            story.take(index, dkg.on_tick(story.states[index], now))
    return story


@dataclass(frozen=True)
class Committee:
    """A committee after an honest key generation, with everybody's shares: what only a test may hold."""

    ctx: CommitteeContext
    key: CommitteeKey
    generation: ShareGeneration
    shares: dict[int, Scalar]


@cache
def committee(n: int = 5, threshold: int = 3, seed: object = "committee") -> Committee:
    """One per (n, threshold, seed), verified as every party verifies it."""
    ended = keygen(n, threshold, seed).finished
    assert len(ended) == n
    first, asked = ended[1], proposal(n, threshold)
    key, generation = CommitteeKey.decode(first.committee_key), ShareGeneration.decode(first.generation)
    verify_key(key, asked)
    verify_generation(generation, key, asked)
    shares = {index: Scalar.decode(one.share.expose()) for index, one in ended.items()}
    return Committee(CommitteeContext.of(asked, key), key, generation, shares)
