"""Orders at the desk: signatures of people are collected until they suffice, then the order goes to the log.

What stops a warrant also goes to every custodian at once. Whether the state admits an order is looked up in the table,
for the warrant as the log shows it; the custodians check the signatures again.
"""

from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from escrow.crypto.sign import SigningKey, verify
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.authority.people import People
from escrow.roles.authority.standing import Standing, walked
from escrow.roles.authority.state import Collected, File, save_file
from escrow.roles.calls import DeliverOrder, OrderCase
from escrow.roles.entries import owe_entry
from escrow.roles.follower import Follower
from escrow.roles.machine import Draft
from escrow.tlog.entry import EntryType
from escrow.warrant import orders, postponing
from escrow.warrant.genesis import Genesis
from escrow.warrant.orders import Order, statement_of
from escrow.warrant.postponing import Postponement, postponed
from escrow.warrant.table import Event, State, step

_STOPS: Final = frozenset({Event.CANCEL, Event.SUSPEND, Event.REFUSE, Event.ATTAIN})


@dataclass(frozen=True, slots=True)
class Ordering:
    """The part of the authority that takes orders. ``key`` signs what is logged."""

    follower: Follower
    people: People
    key: SigningKey

    @property
    def genesis(self) -> Genesis:
        """The deployment."""
        return self.follower.genesis

    def stands(self, draft: Draft, file: File, now: Millis) -> State:
        """Where a case stands: as the desk has it before there is a seal in the log, then as the log shows it."""
        seal = self.follower.seal(draft, file.tag) if file.dsse else None
        pending = [Order.decode(data) for data in file.orders]
        events = [orders.KINDS[one.type].event for one in pending if self.follower.is_news(draft, one)]
        if seal is None:
            return walked(State(file.state), events)
        approved = self.people.count(file.signed).second
        return Standing(self.follower, file.payload, seal, approved).at(draft, now, events)

    def take(self, draft: Draft, file: File, caller: Party, call: OrderCase, now: Millis) -> File:
        """Take one person's signature over an order or a postponement; where that suffices, give it to the log.

        ``PERMISSION_DENIED``, ``SIGNATURE_INVALID``, ``ILLEGAL_STEP``, ``RANGE_INVALID``, ``MALFORMED``.
        """
        public = self.people.key_of(call.person, caller)
        said = Collected(call.kind, call.detail, call.person, call.signature)
        if said in file.collected:
            return file
        if call.kind in postponing.KINDS:
            statement = postponed(EntryType(call.kind), file.tag, call.detail)
        elif call.kind in orders.KINDS:
            statement = statement_of(EntryType(call.kind), file.tag, call.detail)
        else:
            raise MalformedError("an order of unknown kind")
        verify(public, statement, call.signature)
        following = self._following(draft, file, call, now)
        collected = replace(file, collected=(*file.collected, said))
        alike = {self.people.key_of(one.person, Party(f"person/{one.person}")): one.signature
                 for one in collected.collected if (one.kind, one.detail) == (call.kind, call.detail)}  # fmt: skip
        try:
            done = self._give(draft, collected, call, alike)
        except RefusedError as error:
            if error.reason is not Reason.LOCKS_INCOMPLETE or not self._waits(call):
                raise
            return save_file(draft, collected)
        return save_file(draft, done if done.dsse else replace(done, state=str(following)))

    def announce(self, draft: Draft, order: Order) -> None:
        """Give an order to the log, and a stop to every custodian at once."""
        owe_entry(draft, self.genesis, self.key, order.type, order.encode())
        if orders.KINDS[order.type].event in _STOPS:
            for custodian in self.follower.custodian_keys(draft):
                draft.owe(Party(custodian), DeliverOrder(order.encode()))

    def _following(self, draft: Draft, file: File, call: OrderCase, now: Millis) -> State:
        """The state behind the order; ``ILLEGAL_STEP``, and of postponements ``RANGE_INVALID``, if there is none."""
        state = self.stands(draft, file, now)
        if call.kind == EntryType.NOTICE_DELAYED:
            # A notice is put off while it is due; the table has no event for that, since it changes no state.
            self._seal_bound(draft, file, call, now)
            return state
        if call.kind == EntryType.NONDISCLOSURE_EXTENDED:
            following = step(state, Event.EXTEND)
            self._seal_bound(draft, file, call, now)
            return following
        event = orders.KINDS[EntryType(call.kind)].event
        if call.kind in orders.REPEATED and call.detail != self.follower.turn(draft, file.tag):
            raise RefusedError(Reason.ILLEGAL_STEP, "an order of another turn")
        if event is Event.REFUSE and file.dsse and self._has_second_lock(draft, file):
            raise RefusedError(Reason.ILLEGAL_STEP, "the second lock was given: cancel or suspend the warrant")
        return step(state, event)

    def _has_second_lock(self, draft: Draft, file: File) -> bool:
        by_order = any(order.event is Event.APPROVE for order in self.follower.orders(draft, file.tag))
        return by_order or self.people.count((*file.signed, *file.approvals)).second

    def _seal_bound(self, draft: Draft, file: File, call: OrderCase, now: Millis) -> None:
        """What every follower will ask of a postponement before it files it."""
        seal = self.follower.seal(draft, file.tag)
        if seal is None:
            raise RefusedError(Reason.ILLEGAL_STEP, "there is no seal in the log")
        shown, kind = self.follower.shown(draft, seal), EntryType(call.kind)
        present = shown.secret_until if kind is EntryType.NONDISCLOSURE_EXTENDED else shown.notice_until
        if now >= present:
            raise RefusedError(Reason.ILLEGAL_STEP, "its time is over")
        self.follower.check_postponement(draft, seal, kind, call.detail)

    def _give(self, draft: Draft, file: File, call: OrderCase, signatures: dict[bytes, bytes]) -> File:
        kind = EntryType(call.kind)
        if kind in postponing.KINDS:
            put_off = Postponement.make(kind, file.tag, call.detail, signatures)
            put_off.check(self.genesis)
            owe_entry(draft, self.genesis, self.key, kind, put_off.encode())
            return file
        order = Order.make(kind, file.tag, signatures, call.detail)
        order.check(self.genesis)
        if not file.dsse:
            return file  # there is no seal yet, and nothing that anybody else would have to know
        self.announce(draft, order)
        return replace(file, orders=(*file.orders, order.encode()))

    @staticmethod
    def _waits(call: OrderCase) -> bool:
        """Whether this kind wants more than one signature, so that a first one is kept."""
        return call.kind in postponing.KINDS or call.kind in (EntryType.RESUMPTION, EntryType.APPROVAL)
