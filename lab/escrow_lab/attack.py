"""What an attack is: it is tried for real, and what became of it is one of three things.

An attack knows nothing of the outcome. It says ``Succeeded`` only with words that it has read and must not have, or
with a message that went through and that nobody who was promised it can read.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

from escrow.capsule.label import Label
from escrow.roles.agency.state import load_case
from escrow.warrant.item import Item
from escrow.world.founding import HOUR, ISSUERS
from escrow.world.loop import complete
from escrow_lab.demo import villains, warrants
from escrow_lab.demo.messages import account_of, lab_time
from escrow_lab.deployed import OFFICE, Deployed
from escrow_lab.regime import Message, Order, Regime, Sealed

ESCROWED: Final = ("escrow-tdh2", "escrow-ibe", "escrow-pq", "escrow-hybrid")
TARGET, OTHER, SECRET = "alice", "bob", "nobody else may read this"
_HOUR = HOUR // 1000


@dataclass(frozen=True, slots=True)
class Prevented:
    """It did not work: who or what has stopped it, and with which words."""

    kind: ClassVar[str] = "prevented"
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Detected:
    """Somebody has noticed, so many seconds after it began."""

    kind: ClassVar[str] = "detected"
    by: str
    after: int


@dataclass(frozen=True, slots=True)
class Succeeded:
    """What the attacker has now."""

    kind: ClassVar[str] = "succeeded"
    leaked: str


Outcome = Prevented | Detected | Succeeded


def talk(regime: Regime) -> list[Sealed]:
    """Two people speak for four hours; what each says is its own."""
    ends = (TARGET, OTHER), (OTHER, TARGET)
    said = (Message(n, n * _HOUR, *ends[n % 2], f"{SECRET} ({n})") for n in range(4))
    return [regime.seal(message) for message in said]


def tried(regime: Regime, sealed: list[Sealed], *corrupt: str) -> Outcome:
    """What these parties read of it together."""
    opener = regime.give(frozenset(corrupt))
    read = [text for each in sealed if (text := opener(each)) is not None]
    return Succeeded(read[0]) if read else Prevented("what they hold is not enough")


@dataclass(frozen=True, slots=True)
class Case:
    """A warrant on the target for the last two of the four hours, executed; and everything that the relay has kept."""

    regime: Deployed
    warrant_id: bytes

    @classmethod
    def opened(cls, regime: Deployed) -> "Case":
        """After the talk, by the book."""
        talk(regime)
        return cls(regime, regime.warrant(Order(TARGET, 2 * _HOUR, 4 * _HOUR)))

    def items(self, name: str) -> list[Item]:
        """What the relay has kept of somebody's messages, in order, with all its proofs."""
        return kept_of(self.regime, name)

    def demand(self, items: list[Item]) -> Outcome:
        """Ask every custodian for these under the warrant, whatever it covers."""
        stage = self.regime.stage
        agency = complete(stage.agency(OFFICE))
        case = complete(agency.read(lambda view: load_case(view, self.warrant_id)))
        sealed = warrants.Sealed(OFFICE, case, case.dsse, case.salt)
        return answered(complete(warrants.request(stage, sealed, items)))


def kept_of(regime: Deployed, name: str) -> list[Item]:
    """A relay that colludes hands over whatever it has of somebody."""
    stage = regime.stage
    disk = complete(stage.stolen_disk("relay"))
    account = complete(account_of(stage.device(name)))
    kept = [
        (seq, one) for seq, one in villains.kept_items(stage, disk) if Label.decode(one.label).sender_account == account
    ]
    return [villains.with_proofs(stage, disk, seq, one) for seq, one in kept]


def with_one_lock(regime: Deployed, person: str = ISSUERS[0]) -> Outcome:
    """A corrupt desk seals what one person alone has signed, and a corrupt relay hands over the items."""
    talk(regime)
    stage = regime.stage
    complete(stage.advance_to(stage.now + regime.genesis.policy.ingest_cadence + HOUR))
    complete(stage.settle())
    account = complete(account_of(stage.device(TARGET)))
    terms = warrants.Terms(account, (lab_time(0), stage.now), stage.now, stage.now + 24 * HOUR)
    application = complete(warrants.apply(stage, OFFICE, terms))
    sealed = complete(warrants.seal_with_one_lock(stage, application, person))
    return answered(complete(warrants.request(stage, sealed, kept_of(regime, TARGET)[:1])))


def answered(answers: dict[str, str]) -> Outcome:
    """Custodians that answer without a reason have released."""
    released = sorted(party for party, reason in answers.items() if not reason)
    if released:
        return Succeeded(f"shares of {', '.join(released)}")
    return Prevented("every custodian", ", ".join(sorted(set(answers.values()))))


def facts(outcome: Outcome) -> dict[str, Any]:
    """For JSON."""
    return {"outcome": outcome.kind} | asdict(outcome)
