"""The relay: it takes what devices submit, signs for it, and keeps it until it is fetched.

It reads no content. It checks that every escrowed item can be opened by the committee and by nobody it should not be,
so far as that shows without a secret; what it lets through wrongly, receivers catch. Plain items pass it untouched.
"""

from dataclasses import dataclass, field

from msgspec.structs import replace

from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.callers import device_of
from escrow.roles.calls import (
    Append,
    Call,
    Enroll,
    Fetch,
    GetBundle,
    GetChunk,
    GetIngestPaths,
    GetNotes,
    GetUpdate,
    LeaveNote,
    Lookup,
    Produce,
    PutChunk,
    RegisterRoute,
    Reply,
    Submit,
)
from escrow.roles.follower import Follower
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Writes
from escrow.roles.relay.accepting import Acceptor
from escrow.roles.relay.blobs import Blobs, BlobTerms
from escrow.roles.relay.checks import Sender
from escrow.roles.relay.ingest import Ingest
from escrow.roles.relay.mailbox import Mailbox
from escrow.roles.relay.meetings import Meetings
from escrow.roles.relay.prekeys import Directory
from escrow.roles.relay.producing import Producer
from escrow.roles.relay.routes import Routes
from escrow.warrant.genesis import Genesis

RATE = 10_000


@dataclass(frozen=True, slots=True)
class Relay:
    """The role of the party ``relay``. ``key`` is the one that the genesis names.

    ``rate`` is how many items a device may have accepted in one second, ``blobs`` what is granted for attachments.
    """

    genesis: Genesis
    key: SigningKey
    rate: int = RATE
    blobs: BlobTerms = field(default_factory=BlobTerms)

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:  # noqa: ARG002
        """See ``Role.handle``."""
        draft = Draft(view)
        result: object = None
        match event:
            case Called(caller=caller, call=call):
                result = self._answer(view, draft, caller, call, now)
            case Answered(todo=todo, reply=reply) if isinstance(todo.call, GetUpdate):
                for _, entry in self._follower.on_update(draft, todo, reply, now):
                    self._ingest.on_followed(draft, entry)
            case Answered(todo=todo, reply=reply) if isinstance(todo.call, Append):
                draft.settle(todo)
                self._ingest.on_appended(draft, reply)
                self._follower.catch_up(draft, now)
            case Tick():
                Mailbox(self.genesis).purge(draft, now)
                self._blobs.purge(draft, now)
                Meetings().purge(draft, now)
                due = self.next_due(draft)
                if due is not None and now >= due:
                    self._ingest.log_root(draft, now)
                self._follower.catch_up(draft, now)
            case CatchUp():
                self._ingest.log_root(draft, now)
                self._follower.catch_up(draft, now, asked=True)
        return draft.writes(), result

    def next_due(self, view: Read | Draft) -> Millis | None:
        """When the next ingest root is due: whoever drives the clock must not pass that without a tick."""
        return self._ingest.next_due(view)

    @property
    def _follower(self) -> Follower:
        return Follower(self.genesis)

    @property
    def _blobs(self) -> Blobs:
        return Blobs(self._follower, self.blobs)

    @property
    def _ingest(self) -> Ingest:
        return Ingest(self.genesis, self.key)

    def _answer(self, view: Read, draft: Draft, caller: Party, call: Call, now: Millis) -> Reply:
        settled = self._follower.settled(draft)
        directory = Directory(self._follower)
        mailbox, routes = Mailbox(self.genesis), Routes(self.genesis)
        reply: Reply
        match call:
            case Enroll() | Lookup() | GetBundle():
                reply = _look_up(directory, draft, caller, call, now)
            case RegisterRoute():
                reply = routes.register(draft, *device_of(caller), call, now)
            case Submit(items=items):
                acceptor = Acceptor(self._follower, view, self.key, self.rate)
                reply = acceptor.submit(draft, Sender(*device_of(caller)), items, now, settled=settled)
            case Fetch():
                fetched = mailbox.fetch(draft, *device_of(caller), call, now)
                reply = replace(fetched, prekeys=directory.stock(draft, *device_of(caller)))
            case PutChunk() | GetChunk():
                reply = self._blobs.answer(draft, caller, call, now)
            case GetIngestPaths():
                device_of(caller)
                reply = self._ingest.paths(draft, call)
            case LeaveNote() | GetNotes():
                reply = Meetings().answer(draft, call, now)
            case Produce():
                reply = Producer(self._follower, self.key.public).produce(draft, caller, call, now)
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, f"the relay does not answer {type(call).__name__}")
        return reply


def _look_up(
    directory: Directory, draft: Draft, caller: Party, call: Enroll | Lookup | GetBundle, now: Millis
) -> Reply:
    match call:
        case Enroll():
            return directory.enroll(draft, *device_of(caller), call, now)
        case Lookup():
            return directory.lookup(draft, call)
        case GetBundle():
            asker, _ = device_of(caller)
            return directory.hand_out(draft, asker, call, now)
