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

    states: dict[int, dkg.DkgState] = field(default_factory=dict)
    finished: dict[int, Finished] = field(default_factory=dict)
    aborted: dict[int, Aborted] = field(default_factory=dict)
    log: list[tuple[Kind, bytes, bytes]] = field(default_factory=list)
    recorded: list[tuple[int, ToMember]] = field(default_factory=list)
    at_certificate: dict[int, dkg.DkgState] = field(default_factory=dict)
    """The state of each custodian at the moment its certificate leaves it."""
    before_certificate: dict[int, dkg.DkgState] = field(default_factory=dict)


def keygen(n: int, threshold: int, seed: object, tamper: Tamper | None = None, run: int = 0) -> Keygen:
    """Run it to the end; with ticks of the clock where it stands still."""
    story, queue = Keygen(), list[tuple[int, Output]]()
    asked = proposal(n, threshold)

    def step(index: int, change: dkg.Step) -> None:
        before = story.states.get(index)
        story.states[index], outputs = change
        for output in outputs:
            if isinstance(output, ToLog) and output.kind is Kind.DKG_CERTIFY and before is not None:
                story.before_certificate[index], story.at_certificate[index] = before, story.states[index]
            said = tamper(index, output) if tamper else output
            if said is not None:
                queue.append((index, said))

    for index in range(1, n + 1):
        begun = dkg.begin(identity(index), index, asked, run, RETIRE_AT, STARTED, coins(seed, index))
        step(index, begun)
    now = STARTED
    while len(story.finished) + len(story.aborted) < n and now < STARTED + 3 * dkg.SILENCE:
        while queue:
            author, output = queue.pop(0)
            match output:
                case ToLog(kind, payload):
                    story.log.append((kind, identity(author).public, payload))
                    for index in range(1, n + 1):
                        entry = kind, identity(author).public, payload
                        step(index, dkg.on_entry(story.states[index], identity(index), *entry, now))
                case ToMember(index, ciphertext):
                    story.recorded.append((author, output))
                    step(index, dkg.on_ciphertext(story.states[index], identity(index), author, ciphertext))
                case Finished():
                    story.finished[author] = output
                case Aborted():
                    story.aborted[author] = output
        now += dkg.PATIENCE
        for index in range(1, n + 1):
            step(index, dkg.on_tick(story.states[index], now))
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
