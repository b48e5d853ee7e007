"""The authority: the desk where a warrant is applied for, issued and approved, and from which its seal goes to the log.

It keeps cases and collects signatures. Nothing it says binds anybody: whoever acts on a warrant checks the signed bytes
and the log. So its own checks are a service to the people who sign; the custodians' are the rule.
"""

from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey, verify
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.authority.standing import standing
from escrow.roles.calls import (
    Append,
    Appended,
    Apply,
    Call,
    CancelCase,
    Case,
    DeliverOrder,
    GetCase,
    GetUpdate,
    SignCase,
)
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Writes
from escrow.roles.state import pack, unpack
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import table
from escrow.warrant.documents import PAYLOAD_TYPE, WarrantPayload, check_home, parse_warrant, validate
from escrow.warrant.dsse import Envelope, Signature, pae
from escrow.warrant.genesis import Genesis, Lock
from escrow.warrant.locks import Signers, count_signers
from escrow.warrant.orders import Order, statement_of
from escrow.warrant.sealing import SealedLeaf, make_leaf, seal_tag
from escrow.warrant.table import State

_CASE = b"case/"
_TAG = b"tag/"

ISSUER, APPROVER = "issuer", "approver"


class Signed(Struct, frozen=True):
    """One person's signature in a role, over the warrant or, once that is sealed, over its approval."""

    role: str
    person: str
    signature: bytes


class File(Struct, frozen=True):
    """A case. ``dsse`` is fixed by the seal and empty before; ``salt`` opens the seal, 32 bytes."""

    applicant: str
    payload_bytes: bytes
    salt: bytes
    state: str
    signed: tuple[Signed, ...] = ()
    approvals: tuple[Signed, ...] = ()
    dsse: bytes = b""

    @property
    def payload(self) -> WarrantPayload:
        """The warrant as applied for."""
        return parse_warrant(self.payload_bytes)

    @property
    def envelope(self) -> bytes:
        """The signed envelope: the sealed one, or the signatures so far."""
        return self.dsse or Envelope(PAYLOAD_TYPE, self.payload_bytes, self._signatures).encode()

    def after(self, event: table.Event) -> "File":
        """The case one step on; ``ILLEGAL_STEP``."""
        return replace(self, state=str(table.step(State(self.state), event)))

    @property
    def _signatures(self) -> tuple[Signature, ...]:
        return tuple(Signature("", one.signature) for one in self.signed)


