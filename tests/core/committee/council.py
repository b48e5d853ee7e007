"""A committee in memory: a list is the log, another one the mail. Members may be replaced by whatever a test likes."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cache

from escrow.committee import cocktail, dkg
from escrow.committee.cocktail import Commitment
from escrow.committee.dkg import DkgState
from escrow.committee.documents import CommitteeKey, CommitteeProposal, ShareGeneration
from escrow.committee.messages import Aborted, Finished, Kind, Output, ToLog, ToMember, commitment_hash, entry
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Point, Scalar
from escrow.crypto.sharing import interpolate_scalars
from escrow.crypto.sign import SigningKey
from escrow.crypto.suites import group_of
from escrow.secret import Secret

RETIRE_AT = 1_000_000
Tamper = Callable[["Council", int, Output], Iterable[Output]]


def identity(index: int) -> SigningKey:
    return SigningKey.from_seed(index.to_bytes(32, "big"))


def proposal_of(n: int, t: int, period: int = 4, suite: int = 1) -> CommitteeProposal:
    return CommitteeProposal(suite, tuple(identity(i).public for i in range(1, n + 1)), t, b"\x11" * 32, period)


def honest(_council: "Council", _index: int, output: Output) -> Iterable[Output]:
    return (output,)


@dataclass
class Council:
    """``corrupt`` members run the honest machine; what comes out of it passes through ``tamper``."""

    n: int
    t: int
    corrupt: frozenset[int] = frozenset()
    tamper: Tamper = honest
    run: int = 0
    seed: int = 0
    suite: int = 1
    log: list[tuple[Kind, bytes, bytes]] = field(default_factory=list)
    mail: list[tuple[int, int, bytes]] = field(default_factory=list)
    traffic: list[tuple[int, int, bytes]] = field(default_factory=list)
    states: dict[int, DkgState] = field(default_factory=dict)
    history: dict[int, list[DkgState]] = field(default_factory=dict)
    ended: dict[int, Finished | Aborted] = field(default_factory=dict)
    read: int = 0
    now: int = 0

    def __post_init__(self) -> None:
        self.proposal = proposal_of(self.n, self.t, suite=self.suite)
        for i in self.members:
            coins = (self.seed * 1000 + i).to_bytes(32, "big")
            self._did(i, dkg.begin(identity(i), i, self.proposal, self.run, RETIRE_AT, self.now, coins))

    @property
    def members(self) -> range:
        return range(1, self.n + 1)

    @property
    def honest(self) -> list[int]:
        return [i for i in self.members if i not in self.corrupt]

    @property
    def session(self) -> bytes:
        return self.states[1].record.session

    def say(self, index: int, kind: Kind, content: bytes) -> None:
        self.log.append((kind, identity(index).public, entry(self.session, content)))

    def settle(self) -> "Council":
        """Deliver everything until nothing moves."""
        while self.mail or self.read < len(self.log):
            self.read_letter() if self.mail else self.read_entry()
        return self

    def read_letter(self) -> None:
        sender, to, ciphertext = self.mail.pop(0)
        self._did(to, dkg.on_ciphertext(self.states[to], identity(to), sender, ciphertext))

    def read_entry(self) -> None:
        kind, submitter, payload = self.log[self.read]
        self.read += 1
        for i in self.members:
            self._did(i, dkg.on_entry(self.states[i], identity(i), kind, submitter, payload, self.now))

    def tick(self, index: int) -> None:
        self._did(index, dkg.on_tick(self.states[index], self.now))

    def wait(self, milliseconds: int) -> "Council":
        self.now += milliseconds
        for i in self.members:
            self.tick(i)
        return self.settle()

    def finished(self) -> dict[int, Finished]:
        found = {i: end for i, end in self.ended.items() if isinstance(end, Finished)}
        assert sorted(found) == list(self.members)
        return found

    def aborted(self) -> Aborted:
        """The verdict, after checking that all honest members have the same one and that it names none of them."""
        (verdict,) = {self.ended.get(i) for i in self.honest}
        assert isinstance(verdict, Aborted)
        assert not verdict.culprits & set(self.honest), "an honest member is blamed"
        assert verdict.culprits
        return verdict

    def _did(self, index: int, step: dkg.Step) -> None:
        state, outputs = step
        self.states[index] = state
        self.history.setdefault(index, []).append(state)
        for honest_output in outputs:
            tampered = self.tamper(self, index, honest_output) if index in self.corrupt else (honest_output,)
            for output in tampered:
                match output:
                    case ToLog(kind, payload):
                        self.log.append((kind, identity(index).public, payload))
                    case ToMember(to, ciphertext):
                        self.mail.append((index, to, ciphertext))
                        self.traffic.append((index, to, ciphertext))
                    case _:
                        assert index not in self.ended, "a run ends once"
                        self.ended[index] = output


def documents(council: Council) -> tuple[CommitteeKey, ShareGeneration]:
    ((key, generation),) = {(end.committee_key, end.generation) for end in council.finished().values()}
    return CommitteeKey.decode(key), ShareGeneration.decode(generation)


def shares(council: Council) -> dict[int, Scalar]:
    read = council.proposal.group.scalar.decode
    return {i: read(end.share.expose()) for i, end in council.finished().items()}


def secrets(council: Council) -> dict[int, Secret]:
    return {i: end.share for i, end in council.finished().items()}


def interpolated(some: dict[int, Scalar], suite: int = 1) -> Point:
    group = group_of(suite)
    return group.base_mul(interpolate_scalars(some) if some else group.scalar(0))


@cache
def settled(n: int = 5, t: int = 3, seed: int = 0, suite: int = 1) -> Council:
    """A run that went well. Shared between tests: not to be changed."""
    return Council(n, t, seed=seed, suite=suite).settle()


def on(kind: Kind, change: Callable[[Council, int, bytes], bytes | None]) -> Tamper:
    """Replace the content of entries of one kind; None withholds it."""

    def tamper(council: Council, index: int, output: Output) -> Iterable[Output]:
        if not isinstance(output, ToLog) or output.kind is not kind:
            return (output,)
        content = output.payload[len(entry(bytes(32), b"")) :]
        changed = change(council, index, content)
        return () if changed is None else (ToLog(kind, entry(council.session, changed)),)

    return tamper


def redealt(change: Callable[[Council, int, Commitment], Commitment | bytes]) -> Tamper:
    """Commit to and reveal another dealing than the honest one."""

    def altered(council: Council, index: int, content: bytes) -> bytes:
        said = change(council, index, Commitment.decode(content, council.t))
        return said if isinstance(said, bytes) else said.encode()

    def tamper(council: Council, index: int, output: Output) -> Iterable[Output]:
        def commit(_council: Council, _index: int, _content: bytes) -> bytes:
            dealt = altered(council, index, council.states[index].commitment)
            return commitment_hash(council.session, index, dealt)

        if isinstance(output, ToLog) and output.kind is Kind.DKG_COMMIT:
            # The state that holds the commitment is the one just made.
            return on(Kind.DKG_COMMIT, commit)(council, index, output)
        return on(Kind.DKG_REVEAL, altered)(council, index, output)

    return tamper


def proved(council: Council, points: tuple[bytes, ...], secret: Scalar, ephemeral: bytes) -> Commitment:
    """A dealing with these points and a proof made with ``secret``."""
    context = council.states[1].record.context
    proof = cocktail.schnorr_sign(EDWARDS25519, secret, context.value + b"".join(points) + ephemeral)
    return replace(Commitment(points, b"", ephemeral), proof=proof)
