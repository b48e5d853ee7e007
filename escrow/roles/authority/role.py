"""The authority: the desk where a warrant is applied for, issued and approved, and from which its seal goes to the log.

It keeps cases and collects signatures. Nothing it says binds anybody: whoever acts on a warrant checks the signed bytes
and the log. So its own checks are a service to the people who sign; the custodians' are the rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from msgspec.structs import replace

from escrow.crypto.coins import Coins
from escrow.crypto.sign import SigningKey, verify
from escrow.errors import Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.authority.disclosing import Disclosing
from escrow.roles.authority.ordering import Ordering
from escrow.roles.authority.people import APPROVER, ISSUER, People
from escrow.roles.authority.state import (
    Collected,
    File,
    Signed,
    file_of,
    find_file,
    load_file,
    save_file,
    wake,
    woken,
)
from escrow.roles.calls import (
    Append,
    Appended,
    Apply,
    Call,
    Case,
    GetCase,
    GetUpdate,
    OrderCase,
    SignCase,
    WithdrawCase,
)
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Answered, Called, CatchUp, Draft, Event, Read, Tick, Writes
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import table
from escrow.warrant.documents import PAYLOAD_TYPE, WarrantPayload, check_home, parse_warrant, validate
from escrow.warrant.dsse import pae
from escrow.warrant.genesis import Genesis
from escrow.warrant.identifier import confirm
from escrow.warrant.orders import Order, statement_of
from escrow.warrant.profile import Profile, check_successor, is_renewal, named
from escrow.warrant.sealing import SealedLeaf, make_leaf
from escrow.warrant.table import State


@dataclass(frozen=True)
class Authority:
    """The role of the party ``authority``. ``key`` is the one that the genesis names; ``profiles`` by their names."""

    genesis: Genesis
    key: SigningKey
    profiles: Mapping[str, Profile] = field(default_factory=lambda: MappingProxyType({}))

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
                for warrant_id in woken(draft, now):
                    self._on_time(draft, load_file(draft, warrant_id), now)
        return draft.writes(), result

    @property
    def _follower(self) -> Follower:
        return Follower(self.genesis)

    @property
    def _people(self) -> People:
        return People(self.genesis)

    @property
    def _ordering(self) -> Ordering:
        return Ordering(self._follower, self._people, self.key)

    def _called(self, draft: Draft, caller: Party, call: Call, now: Millis, coins: Coins) -> Case:
        match call:
            case Apply():
                file = self._apply(draft, caller, call, now, coins)
            case SignCase():
                file = self._sign(draft, caller, call, now)
            case OrderCase():
                file = self._ordering.take(draft, load_file(draft, call.warrant_id), caller, call, now)
            case WithdrawCase():
                file = self._withdraw(draft, caller, call)
            case GetCase(warrant_id):
                file = load_file(draft, warrant_id)
                # Absent or not yours: the answer is the same, so nobody learns which.
                if caller != file.applicant and caller not in self._people:
                    raise RefusedError(Reason.NOT_FOUND, "no such case")
            case _:
                raise RefusedError(Reason.PERMISSION_DENIED, "an authority does not answer this")
        return self._shown(draft, file, now)

    # -- the application ----------------------------------------------------------------------

    def _apply(self, draft: Draft, caller: Party, call: Apply, now: Millis, coins: Coins) -> File:
        """File a case, once: the same payload again is the same case."""
        if not caller.startswith("agency/"):
            raise RefusedError(Reason.PERMISSION_DENIED, "only agencies apply")
        payload = parse_warrant(call.payload)
        known = find_file(draft, payload.id)
        if known is not None:
            if (known.applicant, known.payload_bytes, known.profile) != (caller, call.payload, call.profile):
                raise RefusedError(Reason.IDEMPOTENCY_CONFLICT, "the warrant id is taken")
            return known
        check_home(payload, self.genesis)
        validate(payload, self.genesis.policy)
        profile = named(self.profiles, call.profile)
        if profile is not None:
            profile.check(payload, now)
        self._check_predecessor(draft, caller, payload, profile, now)
        file = File(caller, call.payload, coins.take("salt", 32), str(State.NONE), profile=call.profile)
        wake(draft, payload.approve_by or payload.not_after, payload.id)
        return save_file(draft, file.after(table.Event.APPLY).after(table.Event.SUBMIT))

    def _check_predecessor(
        self, draft: Draft, caller: Party, payload: WarrantPayload, profile: Profile | None, now: Millis
    ) -> None:
        """A warrant that replaces another is of the same agency, in time, and no wider.

        ``NOT_FOUND``, ``ILLEGAL_STEP``, ``RANGE_INVALID``, ``OUT_OF_SCOPE``.
        """
        if payload.supersedes is None:
            return
        before = file_of(draft, bytes.fromhex(payload.supersedes))
        if before.applicant != caller:
            raise RefusedError(Reason.NOT_FOUND, "no such case")
        renewal = is_renewal(payload, before.payload)
        table.step(self._ordering.stands(draft, before, now), table.Event.RENEW if renewal else table.Event.MODIFY)
        check_successor(payload, before.payload)
        if renewal and profile is not None:
            profile.check_renewal_time(before.payload, now)

    def _withdraw(self, draft: Draft, caller: Party, call: WithdrawCase) -> File:
        """Take an application back. ``NOT_FOUND`` for anybody else's, ``ILLEGAL_STEP`` for what is more than one."""
        file = load_file(draft, call.warrant_id)
        if caller != file.applicant:
            raise RefusedError(Reason.NOT_FOUND, "no such case")
        return save_file(draft, file.after(table.Event.WITHDRAW))

    # -- the two locks ------------------------------------------------------------------------

    def _sign(self, draft: Draft, caller: Party, call: SignCase, now: Millis) -> File:
        """Take one signature; with the locks complete, seal.

        ``ROLE_KEY_UNAUTHORISED``, ``PERMISSION_DENIED``, ``SIGNATURE_INVALID``, ``LOCKS_INCOMPLETE``, ``ILLEGAL_STEP``,
        ``IDENTIFIER_INVALID``, ``IDENTIFIER_MISMATCH``.
        """
        file = load_file(draft, call.warrant_id)
        signed = Signed(call.role, call.person, call.signature, call.ending)
        public = self._people.key_in(call.role, call.person)
        if caller != f"person/{call.person}":
            raise RefusedError(Reason.PERMISSION_DENIED, "people sign for themselves")
        if signed in (*file.signed, *file.approvals):
            return file
        if file.dsse:
            self._check_signer(file, call, public)
            return self._approve_late(draft, file, signed, public, now)
        verify(public, pae(PAYLOAD_TYPE, file.payload_bytes), call.signature)
        if call.role == APPROVER and not self._people.count(file.signed).first:
            raise RefusedError(Reason.LOCKS_INCOMPLETE, "the first lock comes first")
        self._check_signer(file, call, public)
        file = replace(file, signed=(*file.signed, signed))
        people, urgent = self._people.count(file.signed), file.payload.urgent
        if call.role == ISSUER:
            file = file.after(table.Event.ISSUE_URGENT if urgent and people.first else table.Event.ISSUE)
        elif people.second:
            file = file.after(table.Event.APPROVE)
        else:
            table.step(State(file.state), table.Event.APPROVE)
        if people.first and (people.second or urgent):
            file = self._seal(draft, file)
        return save_file(draft, file)

    def _check_signer(self, file: File, call: SignCase, public: bytes) -> None:
        """What a signature on this case must bring along: whom it is about, and what it replaces."""
        profile = named(self.profiles, file.profile)
        before = len(file.signed) + len(file.approvals)
        if call.identifiers or (profile is not None and before < profile.confirmations.value):
            confirm(file.payload, call.identifiers)
        if file.payload.supersedes is not None and call.role == ISSUER:
            verify(public, statement_of(EntryType.CANCELLATION, bytes.fromhex(file.payload.supersedes)), call.ending)

    def _seal(self, draft: Draft, file: File) -> File:
        file = replace(file, dsse=file.envelope)
        leaf = make_leaf(file.payload, file.dsse, file.salt)
        owe_entry(draft, self.genesis, self.key, EntryType.WARRANT_SEALED, leaf.encode())
        wake(draft, file.payload.nondisclosure_until, file.payload.id)
        return file

    def _on_logged(self, draft: Draft, entry: Entry) -> None:
        if entry.type is EntryType.WARRANT_SEALED:
            file = file_of(draft, SealedLeaf.decode(entry.payload).seal_tag)
            if file.state in (State.APPROVED, State.ISSUED_URGENT):
                save_file(draft, file.after(table.Event.SEAL))
                self._end_predecessor(draft, file)

    def _end_predecessor(self, draft: Draft, file: File) -> None:
        """Cancel what a sealed warrant replaces: whoever issued it has signed that, too."""
        if file.payload.supersedes is None:
            return
        before = file_of(draft, bytes.fromhex(file.payload.supersedes))
        endings = {self._people.key_in(one.role, one.person): one.ending for one in file.signed if one.ending}
        order = Order.make(EntryType.CANCELLATION, before.tag, endings)
        self._ordering.announce(draft, order)
        save_file(draft, replace(before, orders=(*before.orders, order.encode())))

    def _approve_late(self, draft: Draft, file: File, signed: Signed, public: bytes, now: Millis) -> File:
        """The second lock of an urgent warrant that is sealed already: signatures over an order."""
        people = self._people
        if signed.role != APPROVER or people.count((*file.signed, *file.approvals)).second:
            raise RefusedError(Reason.ILLEGAL_STEP, "the warrant has its locks")
        table.step(self._ordering.stands(draft, file, now), table.Event.APPROVE)
        verify(public, statement_of(EntryType.APPROVAL, file.tag), signed.signature)
        file = replace(file, approvals=(*file.approvals, signed))
        if people.count((*file.signed, *file.approvals)).second:
            makers = {people.key_in(one.role, one.person): one.signature for one in file.approvals}
            order = Order.make(EntryType.APPROVAL, file.tag, makers)
            self._ordering.announce(draft, order)
            file = replace(file.after(table.Event.APPROVE), orders=(*file.orders, order.encode()))
        return save_file(draft, file)

    # -- time -----------------------------------------------------------------------------------

    def _on_time(self, draft: Draft, file: File, now: Millis) -> None:
        """What happens to a case by itself: without its locks in time it lapses, and its secrecy comes to an end."""
        state, payload = State(file.state), file.payload
        if state is State.SUBMITTED and now >= (payload.approve_by or payload.not_after):
            save_file(draft, file.after(table.Event.LAPSE))
        Disclosing(self._follower, self.key).on_time(draft, file, now)

    # -- what people see ----------------------------------------------------------------------

    def _shown(self, draft: Draft, file: File, now: Millis) -> Case:
        payload, follower = file.payload, self._follower
        seal = follower.seal(draft, file.tag) if file.dsse else None
        return Case(
            payload.id,
            str(self._ordering.stands(draft, file, now)),
            file.payload_bytes,
            file.envelope,
            file.salt,
            sealed=bool(file.dsse),
            signers=tuple(f"{one.role}:{one.person}" for one in (*file.signed, *file.approvals)),
            turn=follower.turn(draft, file.tag),
            secret_until=0 if seal is None else follower.shown(draft, seal).secret_until,
            waiting=tuple(_waiting(one) for one in file.collected),
        )


def _waiting(one: Collected) -> str:
    return f"{EntryType(one.kind).name.lower()}:{one.person}"