@dataclass(frozen=True)
class Authority:
    """The role of the party ``authority``. ``key`` is the one that the genesis names."""

    genesis: Genesis
    key: SigningKey

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        """See ``Role``."""
        draft, result = Draft(view), None
        match event:
            case Called(caller, call):
                result = self._called(draft, caller, call, now, Coins(coins))
            case Answered(todo, reply) if isinstance(todo.call, GetUpdate):
                self._follower.on_update(draft, todo, reply, now)
            case Answered(todo, reply):
                draft.settle(todo)
                taken = isinstance(reply, Appended) and [one.reason for one in reply.results] == [""]
                if isinstance(todo.call, Append) and taken:
                    self._on_logged(draft, Entry.decode(todo.call.entries[0]))
            case CatchUp():
                self._follower.catch_up(draft, now, asked=True)
            case Tick():
                self._follower.catch_up(draft, now)
        return draft.writes(), result

    @property
    def _follower(self) -> Follower:
        return Follower(self.genesis)

    def _called(self, draft: Draft, caller: Party, call: Call, now: Millis, coins: Coins) -> Case:
        match call:
            case Apply(payload):
                file = self._apply(draft, caller, payload, coins)
            case SignCase():
                file = self._sign(draft, caller, call)
            case CancelCase():
                file = self._cancel(draft, caller, call)
            case GetCase(warrant_id):
                file = _load(draft, warrant_id)
                # Absent or not yours: the answer is the same, so nobody learns which.
                if caller != file.applicant and caller not in self._people:
                    raise RefusedError(Reason.NOT_FOUND, "no such case")
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, "an authority does not answer this")
        return self._shown(draft, file, now)

    # -- the application ----------------------------------------------------------------------

    def _apply(self, draft: Draft, caller: Party, data: bytes, coins: Coins) -> File:
        """File a case, once: the same payload again is the same case."""
        if not caller.startswith("agency/"):
            raise RefusedError(Reason.PERMISSION_DENIED, "only agencies apply")
        payload = parse_warrant(data)
        known = draft.get(_CASE + payload.id)
        if known is not None:
            file = unpack(known, File)
            if (file.applicant, file.payload_bytes) != (caller, data):
                raise RefusedError(Reason.IDEMPOTENCY_CONFLICT, "the warrant id is taken")
            return file
        check_home(payload, self.genesis)
        validate(payload, self.genesis.policy)
        file = File(caller, data, coins.take("salt", 32), str(State.NONE))
        return _save(draft, file.after(table.Event.APPLY).after(table.Event.SUBMIT))

    # -- the two locks ------------------------------------------------------------------------

    def _sign(self, draft: Draft, caller: Party, call: SignCase) -> File:
        """Take one signature; with the locks complete, seal.

        ``ROLE_KEY_UNAUTHORISED``, ``PERMISSION_DENIED``, ``SIGNATURE_INVALID``, ``LOCKS_INCOMPLETE``, ``ILLEGAL_STEP``.
        """
        file, signed = _load(draft, call.warrant_id), Signed(call.role, call.person, call.signature)
        public = self._key_of(call.role, call.person)
        if caller != f"person/{call.person}":
            raise RefusedError(Reason.PERMISSION_DENIED, "people sign for themselves")
        if signed in (*file.signed, *file.approvals):
            return file
        if file.dsse:
            return self._approve_late(draft, file, signed, public)
        verify(public, pae(PAYLOAD_TYPE, file.payload_bytes), call.signature)
        if call.role == APPROVER and not self._count(file.signed).first:
            raise RefusedError(Reason.LOCKS_INCOMPLETE, "the first lock comes first")
        file = replace(file, signed=(*file.signed, signed))
        people, urgent = self._count(file.signed), file.payload.urgent
        if call.role == ISSUER:
            file = file.after(table.Event.ISSUE_URGENT if urgent and people.first else table.Event.ISSUE)
        elif people.second:
            file = file.after(table.Event.APPROVE)
        if people.first and (people.second or urgent):
            file = self._seal(draft, file)
        return _save(draft, file)

    def _seal(self, draft: Draft, file: File) -> File:
        file = replace(file, dsse=file.envelope)
        leaf = make_leaf(file.payload, file.dsse, file.salt)
        draft.put(_TAG + leaf.seal_tag, file.payload.id)
        owe_entry(draft, self.genesis, self.key, EntryType.WARRANT_SEALED, leaf.encode())
        return file

    def _on_logged(self, draft: Draft, entry: Entry) -> None:
        if entry.type is EntryType.WARRANT_SEALED:
            file = _load(draft, draft.get(_TAG + SealedLeaf.decode(entry.payload).seal_tag) or b"")
            if file.state in (State.APPROVED, State.ISSUED_URGENT):
                _save(draft, file.after(table.Event.SEAL))

    def _approve_late(self, draft: Draft, file: File, signed: Signed, public: bytes) -> File:
        """The second lock of an urgent warrant that is sealed already: signatures over an order."""
        if signed.role != APPROVER or self._count((*file.signed, *file.approvals)).second:
            raise RefusedError(Reason.ILLEGAL_STEP, "the warrant has its locks")
        tag = seal_tag(file.payload.id)
        verify(public, statement_of(EntryType.APPROVAL, tag), signed.signature)
        file = replace(file, approvals=(*file.approvals, signed))
        if self._count((*file.signed, *file.approvals)).second:
            makers = {self._key_of(one.role, one.person): one.signature for one in file.approvals}
            self._order(draft, Order.make(EntryType.APPROVAL, tag, makers))
            file = file.after(table.Event.APPROVE)
        return _save(draft, file)

    # -- the end ------------------------------------------------------------------------------

    def _cancel(self, draft: Draft, caller: Party, call: CancelCase) -> File:
        """Cancel: in the log, and at every custodian at once. ``ILLEGAL_STEP`` before there is a warrant."""
        file = _load(draft, call.warrant_id)
        if file.state == State.CANCELLED:
            return file
        keys = {person: public for lock in self._locks.values() for public, person in lock.keys.items()}
        if caller != f"person/{call.person}" or call.person not in keys:
            raise RefusedError(Reason.PERMISSION_DENIED, "a warrant is cancelled by one who may issue or approve")
        tag = seal_tag(file.payload.id)
        order = Order.make(EntryType.CANCELLATION, tag, {keys[call.person]: call.signature})
        order.check(self.genesis)
        file = file.after(table.Event.CANCEL)
        self._order(draft, order)
        for custodian in self._follower.custodian_keys(draft):
            draft.owe(Party(custodian), DeliverOrder(order.encode()))
        return _save(draft, file)

    def _order(self, draft: Draft, order: Order) -> None:
        owe_entry(draft, self.genesis, self.key, order.type, order.encode())

    # -- people -------------------------------------------------------------------------------

    @property
    def _locks(self) -> dict[str, Lock]:
        return {ISSUER: self.genesis.issuers, APPROVER: self.genesis.approvers}

    @property
    def _people(self) -> frozenset[str]:
        return frozenset(f"person/{name}" for lock in self._locks.values() for name in lock.keys.values())

    def _key_of(self, role: str, person: str) -> bytes:
        keys = {name: public for public, name in self._locks[role].keys.items()} if role in self._locks else {}
        if person not in keys:
            raise RefusedError(Reason.ROLE_KEY_UNAUTHORISED, f"{person} does not hold this lock")
        return keys[person]

    def _count(self, signed: tuple[Signed, ...]) -> Signers:
        return count_signers((self._key_of(one.role, one.person) for one in signed), self.genesis)

    # -- what people see ----------------------------------------------------------------------

    def _shown(self, draft: Draft, file: File, now: Millis) -> Case:
        state, payload = State(file.state), file.payload
        if state is State.SEALED:
            approved = self._count(file.signed).second
            state = standing(self._follower, draft, payload, now, approved=approved)
        signers = tuple(f"{one.role}:{one.person}" for one in (*file.signed, *file.approvals))
        sealed = bool(file.dsse)
        return Case(payload.id, str(state), file.payload_bytes, file.envelope, file.salt, sealed, signers)


def _load(view: Read | Draft, warrant_id: bytes) -> File:
    data = view.get(_CASE + warrant_id)
    if data is None:
        raise RefusedError(Reason.NOT_FOUND, "no such case")
    return unpack(data, File)


def _save(draft: Draft, file: File) -> File:
    draft.put(_CASE + file.payload.id, pack(file))
    return file
