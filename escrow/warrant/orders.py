"""Orders about a sealed warrant: approval, refusal, suspension, resumption, cancellation, attainment.

An order is signed by people of the locks over its kind and the warrant's tag, and binds whoever receives it,
logged or not: what stops a warrant need not wait for the log. What an order does is in ``table``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from escrow.crypto import sign
from escrow.encoding import number, u16, u32
from escrow.errors import MalformedError
from escrow.tags import T, Tag, fields
from escrow.tlog.entry import EntryType
from escrow.warrant import signatures as people_signatures
from escrow.warrant.genesis import Genesis
from escrow.warrant.locks import Signers
from escrow.warrant.signatures import Signed, by_key, people_of, signed_by
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

REPEATED: Final = frozenset({EntryType.SUSPENSION, EntryType.RESUMPTION})
"""What may happen to a warrant more than once."""


@dataclass(frozen=True, slots=True)
class Order:
    """``T("order", type u16, seal_tag 32, turn u32, signatures)``; each signature is a public key of 32 and 64 bytes.

    Signatures stand in the order of their keys, one a key. ``turn`` is how often the warrant had been resumed before,
    and 0 for what happens once: it tells a second suspension from the first one shown again.
    """

    type: EntryType
    seal_tag: bytes
    signatures: Signed
    turn: int = 0

    @classmethod
    def make(cls, order_type: EntryType, seal_tag: bytes, signatures: Mapping[bytes, bytes], turn: int = 0) -> Self:
        """An order with signatures by public key."""
        return cls(order_type, seal_tag, by_key(signatures), turn)

    @classmethod
    def signed(cls, order_type: EntryType, seal_tag: bytes, *keys: sign.SigningKey, turn: int = 0) -> Self:
        """An order with the signatures of ``keys``."""
        return cls(order_type, seal_tag, signed_by(keys, statement_of(order_type, seal_tag, turn)), turn)

    def encode(self) -> bytes:
        """The payload of the log entry, and what travels to a custodian directly."""
        signatures = people_signatures.encode(self.signatures)
        return T(Tag.ORDER, u16(self.type), self.seal_tag, u32(self.turn), signatures)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        kind, seal_tag, turn, signatures = fields(Tag.ORDER, data, 2, 32, 4, None)
        if number(kind) not in KINDS or (number(turn) and number(kind) not in REPEATED):
            raise MalformedError("an order of unknown kind, or again of what happens once")
        return cls(EntryType(number(kind)), seal_tag, people_signatures.decode(signatures), number(turn))

    def check(self, genesis: Genesis) -> Event:
        """What the order makes happen, if the right people have signed it, and nobody else.

        Whoever has read an order could otherwise put signatures of no meaning beside it, and pass it off as a new one.

        Raises ``SIGNATURE_INVALID``, ``ROLE_KEY_UNAUTHORISED``, ``LOCKS_INCOMPLETE``, ``SEPARATION_OF_DUTIES``.
        """
        # SPEC WRT-12: an order without the signatures its kind needs changes nothing.
        kind = KINDS[self.type]
        statement = statement_of(self.type, self.seal_tag, self.turn)
        people = people_of(self.signatures, statement, genesis)
        if people.unknown or people.strangers or not kind.suffices(people):
            raise people.refusal()
        return kind.event


def statement_of(order_type: EntryType, seal_tag: bytes, turn: int = 0) -> bytes:
    """What the people sign."""
    return T(KINDS[order_type].tag, seal_tag, u32(turn))
