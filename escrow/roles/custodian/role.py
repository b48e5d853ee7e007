"""The machine of a custodian: which of its parts takes which event."""

from dataclasses import dataclass, field

from escrow.crypto.coins import Coins
from escrow.crypto.hpke import Hpke, SystemHpke
from escrow.crypto.sign import SigningKey
from escrow.encoding import u64
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.calls import (
    Append,
    Call,
    DeliverDealing,
    DeliverOrder,
    Done,
    GetCommittee,
    GetUpdate,
    GetWaiting,
    JudgeRelease,
    Release,
)
from escrow.roles.custodian import orders
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.disclosing import Disclosing
from escrow.roles.custodian.erasing import Erasing
from escrow.roles.custodian.generation import KeyMaking
from escrow.roles.custodian.operators import Operators
from escrow.roles.custodian.release import Releasing
from escrow.roles.custodian.succeeding import Succeeding
from escrow.roles.follower import LOG, Follower
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Writes
from escrow.roles.together import Together, one_by_one
from escrow.warrant.genesis import Genesis, Lock

_AGAIN = b"again/"


@dataclass(frozen=True)
class Custodian:
    """Custodian ``index`` with its identity key; ``hpke`` seals its responses, ``together`` makes many shares.

    Up to ``n`` the policy names it and it makes the committee's keys; beyond, only the roots can give it a share.
    """

    genesis: Genesis
    index: int
    identity: SigningKey
    hpke: Hpke = field(default_factory=SystemHpke)
    people: Lock | None = None
    """Who must agree to a release, and how many of them; nobody: it goes by the rules alone."""
    together: Together = one_by_one

    def __post_init__(self) -> None:
        if self._makes_keys and self.genesis.custodian_keys[self.party] != self.identity.public:
            raise AssertionError(f"{self.party} has another identity key")

    @property
    def party(self) -> Party:
        """Under which name others reach it."""
        return Party(self.genesis.policy.custodians[self.index - 1] if self._makes_keys else f"custodian/{self.index}")

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        """See ``Role``."""
        draft, stream = Draft(view), Coins(coins)
        match event:
            case Called(caller, call):
                result = self._called(draft, caller, call, now, stream)
                return draft.writes(), result
            case Answered(todo, reply) if isinstance(todo.call, GetUpdate):
                entries = self._follower.on_update(draft, todo, reply, now)
                orders.on_entries(draft, self._follower, entries)
                if self._makes_keys:
                    self._key_making.on_entries(draft, entries, now, stream)
                self._succeeding.on_entries(draft, entries, now, stream)
            case Answered(todo, reply):
                draft.settle(todo)
                if isinstance(todo.call, Append) and isinstance(reply, EscrowError):
                    draft.put(_AGAIN + u64(todo.number), todo.call.entries[0])
            case CatchUp():
                self._follower.catch_up(draft, now, asked=True)
            case Tick():
                _say_again(draft)
                self._follower.catch_up(draft, now)
                if self._makes_keys:
                    self._key_making.on_tick(draft, now, stream)
                self._succeeding.on_tick(draft, now, stream)
                self._releasing.sweep(draft, now)
                self._erasing.on_tick(draft, now)
                self._disclosing.on_tick(draft, now)
        return draft.writes(), None

    def _called(self, draft: Draft, caller: Party, call: Call, now: Millis, coins: Coins) -> object:
        settled = self._follower.settled(draft)
        match call:
            case Release():
                return self._releasing.answer(draft, caller, call, now, coins, settled=settled)
            case GetCommittee():
                return self._key_making.status(draft, now)
            case GetWaiting():
                return self._operators.waiting(draft, caller)
            case DeliverDealing():
                if not self._succeeding.on_dealing(draft, caller, call):
                    self._key_making.on_dealing(draft, caller, call, now, coins)
            case Refresh(period) if caller == self.party:
                self._succeeding.propose(draft, period, now, coins)
            case JudgeRelease():
                self._operators.judge(draft, caller, call)
            case DeliverOrder():
                orders.receive(draft, self._follower, self.identity, call.order)
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, "a custodian does not answer this")
        return Done()

    @property
    def _makes_keys(self) -> bool:
        return self.index <= self.genesis.policy.n

    @property
    def _follower(self) -> Follower:
        return Follower(self.genesis)

    @property
    def _key_making(self) -> KeyMaking:
        return KeyMaking(self._follower, self.index, self.identity)

    @property
    def _succeeding(self) -> Succeeding:
        return Succeeding(self._follower, self.identity)

    @property
    def _erasing(self) -> Erasing:
        return Erasing(self._follower, self.identity)

    @property
    def _releasing(self) -> Releasing:
        return Releasing(self._follower, self.identity, self.hpke, self._operators, self.together)

    @property
    def _operators(self) -> Operators:
        return Operators(self.identity.public, self.people)

    @property
    def _disclosing(self) -> Disclosing:
        return Disclosing(self._follower, self.identity)


def _say_again(draft: Draft) -> None:
    """Owe what the log has turned away unread: a request waits for its intent, and a committee for each of us."""
    for key, entry in list(draft.scan(_AGAIN)):
        draft.delete(key)
        draft.owe(LOG, Append((entry,)))
