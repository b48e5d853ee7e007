"""The machine of an agency: an execution goes from the authority to the relay, the log and the custodians by itself."""

import hashlib
from dataclasses import dataclass

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.agency import applying
from escrow.roles.agency.asking import ask
from escrow.roles.agency.collecting import collect, read_again, report
from escrow.roles.agency.commands import (
    Applied,
    Execute,
    GetOpened,
    GetReport,
    NewApplication,
    Opened,
    Refresh,
    Succeed,
    Withdraw,
)
from escrow.roles.agency.holders import owe_release
from escrow.roles.agency.state import Investigation, all_asked, all_opened, keep_item, load_case, save_case
from escrow.roles.calls import Apply, Call, Case, Done, GetCase, Produce, Produced, Release, Reply, WithdrawCase
from escrow.roles.lightview import LightView
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Writes
from escrow.warrant.documents import parse_warrant
from escrow.warrant.genesis import Genesis

AUTHORITY = Party("authority")
RELAY = Party("relay")

_EXECUTING = b"executing/"
_WAITING = b"waiting/"


@dataclass(frozen=True)
class Agency:
    """The role of the party ``agency/<name>``."""

    genesis: Genesis
    name: str

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        """See ``Role``."""
        draft, result = Draft(view), None
        match event:
            case Called(caller, call):
                if caller != f"agency/{self.name}":
                    raise RefusedError(Reason.PERMISSION_DENIED, "an agency takes commands from its own users alone")
                result = self._called(draft, call, now, Coins(coins))
            case Answered():
                self._answered(draft, event, now, Coins(coins))
            case CatchUp() | Tick():
                pass  # it acts when it is told to
        return draft.writes(), result

    @property
    def _light(self) -> LightView:
        return LightView(self.genesis)

    # -- commands -----------------------------------------------------------------------------

    def _called(self, draft: Draft, call: Call, now: Millis, coins: Coins) -> Reply:
        match call:
            case NewApplication():
                return self._file(draft, applying.write(self.genesis, call, coins))
            case Succeed(warrant_id):
                before = load_case(draft, warrant_id)
                return self._file(draft, applying.succeed(self.genesis, before, call, now, coins))
            case Execute(warrant_id):
                self._execute(draft, warrant_id, now)
                return Done()
            case Withdraw(warrant_id) | Refresh(warrant_id):
                load_case(draft, warrant_id)
                asks = WithdrawCase if isinstance(call, Withdraw) else GetCase
                draft.owe(AUTHORITY, asks(warrant_id))
                return Done()
            case GetReport(warrant_id):
                return report(draft, self._light, warrant_id)
            case GetOpened(warrant_id, start, limit):
                return Opened(start, tuple(all_opened(draft, warrant_id)[start : start + limit]))
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, "an agency does not answer this")

    def _file(self, draft: Draft, case: Investigation) -> Applied:
        """Remember an application and owe it to the authority."""
        warrant_id = case.payload.id
        save_case(draft, warrant_id, case)
        draft.owe(AUTHORITY, Apply(case.payload_bytes, case.profile))
        return Applied(warrant_id, case.payload_bytes)

    def _execute(self, draft: Draft, warrant_id: bytes, now: Millis) -> None:
        case = load_case(draft, warrant_id)
        save_case(draft, warrant_id, replace(case, refused=""))
        draft.put(_EXECUTING + warrant_id, b"")
        self._light.hope_again(draft)
        self._light.refresh(draft, now - self.genesis.fresh_ms // 2)
        for _, asked in all_asked(draft, warrant_id):
            owe_release(draft, self._light, warrant_id, asked)
        draft.owe(AUTHORITY, GetCase(warrant_id))

    # -- answers ------------------------------------------------------------------------------

    def _answered(self, draft: Draft, event: Answered, now: Millis, coins: Coins) -> None:
        if self._answer_of_log(draft, event, now):
            for key, _ in list(draft.scan(_WAITING)):
                self._ask(draft, key[len(_WAITING) :], coins)
            read_again(draft, self._light)
            return
        draft.settle(event.todo)
        match event.todo.call:
            case Apply(payload):
                self._on_case(draft, parse_warrant(payload).id, event.reply)
            case GetCase(warrant_id) | WithdrawCase(warrant_id):
                self._on_case(draft, warrant_id, event.reply)
            case Produce() as call:
                self._on_produced(draft, call, event.reply, coins)
            case Release(request=request):
                collect(draft, self._light, hashlib.sha256(request).digest(), event.todo.to, event.reply, now)
            case _:
                pass

    def _answer_of_log(self, draft: Draft, event: Answered, now: Millis) -> bool:
        """A fork stops us. Any other answer that proves nothing is as good as none."""
        attempt = Draft(draft)
        try:
            taken = self._light.on_answer(attempt, event, now)
        except (MalformedError, RefusedError):
            self._light.give_up(draft, event.todo)
            return True
        draft.absorb(attempt)
        return taken

    def _on_case(self, draft: Draft, warrant_id: bytes, reply: Reply | EscrowError) -> None:
        case = load_case(draft, warrant_id)
        match reply:
            case Case() as known if known.payload == case.payload_bytes:
                case = replace(case, state=known.state, signers=known.signers, dsse=known.dsse, salt=known.salt)
                if draft.get(_EXECUTING + warrant_id) is not None:
                    draft.delete(_EXECUTING + warrant_id)
                    self._produce(draft, warrant_id, case, 0)
            case EscrowError() as error:
                case = replace(case, refused=error.reason.name)
                draft.delete(_EXECUTING + warrant_id)
            case _:
                case = replace(case, refused=Reason.SEAL_MISMATCH.name)
        save_case(draft, warrant_id, case)

    def _produce(self, draft: Draft, warrant_id: bytes, case: Investigation, start: int) -> None:
        call = Produce(case.dsse, case.salt, start)
        draft.put(_produce_key(call), warrant_id)
        draft.owe(RELAY, call)

    def _on_produced(self, draft: Draft, call: Produce, reply: Reply | EscrowError, coins: Coins) -> None:
        warrant_id = draft.get(_produce_key(call))
        if warrant_id is None:
            return  # answered before
        draft.delete(_produce_key(call))
        case = load_case(draft, warrant_id)
        match reply:
            case Produced(items, following):
                for item in items:
                    keep_item(draft, warrant_id, item)
                if following > call.start:
                    self._produce(draft, warrant_id, case, following)
                else:
                    self._ask(draft, warrant_id, coins)
            case EscrowError() as error:
                save_case(draft, warrant_id, replace(case, refused=error.reason.name))

    def _ask(self, draft: Draft, warrant_id: bytes, coins: Coins) -> None:
        """Make requests of what was produced, or wait for what the log says about the committee."""
        if ask(draft, self._light, warrant_id, load_case(draft, warrant_id), coins):
            draft.delete(_WAITING + warrant_id)
        else:
            draft.put(_WAITING + warrant_id, b"")


def _produce_key(call: Produce) -> bytes:
    return b"produce/" + hashlib.sha256(call.dsse + call.salt + call.start.to_bytes(8, "big")).digest()
