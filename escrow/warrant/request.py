"""The release request: everything one custodian needs in order to decide anew, in one signed byte string.

One request asks one committee under one warrant. Its items are sorted and distinct, so the same wish has one
encoding and one hash, and quotas count release units, not how often somebody asks for them: capsules or, where a share
opens an identity, identities, which the request then names.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Self

from escrow.crypto import sign
from escrow.crypto.suites import has_identities
from escrow.encoding import expect, join, number, split, u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag, digest, fields
from escrow.tlog.merkle import root_of
from escrow.warrant.item import Item

__all__ = ["Item", "ReleaseRequest", "check_request_signature", "item_leaf", "item_salt", "sign_request"]

MOST_ITEMS = 1 << 16


@dataclass(frozen=True)
class ReleaseRequest:
    """``T("release-request", …)``. Sizes in bytes: request_id and nonce 16, all else that is fixed 32."""

    seal_tag: bytes
    salt: bytes = field(repr=False)
    """Opens the commitment of the seal, together with ``field_root``."""
    field_root: bytes
    dsse: bytes
    """The warrant, exactly as its locks signed it."""
    request_id: bytes
    committee_key_hash: bytes
    item_salt: bytes = field(repr=False)
    """Hides from the log's readers which capsules are meant."""
    items: tuple[Item, ...] = field(repr=False)
    nonce: bytes
    expires: int
    """Milliseconds."""
    identities: tuple[bytes, ...] = ()
    """Hashes of the identities whose keys are asked for; none where shares open single capsules."""

    def encode(self) -> bytes:
        """What is hashed and sent."""
        return T(
            Tag.RELEASE_REQUEST,
            self.seal_tag,
            self.salt,
            self.field_root,
            self.dsse,
            self.request_id,
            self.committee_key_hash,
            self.item_salt,
            join(*(item.encode() for item in self.items)),
            self.nonce,
            u64(self.expires),
            *((join(*self.identities),) if self.identities else ()),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError`` also if items are missing, doubled or out of order."""
        widths = 32, 32, 32, None, 16, 32, 32, None, 16, 8, None
        cut = fields(Tag.RELEASE_REQUEST, data, *widths, optional=1)
        *head, items, nonce, expires = cut[:10]
        seal_tag, salt, field_root, dsse, request_id, committee_key_hash, salt_of_items = head
        decoded = tuple(Item.decode(item) for item in split(items, most=MOST_ITEMS))
        # SPEC WRT-13: a request without items, or with items out of order or doubled, is refused.
        if not decoded or any(one.order >= other.order for one, other in pairwise(decoded)):
            raise MalformedError("the items of a request are sorted and distinct, and there is at least one")
        return cls(
            seal_tag,
            salt,
            field_root,
            dsse,
            request_id,
            committee_key_hash,
            salt_of_items,
            decoded,
            nonce,
            number(expires),
            _identities(cut[10]) if len(cut) > 10 else (),
        )

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the bytes: ``request_hash``."""
        return hashlib.sha256(self.encode()).digest()

    @cached_property
    def units(self) -> tuple[tuple[bytes, ...], ...]:
        """What the request would open, once each, in the order of its items."""
        return units_of(self.items)

    @property
    def count(self) -> int:
        """How many release units the request would open."""
        return len(self.units)

    @cached_property
    def item_root(self) -> bytes:
        """RFC 6962 root over the salted units: what the log learns of the items."""
        return root_of([item_leaf(item_salt(self.item_salt, *one), *one) for one in self.units])

    def check_one_committee(self) -> None:
        """Refuse items of another committee than the one that is asked; ``COMMITTEE_NOT_MINE``."""
        # SPEC WRT-14: a request with an item of another committee is refused.
        if any(item.terms.committee_key_hash != self.committee_key_hash for item in self.items):
            raise RefusedError(Reason.COMMITTEE_NOT_MINE, "an item belongs to another committee")

    def check_identities(self) -> None:
        """Refuse if what is named is not what the items belong to; ``ID_MISMATCH``."""
        # SPEC IBE-8: a custodian gives the keys that are named, and these are those of the items.
        if self.identities != identities_of(self.items):
            raise RefusedError(Reason.ID_MISMATCH)


def units_of(items: Iterable[Item]) -> tuple[tuple[bytes, ...], ...]:
    """The release units that these items belong to, once each."""
    return tuple(dict.fromkeys(item.unit for item in items))


def identities_of(items: Iterable[Item]) -> tuple[bytes, ...]:
    """What a request for these items names: the units that are identities."""
    named = units_of(item for item in items if has_identities(item.terms.suite))
    return tuple(one for (one,) in named)


def item_salt(salt: bytes, *unit: bytes) -> bytes:
    """The salt of one unit's leaf, 32 bytes: showing one leaf helps nobody to guess another."""
    return digest(Tag.ITEM_SALT, salt, *unit)


def item_leaf(salt: bytes, *unit: bytes) -> bytes:
    """Leaf data under ``item_root``."""
    return T(Tag.ITEM, salt, *unit)


def _identities(data: bytes) -> tuple[bytes, ...]:
    named = tuple(expect(one, 32, "the hash of an identity") for one in split(data, most=MOST_ITEMS))
    if not named:
        raise MalformedError("identities are named, or the field is not there")
    return named


def sign_request(key: sign.SigningKey, request: ReleaseRequest) -> bytes:
    """64 bytes by the warrant's request key. They go to the log: no custodian can invent the use of a quota."""
    return key.sign(_statement(request.hash, request.count))


def check_request_signature(public: bytes, request_hash: bytes, count: int, signature: bytes) -> None:
    """Check a request's signature, in the request itself or in a logged intent; ``REQUEST_SIGNATURE``."""
    # SPEC WRT-15: a request, or an intent, that the warrant's request key has not signed is refused.
    try:
        sign.verify(public, _statement(request_hash, count), signature)
    except RefusedError as error:
        raise RefusedError(Reason.REQUEST_SIGNATURE) from error


def _statement(request_hash: bytes, count: int) -> bytes:
    return T(Tag.REQUEST, request_hash, u32(count))
