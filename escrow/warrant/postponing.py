"""Postponements: secrecy that lasts longer than the warrant says, and a notice that comes later.

Both locks sign the new time, and the log shows it. How far it may lie is bounded by the policy for all postponements
of one warrant together; that the bound is kept, and the seal known, is checked where entries are filed (``ledger``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u16, u64
from escrow.errors import MalformedError
from escrow.tags import T, Tag, fields
from escrow.tlog.entry import EntryType
from escrow.warrant import signatures as people_signatures
from escrow.warrant.genesis import Genesis
from escrow.warrant.signatures import Signed, by_key, people_of, signed_by

KINDS: Final[Mapping[EntryType, Tag]] = {
    EntryType.NONDISCLOSURE_EXTENDED: Tag.NONDISCLOSURE_EXTENDED,
    EntryType.NOTICE_DELAYED: Tag.NOTICE_DELAYED,
}
"""What can be put off, and how its statement is tagged."""


@dataclass(frozen=True, slots=True)
class Postponement:
    """``T("postponement", type u16, seal_tag 32, until u64, signatures)``; ``until`` in milliseconds."""

    type: EntryType
    seal_tag: bytes
    until: int
    signatures: Signed

    @classmethod
    def make(cls, kind: EntryType, seal_tag: bytes, until: int, signatures: Mapping[bytes, bytes]) -> Self:
        """A postponement with signatures by public key."""
        return cls(kind, seal_tag, until, by_key(signatures))

    @classmethod
    def signed(cls, kind: EntryType, seal_tag: bytes, until: int, *keys: SigningKey) -> Self:
        """A postponement with the signatures of ``keys``."""
        return cls(kind, seal_tag, until, signed_by(keys, postponed(kind, seal_tag, until)))

    def encode(self) -> bytes:
        """The payload of the log entry."""
        signatures = people_signatures.encode(self.signatures)
        return T(Tag.POSTPONEMENT, u16(self.type), self.seal_tag, u64(self.until), signatures)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        kind, seal_tag, until, signatures = fields(Tag.POSTPONEMENT, data, 2, 32, 8, None)
        if number(kind) not in KINDS:
            raise MalformedError("a postponement of unknown kind")
        return cls(EntryType(number(kind)), seal_tag, number(until), people_signatures.decode(signatures))

    def check(self, genesis: Genesis) -> None:
        """Refuse unless both complete locks, and nobody else, have signed.

        ``SIGNATURE_INVALID``, ``ROLE_KEY_UNAUTHORISED``, ``LOCKS_INCOMPLETE``, ``SEPARATION_OF_DUTIES``.
        """
        # SPEC DSC-1: what one lock alone puts off is not put off.
        people = people_of(self.signatures, postponed(self.type, self.seal_tag, self.until), genesis)
        if people.unknown or people.strangers or not (people.first and people.second):
            raise people.refusal()


def postponed(kind: EntryType, seal_tag: bytes, until: int) -> bytes:
    """What the people sign."""
    return T(KINDS[kind], seal_tag, u64(until))
