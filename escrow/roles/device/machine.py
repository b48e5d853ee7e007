"""The device's steps: commands of its user, answers of the others, and what follows from either.

Every step ends the same way: deferred deliveries are tried again, queued messages are sealed as far as what they need
is known, and whatever is missing is asked for. So a crash, a late answer and a new message take one and the same path.
Checks and byte layouts live in ``sending`` and ``receiving``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.crypto.kem import Kem, SystemKem
from escrow.e2ee.content import Original, Text, check_size
from escrow.encoding import u64
from escrow.errors import DeferredError, EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import (
    Append,
    Appended,
    Call,
    Done,
    Enroll,
    Fetch,
    Fetched,
    Found,
    GetBundle,
    GetHead,
    GetIngestPaths,
    GetNotes,
    GetUpdate,
    LeaveNote,
    Lookup,
    PrekeyBundle,
    RegisterRoute,
    Reply,
    Submit,
)
from escrow.roles.device import (
    acquaintance,
    attaching,
    commands,
    delivering,
    enrolment,
    groups,
    joining,
    link_steps,
    outcome,
    own_devices,
    prekeeping,
    report,
)
from escrow.roles.device.audit import Audit
from escrow.roles.device.beginning import Beginning
from escrow.roles.device.blame import NOBODY
from escrow.roles.device.directory import on_found
from escrow.roles.device.history import GetHistory, history
from escrow.roles.device.incoming import Incoming
from escrow.roles.device.linking import GetDevices, GetLinking
from escrow.roles.device.monitor import Monitor
from escrow.roles.device.reading import Reader
from escrow.roles.device.receiving import Receiver
from escrow.roles.device.sending import Sender
from escrow.roles.device.state import (
    ESCROW,
    PLAIN,
    Change,
    Queued,
    enqueue,
    load_me,
    load_queued,
    queue_key,
    raise_alarm,
    say,
)
from escrow.roles.lightview import LightView
from escrow.roles.machine import OUTBOX, Answered, Called, Draft, Event, Read, Writes
from escrow.roles.state import unpack
from escrow.warrant.genesis import Genesis


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one account. ``kem`` is a port: encapsulation draws randomness of its own.

    ``receipts``: whether senders are told what was shown, as long as the user has not said which.
    """

    genesis: Genesis
    kem: Kem = field(default_factory=SystemKem)
    receipts: bool = False

    @property
    def view(self) -> LightView:
        """What this device knows of the log."""
        return LightView(self.genesis)

    @property
    def _incoming(self) -> Incoming:
        return Incoming(Receiver(self.genesis, self.view), Reader(self.genesis, self.view), self.receipts)

    @property
    def _monitor(self) -> Monitor:
        return Monitor(self.view)

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        """Take one step; see ``Role.handle``."""
        draft, draw = Draft(view), Coins(coins)
        result: object = None
        match event:
            case Called(call=call) if (answer := self._read(view, call)) is not None:
                return Writes(), answer
            case Called(call=call):
                result = self._command(draft, call, now, draw)
            case Answered():
                self._answer(draft, event, now, draw)
            case _:
                self._hope_again(draft)
        if draft.get(b"me") is not None:
            acquaintance.find_out(draft, self.view)
            own_devices.look_on(draft, self.view, now)
            self._incoming.try_again(draft, now)
            self._incoming.follow_up(draft, now)
            self._seal_queue(draft, now, draw)
            Audit(self.view).go_on(draft, now)
        else:
            joining.settle(draft, self.view, now, draw)
        return draft.writes(), result

    def _read(self, view: Read, call: Call) -> Reply | None:
        """The answer to a question that changes nothing; None for a command."""
        questions: dict[type[Call], Callable[[Any], Reply]] = {
            commands.GetInbox: lambda asked: report.inbox(view, self.view, asked.start),
            commands.GetStatus: lambda _: report.status(view, self.view, receipts=self.receipts),
            commands.GetSafety: lambda asked: acquaintance.safety(view, self.view, asked.peer),
            GetHistory: lambda asked: history(view, self.view, asked.peer),
            GetDevices: lambda _: report.devices(view, self.view),
            GetLinking: lambda _: link_steps.report(view),
        }
        answer = questions.get(type(call))
        return None if answer is None else answer(call)

    # -- commands -----------------------------------------------------------------------------

    def _command(self, draft: Draft, call: Call, now: Millis, draw: Coins) -> Reply:
        self._hope_again(draft)
        acquaintance.forget(draft)
        match call:
            case commands.Register(name=name):
                return commands.Registered(enrolment.register(draft, self.genesis, name, draw), name)
            case commands.Send(to=to, mode=mode, text=text):
                self._queue(draft, to, mode, Text(text))
            case commands.NewAttachment():
                return attaching.new_key(draft, call, draw)
            case commands.SendFile(to=to, mode=mode, file=file):
                self._queue(draft, to, mode, file)
                attaching.sent(draft, file)
            case commands.CreateGroup() | commands.ChangeGroup():
                self._queue(draft, call.name, *groups.planned(draft, call))
            case commands.Sync():
                prekeeping.forget(draft, now)
                self.view.keep_up(draft, now)  # whatever comes is judged by the log as it is now
                self._incoming.fetch(draft)
                self._monitor.watch(draft, now)
            case commands.WatchMe():
                self._monitor.watch(draft, now, asked=True)
            case commands.Meet() | commands.Confirm() | commands.SendReceipts():
                self._choose(draft, call, now)
            case _:
                link_steps.command(draft, self.genesis, self.view, call, now, draw)
        return Done()

    def _choose(
        self, draft: Draft, call: commands.Meet | commands.Confirm | commands.SendReceipts, now: Millis
    ) -> None:
        match call:
            case commands.Meet(peer=peer):
                acquaintance.meet(draft, self.view, peer, now)
            case commands.Confirm(peer=peer, list_hash=list_hash):
                acquaintance.confirm(draft, self.view, peer, list_hash)
            case commands.SendReceipts(on=on):
                delivering.choose(draft, on=on)

    def _queue(self, draft: Draft, to: str, mode: int, content: Original | Change) -> None:
        if mode not in (PLAIN, ESCROW):
            raise RefusedError(Reason.USAGE, f"no mode {mode}")
        said = map(Text, (*content.add, *content.remove)) if isinstance(content, Change) else (content,)
        for each in (Text(to), *said):
            check_size(each)  # what cannot be sent is refused before it is queued
        if groups.is_group(to) and not isinstance(content, Change) and groups.mode_of(draft, to) != mode:
            raise RefusedError(Reason.MODE_MISMATCH, f"{to} keeps the mode that it was begun in")
        say(draft, to, mode, content)

    def _hope_again(self, draft: Draft) -> None:
        self.view.hope_again(draft)
        outcome.hope_again(draft)
        Audit(self.view).hope_again(draft)

    # -- answers ------------------------------------------------------------------------------

    def _answer(self, draft: Draft, event: Answered, now: Millis, draw: Coins) -> None:
        """An answer counts once. Pages of the mailbox know by their numbers whether they came before."""
        owed = draft.get(OUTBOX + u64(event.todo.number)) is not None
        if not owed and not isinstance(event.todo.call, Fetch):
            return
        draft.settle(event.todo)
        if owed and isinstance(event.reply, Fetched):
            prekeeping.on_fetched(draft, self.genesis, event.reply, now, draw)
        if not self._answer_of_log(draft, event, now):
            self._answer_of_others(draft, event, now, draw)

    def _answer_of_log(self, draft: Draft, event: Answered, now: Millis) -> bool:
        """A fork stops us. Any other answer that proves nothing is as good as none."""
        attempt = Draft(draft)
        try:
            taken = self._take_from_log(attempt, event, now)
        except (MalformedError, RefusedError) as error:
            self.view.give_up(draft, event.todo)
            raise_alarm(draft, error.reason, NOBODY, f"the log's answer: {error.detail}", now)
            return True
        draft.absorb(attempt)
        return taken

    def _take_from_log(self, draft: Draft, event: Answered, now: Millis) -> bool:
        if isinstance(event.todo.call, GetUpdate):
            self._monitor.on_update(draft, event.todo.call, event.reply, now)
            return True
        taken = self.view.on_answer(draft, event, now)
        if isinstance(event.todo.call, GetHead):
            self._monitor.read_on(draft, now)
        return taken

    def _answer_of_others(self, draft: Draft, event: Answered, now: Millis, draw: Coins) -> None:
        match event.todo.call, event.reply:
            case ((Append() | Enroll() | GetNotes() | LeaveNote()), _):
                self._answer_about_me(draft, event, now, draw)
            case Lookup() as call, (Found() | EscrowError()) as reply:
                self._on_lookup(draft, call, reply, now, draw)
            case GetBundle() as call, (PrekeyBundle() | EscrowError()) as reply:
                Beginning(self.view, self.kem).on_bundle(draft, call, reply, now, draw)
            case RegisterRoute() as call, EscrowError() as error:
                outcome.on_route_refused(draft, call, error, now)
            case Submit() as call, reply:
                outcome.on_submitted(draft, self.genesis, call, reply, now)
            case GetIngestPaths() as call, reply:
                Audit(self.view).on_answer(draft, call, reply, now)
            case Fetch() as call, Fetched() as reply:
                self._incoming.on_fetched(draft, call, reply, now)
            case _:
                pass  # done, or out of reach: the next command asks again

    def _answer_about_me(self, draft: Draft, event: Answered, now: Millis, draw: Coins) -> None:
        match event.todo.call, event.reply:
            case Append() as call, Appended() as reply:
                devices = own_devices.on_logged(draft, call, reply, now)
                link_steps.on_list(draft, self.genesis, devices, now, draw)
            case Enroll(), Done():
                enrolment.on_enrolled(draft)
            case (Append() | Enroll()) as call, EscrowError() as error:
                raise_alarm(draft, error.reason, error.culprits, type(call).__name__, now)
            case _:
                link_steps.on_answer(draft, self.genesis, event, draw)

    def _on_lookup(self, draft: Draft, call: Lookup, reply: Found | EscrowError, now: Millis, draw: Coins) -> None:
        """Remember whose name it is; if it is nobody's, what was meant for it cannot be sent."""
        try:
            on_found(draft, call, reply)
        except (MalformedError, RefusedError) as error:
            acquaintance.not_found(draft, call.name)
            for _, data in list(draft.scan(b"queue/")):
                message = unpack(data, Queued)
                if outcome.is_about(message, call.name):
                    outcome.refuse(draft, message, error, now, draw)

    # -- what follows -------------------------------------------------------------------------

    def _seal_queue(self, draft: Draft, now: Millis, draw: Coins) -> None:
        """Seal what can be sealed, oldest first and in order per peer."""
        if not load_me(draft).enrolled:
            return
        sender, blocked = Sender(self.genesis, self.view), set[tuple[str, int]]()
        for _, data in list(draft.scan(b"queue/")):
            message = unpack(data, Queued)
            lane = (message.to, message.mode)
            if lane in blocked or message.tries >= outcome.MOST_TRIES:
                blocked.add(lane)
                continue
            attempt = Draft(draft)
            try:
                content = message.content
                if isinstance(content, Change):
                    content = groups.carry_out(attempt, self.genesis, message, content, now, draw)
                    enqueue(attempt, replace(message, content=content))
                sender.send(attempt, replace(message, content=content), content, now, draw)
            except DeferredError as wait:
                blocked.add(lane)
                draft.absorb(attempt)  # it holds the questions for what is missing, and a change that was made
                enqueue(draft, replace(load_queued(draft, message), waits=wait.reason.name))
            except (MalformedError, RefusedError) as error:
                outcome.refuse(draft, message, error, now, draw)
            else:
                draft.absorb(attempt)
                draft.delete(queue_key(message))
