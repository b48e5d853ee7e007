"""The roots' orders to hand a committee key to others, as the log shows them: k of m give one, one of them stops it.

Every entry carries the whole envelope so far, with one signature more than the log had before, so attempts grow in one
line and the entry that completes one proves it to whoever sees nothing else. Time is where followers could disagree, so
it is asked so that who comes late never refuses what others took: see ``is_late`` and ``in_effect``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from escrow.committee.documents import ShareGeneration
from escrow.committee.succession import reshared_group
from escrow.encoding import join, u32, u64
from escrow.errors import Reason, RefusedError
from escrow.roles.machine import Draft, Read
from escrow.roles.state import pack, unpack
from escrow.tags import Tag, digest
from escrow.warrant import dsse
from escrow.warrant.genesis import Genesis
from escrow.warrant.handover_order import HandoverOrder, cancellation_of, order_of, parse_order

BY_COMMITTEE = b"log/handover/committee/"
"""Entries that completed an order, by committee key hash, ``committee_digest`` and place in the log (u64)."""

_ATTEMPT = b"log/handover/attempt/"
_UNDER_WAY = b"log/handover/under-way/"
_BY_KEY = b"log/handover/by-key/"
_BY_ID = b"log/handover/by-id/"


class Attempt(Struct, frozen=True):
    """An order on its way: the newest envelope, the roots that have signed it, and where in the log what happened."""

    envelope: bytes
    signers: tuple[bytes, ...]
    begun: int
    complete: int = -1
    """Where enough roots had signed it; -1: they have not."""
    cancelled: int = -1

    def order(self, genesis: Genesis) -> HandoverOrder:
        """The document."""
        return parse_order(dsse.Envelope.parse(self.envelope).payload, genesis)


@dataclass(frozen=True, slots=True)
class HandoverOrders:
    """The part of a ``Ledger`` that knows the roots' orders. All state is in the view that is passed in."""

    genesis: Genesis

    # -- what is known ------------------------------------------------------------------------

    def attempt(self, view: Read | Draft, order_hash: bytes) -> Attempt | None:
        """An attempt that the log has ever shown."""
        data = view.get(_ATTEMPT + order_hash)
        return None if data is None else unpack(data, Attempt)

    def attempts(self, view: Read | Draft) -> list[Attempt]:
        """All of them, in the order in which they were begun."""
        return sorted((unpack(data, Attempt) for _, data in view.scan(_ATTEMPT)), key=lambda one: one.begun)

    def under_way(self, view: Read | Draft, newest: ShareGeneration) -> Attempt | None:
        """The attempt that is about the generation in force, and neither cancelled nor carried out."""
        order_hash = view.get(_UNDER_WAY + newest.committee_key_hash)
        attempt = None if order_hash is None else self.attempt(view, order_hash)
        if attempt is None:
            return None
        return attempt if attempt.order(self.genesis).generation == newest.hash.hex() else None

    def in_force(self, view: Read | Draft, newest: ShareGeneration) -> HandoverOrder | None:
        """The order that enough roots have signed about the generation in force, whether its time has come or not."""
        attempt = self.under_way(view, newest)
        return attempt.order(self.genesis) if attempt is not None and attempt.complete >= 0 else None

    def in_effect(self, order: HandoverOrder, seen_ms: int) -> bool:
        """Whether what is seen under a checkpoint of ``seen_ms`` may follow from the order.

        Whoever sees it later sees it under a later one, so nobody refuses what others have taken.
        """
        return seen_ms + self.genesis.skew_ms >= order.effective_at

    def custodians(self, view: Read | Draft) -> Mapping[str, bytes]:
        """Id -> identity key of everybody who holds the office: those of the genesis, then those that orders name."""
        named = {key[len(_BY_ID) : -33].decode(): public for key, public in view.scan(_BY_ID)}
        return {**self.genesis.custodian_keys, **named}

    def names(self, view: Read | Draft, public: bytes) -> bool:
        """Whether an order makes the holder of this key a custodian."""
        return next(view.scan(_BY_KEY + public, limit=1), None) is not None

    # -- what is new --------------------------------------------------------------------------

    def file(
        self, draft: Draft, payload: bytes, submitter: bytes, index: int, newest: ShareGeneration | None, after_ms: int
    ) -> bool:
        """Take one signature more; True if with it the order stands. ``after_ms``: it was not logged before that."""
        order, signers = order_of(dsse.Envelope.parse(payload), self.genesis)
        if submitter not in signers:
            raise RefusedError(Reason.ENTRY_REFUSED, "a root logs what it has signed itself")
        running, known = newest and self.under_way(draft, newest), self.attempt(draft, order.hash)
        # SPEC HND-14: of all attempts one is under way, and takes no signature that does not add to those it has.
        if known is not None and (known != running or known.complete >= 0 or not signers > frozenset(known.signers)):
            raise RefusedError(Reason.CEREMONY_STALE)
        if running is not None and known is None:
            raise RefusedError(Reason.CEREMONY_RUNNING)
        # Whoever signs says which attempt by its nonce: another order must never go by that of one that was looked at.
        if known is None and order.nonce in {one.order(self.genesis).nonce for one in self.attempts(draft)}:
            raise RefusedError(Reason.CEREMONY_STALE, "an attempt with this nonce was another")
        self._check_subject(draft, order, newest)
        # SPEC HND-13: an order that leaves less than the effect delay between the log and its effect has none.
        if after_ms + self.genesis.effect_delay_ms > order.effective_at + self.genesis.skew_ms:
            raise RefusedError(Reason.NOT_IN_EFFECT, "logged too late for the time of its effect")
        attempt = Attempt(payload, tuple(sorted(signers)), known.begun if known else index)
        complete = len(signers) >= self.genesis.root_threshold
        self._keep(draft, order, replace(attempt, complete=index) if complete else attempt)
        if complete:
            for member in order.members:
                draft.put(_BY_KEY + member.public + order.hash, member.id.encode())
                draft.put(_BY_ID + member.id.encode() + b"\0" + order.hash, member.public)
        return complete

    def cancel(self, draft: Draft, payload: bytes, index: int) -> HandoverOrder:
        """End the attempt that is named; ``CEREMONY_STALE`` for one that is not under way."""
        # SPEC HND-15: one root stops an order, as long as its generation does not count.
        order_hash = cancellation_of(payload, self.genesis)
        attempt = self.attempt(draft, order_hash)
        order = None if attempt is None else attempt.order(self.genesis)
        if attempt is None or order is None or draft.get(_UNDER_WAY + order.key_hash) != order_hash:
            raise RefusedError(Reason.CEREMONY_STALE)
        draft.put(_ATTEMPT + order_hash, pack(replace(attempt, cancelled=index)))
        draft.delete(_UNDER_WAY + order.key_hash)
        _name_nobody(draft, attempt, order)
        return order

    def carried_out(self, draft: Draft, before: ShareGeneration, after: ShareGeneration) -> None:
        """Another generation is in force: whatever was ordered about the one before is history.

        If that is not what came of it, because a refresh was first, nobody holds an office by it, as if it had been
        cancelled: nobody can cancel it any more.
        """
        attempt = self.under_way(draft, before)
        draft.delete(_UNDER_WAY + before.committee_key_hash)
        if attempt is not None and attempt.order(self.genesis).committee != (after.members, after.threshold):
            _name_nobody(draft, attempt, attempt.order(self.genesis))

    def _check_subject(self, draft: Draft, order: HandoverOrder, newest: ShareGeneration | None) -> None:
        reshared_group(self.genesis.policy.suite)
        if newest is None or newest.hash.hex() != order.generation:
            raise RefusedError(Reason.GENERATION_MISMATCH, "the order is about another generation than that in force")
        taken = self.custodians(draft)
        owners = {public: name for name, public in taken.items()}
        for member in order.members:
            found = taken.get(member.id, member.public), owners.get(member.public, member.id)
            if found != (member.public, member.id):
                raise RefusedError(Reason.SEPARATION_OF_DUTIES, f"{member.id} is another custodian")

    def _keep(self, draft: Draft, order: HandoverOrder, attempt: Attempt) -> None:
        draft.put(_ATTEMPT + order.hash, pack(attempt))
        draft.put(_UNDER_WAY + order.key_hash, order.hash)


def _name_nobody(draft: Draft, attempt: Attempt, order: HandoverOrder) -> None:
    for member in order.members:
        draft.delete(_BY_KEY + member.public + order.hash)
        draft.delete(_BY_ID + member.id.encode() + b"\0" + order.hash)
    if attempt.complete >= 0:
        draft.delete(BY_COMMITTEE + subject_of(order) + u64(attempt.complete))


def committee_digest(members: tuple[bytes, ...], threshold: int) -> bytes:
    """32 bytes that name who may hold a key and how many of them open."""
    return digest(Tag.HANDOVER_COMMITTEE, u32(threshold), join(*members))


def subject_of(order: HandoverOrder) -> bytes:
    """Under which subject the log finds the order that makes a committee the holder of a key."""
    return order.key_hash + committee_digest(*order.committee)


def subject_for(generation: ShareGeneration) -> bytes:
    """The same, of the generation that it leads to."""
    return generation.committee_key_hash + committee_digest(generation.members, generation.threshold)
