"""The roots' order that a committee key is handed to others, and its cancellation: documents that root keys sign.

The order names everything that it moves: the deployment, the committee key, the one generation that ends, the new
members with their identity keys, which it thereby certifies, their threshold, and when it takes effect. It is collected
signature by signature, each time in a whole envelope, so the last one proves the order by itself. Not here: which of
several counts, and when; that is a matter of the log (``roles.handover_orders``).
"""

import hashlib
from functools import cached_property
from typing import Annotated, Final, Literal

from msgspec import Meta

from escrow.crypto.sign import check_public
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.warrant import dsse, strict
from escrow.warrant.genesis import Genesis
from escrow.warrant.strict import Bytes16, Bytes32, Count, Number

ORDER_TYPE: Final = "application/vnd.escrow.handover-order.v1+json"
CANCELLATION_TYPE: Final = "application/vnd.escrow.handover-cancellation.v1+json"

CustodianId = Annotated[str, Meta(pattern=r"\Acustodian/[1-9][0-9]{0,4}\Z")]
"""A party that can be reached; ``escrow.ids.Party``."""


class Member(strict.Document, frozen=True):
    """A custodian of the new committee, and the identity key that the roots certify as its own."""

    id: CustodianId
    key: Bytes32

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return bytes.fromhex(self.key)


class HandoverOrder(strict.Document, frozen=True, dict=True):
    """The document. It has one spelling, so its hash is a property of the value."""

    version: Literal[1]
    genesis: Bytes32
    committee_key: Bytes32
    generation: Bytes32
    """Hash of the generation that ends. It has one successor, so the order can be carried out once."""
    members: Annotated[tuple[Member, ...], Meta(min_length=1, max_length=255)]
    """In the order of their indices 1..n'."""
    threshold: Count
    nonce: Bytes16
    """Of the attempt: whoever signs, signs this one and no other."""
    effective_at: Number
    """ms. Logged before this by the deployment's effect delay, or never in effect."""

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the payload bytes, 32 bytes."""
        return hashlib.sha256(strict.encode(self)).digest()

    @property
    def key_hash(self) -> bytes:
        """The committee key that moves, 32 bytes."""
        return bytes.fromhex(self.committee_key)

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The identity keys of the new members, in order."""
        return tuple(member.public for member in self.members)

    @property
    def committee(self) -> tuple[tuple[bytes, ...], int]:
        """Who may hold the key, and how many of them open: what a share generation is compared with."""
        return self.keys, self.threshold


class HandoverCancellation(strict.Document, frozen=True):
    """Ends an attempt. One root is enough: to stop is safe, and the effect delay is the time for it."""

    version: Literal[1]
    genesis: Bytes32
    order: Bytes32
    """Hash of the order."""


def parse_order(payload: bytes, genesis: Genesis) -> HandoverOrder:
    """Read an order and check it against the deployment, without asking who signed it.

    ``SCHEMA_INVALID``, ``RANGE_INVALID``; ``COMMITTEE_UNAUTHORISED`` for another deployment's; and
    ``SEPARATION_OF_DUTIES`` for a member that holds another office, or goes by another's name.
    """
    order = strict.decode_canonical(payload, HandoverOrder)
    if order.genesis != genesis.hash.hex():
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the order is of another deployment")
    if order.threshold > len(order.members):
        raise RefusedError(Reason.RANGE_INVALID, "the threshold exceeds the number of custodians")
    if min(len({member.id for member in order.members}), len(set(order.keys))) != len(order.members):
        raise RefusedError(Reason.SCHEMA_INVALID, "a custodian is named twice")
    for member in order.members:
        _check_member(member, genesis)
    return order


def _check_member(member: Member, genesis: Genesis) -> None:
    # SPEC HND-12: an order that gives a custodian's name to another key, or a share to another office, is refused.
    try:
        check_public(member.public)
    except MalformedError as error:
        raise RefusedError(Reason.SCHEMA_INVALID, error.detail) from error
    known = genesis.custodian_keys.get(member.id)
    if known != (member.public if member.public in genesis.keys else None):
        raise RefusedError(Reason.SEPARATION_OF_DUTIES, f"{member.id} is another, or its key holds another office")


def order_of(envelope: dsse.Envelope, genesis: Genesis) -> tuple[HandoverOrder, frozenset[bytes]]:
    """The order in an envelope, and the root keys that have signed it: one at least, and nobody but roots.

    Raises as ``parse_order`` does, and ``COMMITTEE_UNAUTHORISED`` for signatures of others.
    """
    signers = _signers(envelope, ORDER_TYPE, genesis)
    return parse_order(envelope.payload, genesis), signers


def verify_order(data: bytes, genesis: Genesis) -> HandoverOrder:
    """An order that stands by itself: enough distinct roots have signed it; else ``COMMITTEE_UNAUTHORISED``."""
    # SPEC HND-10: what too few of the roots have signed moves no share.
    order, signers = order_of(dsse.Envelope.parse(data), genesis)
    if len(signers) < genesis.root_threshold:
        detail = f"{len(signers)} of {genesis.root_threshold} roots have signed the order"
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, detail)
    return order


def cancellation_of(data: bytes, genesis: Genesis) -> bytes:
    """The hash of the order that a root cancels; ``COMMITTEE_UNAUTHORISED``, ``SCHEMA_INVALID``."""
    envelope = dsse.Envelope.parse(data)
    _signers(envelope, CANCELLATION_TYPE, genesis)
    cancellation = strict.decode_canonical(envelope.payload, HandoverCancellation)
    if cancellation.genesis != genesis.hash.hex():
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the cancellation is of another deployment")
    return bytes.fromhex(cancellation.order)


def _signers(envelope: dsse.Envelope, payload_type: str, genesis: Genesis) -> frozenset[bytes]:
    """Whoever reads an envelope could put more signatures beside the others': each must count, and count once."""
    makers = envelope.makers(genesis.root_keys)
    distinct = frozenset(maker for maker in makers if maker is not None)
    if not distinct or len(distinct) != len(makers) or envelope.payload_type != payload_type:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "not signed by roots alone, each once, as what it is")
    return distinct
