"""What a custodian that cheats has to hand: its own step, the honest machine's words, and dealings of its own making.

Everything is a function of what it knows, so that a step which is repeated forges the same again.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from escrow.committee import cocktail
from escrow.committee.cocktail import Commitment, Context, Pair, Route
from escrow.committee.dispute import Dispute, Ground
from escrow.committee.dkg import DkgState
from escrow.committee.messages import (
    Kind,
    Output,
    ToLog,
    ToMember,
    ciphertext_hash,
    commitment_hash,
    entry,
    read_entry,
    session_id,
)
from escrow.committee.record import Stage
from escrow.crypto.coins import Coins
from escrow.crypto.group import SIZE, Group, Point, Scalar
from escrow.crypto.sharing import Polynomial, random_polynomial
from escrow.errors import MalformedError

_FIELD: Final = (1 << 255) - 19


@dataclass(frozen=True)
class Moment:
    """One step of the honest machine: its state after it, and what it wants to say."""

    state: DkgState
    kept: DkgState
    """The state that last had the transport key of this run. An honest custodian would have erased it."""
    outputs: tuple[Output, ...]

    @property
    def index(self) -> int:
        """Our own."""
        return self.state.index

    @property
    def session(self) -> bytes:
        """Of the run."""
        return self.state.record.session

    @property
    def group(self) -> Group:
        """Of the suite."""
        return self.state.record.proposal.group

    @property
    def others(self) -> list[int]:
        """All other members."""
        return [member for member in range(1, self.state.record.proposal.n + 1) if member != self.index]

    @property
    def another_session(self) -> bytes:
        """An earlier run's; where there was none, the next one's."""
        run = self.state.record.run
        return session_id(self.state.record.proposal_bytes, run - 1 if run else run + 1)

    @property
    def transport(self) -> Scalar:
        """Our transport key."""
        if self.kept.transport is None:
            raise AssertionError("what is kept is kept for its transport key")
        return Scalar.decode(self.kept.transport.expose())

    def heard(self, stage: Stage) -> tuple[bytes, ...]:
        """What the others have said in a stage, as soon as all have; nothing before."""
        said = tuple(self.state.record.rows[stage][other - 1] for other in self.others)
        return said if all(said) else ()

    def owes(self, stage: Stage) -> bool:
        """Whether the run waits for us there."""
        return self.state.record.stage is stage and not self.state.record.rows[stage][self.index - 1]

    def say(self, kind: Kind, content: bytes, session: bytes = b"") -> ToLog:
        """An entry of this run, or of another."""
        return ToLog(kind, entry(session or self.session, content))

    def dispute(self, ground: Ground, accused: int, evidence: bytes = b"") -> ToLog:
        """A complaint."""
        return self.say(Kind.DKG_DISPUTE, Dispute(ground, accused, evidence).encode())


Play = Callable[[Moment], tuple[Output, ...]]
"""What leaves the custodian instead of ``moment.outputs``."""


@dataclass(frozen=True)
class Dealing:
    """A polynomial and an ephemeral key that the liar has chosen itself, so that it knows all of both."""

    moment: Moment
    polynomial: Polynomial
    ephemeral: Scalar

    @classmethod
    def of(cls, moment: Moment) -> "Dealing":
        """The same in every step of a run."""
        stream = Coins(hashlib.sha256(moment.session + moment.transport.encode()).digest())
        threshold = moment.state.record.proposal.threshold
        return cls(moment, random_polynomial(stream.take("polynomial", 32), threshold), stream.scalar("ephemeral"))

    @property
    def context(self) -> Context:
        """Of the run."""
        return self.moment.state.record.context

    @property
    def commitment(self) -> Commitment:
        """To the polynomial, as it should be."""
        return cocktail.commit(self.context, self.polynomial, self.ephemeral)

    def proved(self, points: Iterable[bytes], secret: Scalar, context: Context | None = None) -> Commitment:
        """These points, with a proof made with ``secret``."""
        of, points = context or self.context, tuple(points)
        public = of.group.base_mul(self.ephemeral).encode()
        proof = cocktail.schnorr_sign(of.group, secret, of.value + b"".join(points) + public)
        return Commitment(points, proof, public)

    def sealed(self, to: int, more: int = 0) -> bytes:
        """The share of member ``to``, or ``more`` than that, encrypted as it should be."""
        keys, group = self.moment.state.record.transports, self.moment.group
        public = group.base_mul(self.ephemeral).encode()
        route = Route(group, public, keys[self.moment.index - 1], keys[to - 1])
        pair: Pair = route.from_dealer(self.ephemeral, self.moment.transport)
        return cocktail.encrypt_share(self.context, route, pair, self.polynomial.evaluate(to) + Scalar(more))


def twisted(point: Point) -> bytes:
    """An Edwards point plus the point of order two: (x, y) becomes (-x, -y)."""
    encoded = int.from_bytes(point.encode(), "little")
    y, sign = encoded & ((1 << 255) - 1), encoded >> 255
    return ((_FIELD - y) | ((1 - sign) << 255)).to_bytes(SIZE, "little")


# -- ways to alter what leaves --------------------------------------------------------------------


def instead(kind: Kind, change: Callable[[Moment, bytes], bytes | None]) -> Play:
    """Another content in entries of one kind; None withholds them."""

    def play(moment: Moment) -> tuple[Output, ...]:
        altered: list[Output] = []
        for output in moment.outputs:
            if not isinstance(output, ToLog) or output.kind is not kind or (said := _content(output)) is None:
                altered.append(output)
            elif (content := change(moment, said)) is not None:
                altered.append(moment.say(kind, content))
        return tuple(altered)

    return play


def _content(output: ToLog) -> bytes | None:
    """What an entry says; None if it is none, which another deviation may have made of it."""
    try:
        return read_entry(output.payload)[1]
    except MalformedError:
        return None


def beside(kind: Kind, more: Callable[[Moment], Iterable[Output]]) -> Play:
    """Something else just before entries of one kind."""

    def play(moment: Moment) -> tuple[Output, ...]:
        said: list[Output] = []
        for output in moment.outputs:
            if isinstance(output, ToLog) and output.kind is kind:
                said += more(moment)
            said.append(output)
        return tuple(said)

    return play


def after_hearing(stage: Stage, say: Callable[[Moment], bytes]) -> Play:
    """Wait until the others have said what the stage asks for, and only then say something."""
    kind = Kind[stage.name]
    withheld = instead(kind, lambda *_: None)

    def play(moment: Moment) -> tuple[Output, ...]:
        outputs = withheld(moment)
        if moment.owes(stage) and moment.heard(stage):
            return (*outputs, moment.say(kind, say(moment)))
        return outputs

    return play


def dealing(
    change: Callable[[Dealing], Commitment] | None = None, seal: Callable[[Dealing, int], bytes] | None = None
) -> Play:
    """A dealing of our own throughout: its commitment may be changed, and what is sealed for each member."""

    def committed(moment: Moment) -> bytes:
        own = Dealing.of(moment)
        return (change(own) if change else own.commitment).encode()

    def sealed(moment: Moment, to: int) -> bytes:
        own = Dealing.of(moment)
        return seal(own, to) if seal else own.sealed(to)

    def play(moment: Moment) -> tuple[Output, ...]:
        return tuple(_dealt(moment, output, committed, sealed) for output in moment.outputs)

    return play


def _dealt(
    moment: Moment, output: Output, committed: Callable[[Moment], bytes], sealed: Callable[[Moment, int], bytes]
) -> Output:
    match output:
        case ToLog(Kind.DKG_COMMIT):
            content = commitment_hash(moment.session, moment.index, committed(moment))
            return moment.say(Kind.DKG_COMMIT, content)
        case ToLog(Kind.DKG_REVEAL):
            return moment.say(Kind.DKG_REVEAL, committed(moment))
        case ToLog(Kind.DKG_CIPHERTEXTS):
            return moment.say(Kind.DKG_CIPHERTEXTS, hashes(moment, lambda to: sealed(moment, to)))
        case ToMember(to):
            return ToMember(to, sealed(moment, to))
        case _:
            return output


def hashes(moment: Moment, sealed: Callable[[int], bytes]) -> bytes:
    """What a dealer logs of the ciphertexts that it sends."""
    n = moment.state.record.proposal.n
    named = ((to, sealed(to)) for to in range(1, n + 1))
    return b"".join(ciphertext_hash(moment.session, moment.index, to, each) for to, each in named)
