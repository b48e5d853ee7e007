"""Orders about a sealed warrant: approval, refusal, suspension, resumption, cancellation, attainment.

An order is signed by people of the locks over its kind and the warrant's tag, and binds whoever receives it,
logged or not: what stops a warrant need not wait for the log. What an order does is in ``table``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from escrow.crypto import sign
from escrow.encoding import join, number, split, u16
from escrow.errors import EscrowError, MalformedError
from escrow.tags import T, Tag, fields
from escrow.tlog.entry import EntryType
from escrow.warrant.dsse import MOST_SIGNATURES
from escrow.warrant.genesis import Genesis
from escrow.warrant.locks import Signers, count_signers
from escrow.warrant.table import Event


@dataclass(frozen=True, slots=True)
class Kind:
    """How an order is tagged, which event it is, and what signatures it needs."""

    tag: Tag
    event: Event
    suffices: Callable[[Signers], bool]


def _anybody(people: Signers) -> bool:
    return bool(people.issuers or people.approvers)


def _approver(people: Signers) -> bool:
    return bool(people.approvers)


def _second(people: Signers) -> bool:
    return people.second


def _both(people: Signers) -> bool:
    return people.first and people.second


KINDS: Final[Mapping[EntryType, Kind]] = {
    EntryType.APPROVAL: Kind(Tag.APPROVAL, Event.APPROVE, _second),
    EntryType.REFUSAL: Kind(Tag.REFUSAL, Event.REFUSE, _approver),
    EntryType.SUSPENSION: Kind(Tag.SUSPENSION, Event.SUSPEND, _anybody),
    EntryType.RESUMPTION: Kind(Tag.RESUMPTION, Event.RESUME, _both),
    EntryType.CANCELLATION: Kind(Tag.CANCELLATION, Event.CANCEL, _anybody),
    EntryType.ATTAINMENT: Kind(Tag.ATTAINMENT, Event.ATTAIN, _anybody),
}
"""One person may stop a warrant; nobody alone may start one again."""


@dataclass(frozen=True, slots=True)
class Order:
    """``T("order", type u16, seal_tag 32, signatures)``; each signature is a public key of 32 and 64 bytes."""

    type: EntryType
    seal_tag: bytes
    signatures: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def signed(cls, order_type: EntryType, seal_tag: bytes, *keys: sign.SigningKey) -> Self:
        """An order with the signatures of ``keys``."""
        statement = statement_of(order_type, seal_tag)
        return cls(order_type, seal_tag, tuple((key.public, key.sign(statement)) for key in keys))

    def encode(self) -> bytes:
        """The payload of the log entry, and what travels to a custodian directly."""
        signatures = join(*(public + signature for public, signature in self.signatures))
        return T(Tag.ORDER, u16(self.type), self.seal_tag, signatures)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        kind, seal_tag, signatures = fields(Tag.ORDER, data, 2, 32, None)
        if number(kind) not in KINDS:
            raise MalformedError("an order of unknown kind")
        pairs = split(signatures, most=MOST_SIGNATURES)
        if any(len(pair) != 96 for pair in pairs):
            raise MalformedError("a signature of an order has 96 bytes")
        return cls(EntryType(number(kind)), seal_tag, tuple((pair[:32], pair[32:]) for pair in pairs))

    def check(self, genesis: Genesis) -> Event:
        """What the order makes happen, if the right people have signed it.

        Raises ``SIGNATURE_INVALID``, ``ROLE_KEY_UNAUTHORISED``, ``LOCKS_INCOMPLETE``, ``SEPARATION_OF_DUTIES``.
        """
        # SPEC WRT-12: an order without the signatures its kind needs changes nothing.
        kind = KINDS[self.type]
        statement = statement_of(self.type, self.seal_tag)
        people = count_signers([_maker(public, statement, signature) for public, signature in self.signatures], genesis)
        if not kind.suffices(people):
            raise people.refusal()
        return kind.event


def statement_of(order_type: EntryType, seal_tag: bytes) -> bytes:
    """What the people sign."""
    return T(KINDS[order_type].tag, seal_tag)


def _maker(public: bytes, statement: bytes, signature: bytes) -> bytes | None:
    try:
        sign.verify(public, statement, signature)
    except EscrowError:
        return None
    return public
