"""What a custodian says about a request: intent, record and denial to the log, the response to the agency.

Forms only. That an intent is logged before a share leaves, and when a denial may be logged, is the custodian's.
"""

from dataclasses import dataclass, field
from enum import IntEnum, unique
from typing import Self

from escrow.encoding import join, number, split, u8, u32
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag, fields
from escrow.warrant.request import MOST_ITEMS, check_request_signature


@dataclass(frozen=True, slots=True)
class ReleaseIntent:
    """``T("release-intent", …)``, logged before a share leaves. ``custodian`` is an identity key."""

    seal_tag: bytes
    custodian: bytes
    committee_key_hash: bytes
    generation: int
    request_hash: bytes
    item_root: bytes
    count: int
    request_sig: bytes

    def encode(self) -> bytes:
        """The payload of a ``RELEASE_INTENT`` entry."""
        return T(
            Tag.RELEASE_INTENT,
            self.seal_tag,
            self.custodian,
            self.committee_key_hash,
            u32(self.generation),
            self.request_hash,
            self.item_root,
            u32(self.count),
            self.request_sig,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        tag, custodian, key_hash, generation, request, root, count, signature = fields(
            Tag.RELEASE_INTENT, data, 32, 32, 32, 4, 32, 32, 4, 64
        )
        return cls(tag, custodian, key_hash, number(generation), request, root, number(count), signature)

    def is_signed_by(self, request_public: bytes) -> bool:
        """Whether it is of a request that the warrant's request key has signed, and no custodian's invention."""
        try:
            check_request_signature(request_public, self.request_hash, self.count, self.request_sig)
        except RefusedError:
            return False
        return True


@unique
class Outcome(IntEnum):
    """What became of an intent."""

    RELEASED = 1
    WITHHELD = 2


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """``T("release-record", …)``: ``response_hash`` is SHA-256 of the encrypted response, of nothing if withheld."""

    seal_tag: bytes
    custodian: bytes
    request_hash: bytes
    response_hash: bytes
    outcome: Outcome

    def encode(self) -> bytes:
        """The payload of a ``RELEASE_RECORD`` entry."""
        return T(
            Tag.RELEASE_RECORD, self.seal_tag, self.custodian, self.request_hash, self.response_hash, u8(self.outcome)
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        tag, custodian, request, response, outcome = fields(Tag.RELEASE_RECORD, data, 32, 32, 32, 32, 1)
        if number(outcome) not in set(Outcome):
            raise MalformedError("a release record of unknown outcome")
        return cls(tag, custodian, request, response, Outcome(number(outcome)))


@dataclass(frozen=True, slots=True)
class Denial:
    """``T("denial", …)``: a custodian's no, with its coarse reason."""

    seal_tag: bytes
    custodian: bytes
    request_hash: bytes
    reason: Reason

    def encode(self) -> bytes:
        """What the custodian signs, and the payload of a ``DENIAL`` entry."""
        return T(Tag.DENIAL, self.seal_tag, self.custodian, self.request_hash, self.reason.name.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        tag, custodian, request, reason = fields(Tag.DENIAL, data, 32, 32, 32, None)
        try:
            return cls(tag, custodian, request, Reason[reason.decode("ascii")])
        except (KeyError, UnicodeDecodeError):
            raise MalformedError("a denial of unknown reason") from None


@dataclass(frozen=True, slots=True)
class ReleaseResponse:
    """``T("release-response", …)``: what HPKE carries; one share per release unit, in the order of the request."""

    index: int
    """The custodian's index in its committee, 1..n."""
    generation_hash: bytes
    request_hash: bytes
    shares: tuple[bytes, ...] = field(repr=False)

    def encode(self) -> bytes:
        """The plaintext."""
        return T(Tag.RELEASE_RESPONSE, u32(self.index), self.generation_hash, self.request_hash, join(*self.shares))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        index, generation_hash, request, shares = fields(Tag.RELEASE_RESPONSE, data, 4, 32, 32, None)
        return cls(number(index), generation_hash, request, split(shares, most=MOST_ITEMS))


def hpke_info(seal_tag: bytes, request_hash: bytes, custodian: bytes, generation_hash: bytes) -> bytes:
    """What the encryption of a response is bound to; it opens for no other warrant, request or custodian."""
    return T(Tag.RELEASE, seal_tag, request_hash, custodian, generation_hash)
