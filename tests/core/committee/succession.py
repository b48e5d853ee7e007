"""A handover in memory: a list is the log, another one the mail. Any member may say something else than it should."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

from escrow.committee import handover
from escrow.committee.documents import CommitteeKey, ShareGeneration
from escrow.committee.handover import HandoverState, Me
from escrow.committee.messages import Abandoned, HandoverOutput, Kind, Renewed, ToLog, ToMember, entry
from escrow.committee.resharing import Resharing, Stage
from escrow.committee.succession import HandoverProposal
from escrow.crypto.group import Scalar
from escrow.crypto.sign import SigningKey
from escrow.crypto.suites import group_of
from escrow.secret import Secret
from tests.core.committee.council import documents, identity, settled, shares

Tamper = Callable[["Handover", int, HandoverOutput], Iterable[HandoverOutput]]


@dataclass(frozen=True)
class Held:
    """A generation with everybody's shares, by index: what only a test may hold. ``people`` are names of members."""

    suite: int
    key: CommitteeKey
    generation: ShareGeneration
    people: tuple[int, ...]
    shares: dict[int, Scalar]

    def share_of(self, person: int) -> Secret | None:
        held = self.shares.get(self.people.index(person) + 1) if person in self.people else None
        return None if held is None else Secret(held.encode())


@cache
def made(n: int = 5, t: int = 3, suite: int = 1, seed: int = 0) -> Held:
    council = settled(n, t, seed, suite)
    return Held(suite, *documents(council), tuple(council.members), shares(council))


def honest(_handover: "Handover", _person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
    return (output,)


def key_of(person: int) -> SigningKey:
    return identity(person)


@dataclass
class Handover:
    """``corrupt`` people run the honest machine; what comes out of it passes through ``tamper``."""

    before: Held
    people: tuple[int, ...]
    threshold: int
    corrupt: frozenset[int] = frozenset()
    tamper: Tamper = honest
    place: int = 7
    seed: int = 0
    log: list[tuple[Kind, bytes, bytes]] = field(default_factory=list)
    mail: list[tuple[int, int, bytes]] = field(default_factory=list)
    traffic: list[tuple[int, int, bytes]] = field(default_factory=list)
    """(old index, new index, ciphertext) as an eavesdropper keeps it."""
    states: dict[int, HandoverState] = field(default_factory=dict)
    history: dict[int, list[HandoverState]] = field(default_factory=dict)
    ended: dict[int, Renewed | Abandoned] = field(default_factory=dict)
    read: int = 0
    now: int = 0

    def __post_init__(self) -> None:
        members = tuple(key_of(person).public for person in self.people)
        self.proposal = HandoverProposal(
            self.before.suite, self.before.generation.hash, members, self.threshold, bytes(16)
        )
        record = Resharing.begin(self.proposal, self.before.generation, self.before.key.public, self.place)
        for person in self.everybody:
            coins = (self.seed * 1000 + person).to_bytes(32, "big")
            self._did(person, handover.begin(self.me(person), record, self.now, coins))

    @property
    def everybody(self) -> list[int]:
        return sorted({*self.before.people, *self.people})

    @property
    def honest(self) -> list[int]:
        return [person for person in self.everybody if person not in self.corrupt]

    @property
    def record(self) -> Resharing:
        """As the first honest member knows it."""
        return self.states[self.honest[0]].record

    def me(self, person: int) -> Me:
        return Me(key_of(person), self.before.share_of(person))

    def say(self, person: int, kind: Kind, content: bytes) -> None:
        self.log.append((kind, key_of(person).public, entry(self.record.session, content)))

    def settle(self) -> "Handover":
        """Deliver everything until nothing moves."""
        while self.mail or self.read < len(self.log):
            self.read_letter() if self.mail else self.read_entry()
        return self

    def until(self, stage: Stage) -> "Handover":
        while self.record.stage < stage:
            self.read_letter() if self.mail else self.read_entry()
        return self

    def read_letter(self) -> None:
        sender, to, ciphertext = self.mail.pop(0)
        person = self.people[to - 1]
        self._did(person, handover.on_ciphertext(self.states[person], self.me(person), sender, ciphertext))

    def read_entry(self) -> None:
        kind, submitter, payload = self.log[self.read]
        self.read += 1
        for person in self.everybody:
            state = self.states[person]
            self._did(person, handover.on_entry(state, self.me(person), kind, submitter, payload, self.now))

    def wait(self, milliseconds: int) -> "Handover":
        self.now += milliseconds
        for person in self.everybody:
            self._did(person, handover.on_tick(self.states[person], self.now))
        return self.settle()

    def abandoned(self) -> Abandoned:
        """The verdict, after checking that all honest members have the same one and that it names none of them."""
        (verdict,) = {self.ended.get(person) for person in self.honest}
        assert isinstance(verdict, Abandoned)
        assert verdict.culprits
        assert not verdict.culprits & {key_of(person).public for person in self.honest}, "an honest member is blamed"
        return verdict

    def after(self) -> Held:
        """The new generation and its shares, after checking that everybody has the same one."""
        (end,) = {self.ended.get(person) for person in self.honest}
        assert isinstance(end, Renewed)
        taken = {}
        for index, person in enumerate(self.people, start=1):
            share = next((s.share for s in reversed(self.history[person]) if s.share is not None), None)
            assert share is not None, "every new member held its share before the generation was made"
            taken[index] = group_of(self.before.suite).scalar.decode(share.expose())
        return Held(self.before.suite, self.before.key, ShareGeneration.decode(end.generation), self.people, taken)

    def _did(self, person: int, step: handover.Step) -> None:
        state, outputs = step
        self.states[person] = state
        self.history.setdefault(person, []).append(state)
        for said in outputs:
            tampered = self.tamper(self, person, said) if person in self.corrupt else (said,)
            for output in tampered:
                match output:
                    case ToLog(kind, payload):
                        self.log.append((kind, key_of(person).public, payload))
                    case ToMember(to, ciphertext):
                        self.mail.append((state.giver, to, ciphertext))
                        self.traffic.append((state.giver, to, ciphertext))
                    case _:
                        assert person not in self.ended, "a handover ends once"
                        self.ended[person] = output


def content_of(said: ToLog) -> bytes:
    return said.payload[len(entry(bytes(32), b"")) :]


def on(kind: Kind, change: Callable[[Handover, int, bytes], bytes | None]) -> Tamper:
    """Replace the content of entries of one kind; None withholds it."""

    def tamper(story: Handover, person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        if not isinstance(output, ToLog) or output.kind is not kind:
            return (output,)
        changed = change(story, person, content_of(output))
        return () if changed is None else (ToLog(kind, entry(story.states[person].record.session, changed)),)

    return tamper


def without(kind: Kind) -> Tamper:
    return on(kind, lambda *_: None)


def done(before: Held, people: tuple[int, ...], threshold: int, seed: int = 0) -> Held:
    return Handover(before, people, threshold, seed=seed).settle().after()
