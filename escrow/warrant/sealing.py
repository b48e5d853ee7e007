"""The seal: what the log learns of a warrant before the public may.

The leaf commits to the signed bytes and to every field alone, and shows only what is too coarse to point at an
investigation. Its length never depends on the warrant. One warrant id has one tag, and of all leaves with that
tag the first alone counts: sealing again buys no second quota. That a leaf is logged is not checked here.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, NamedTuple, Self

from escrow.encoding import number, u8, u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag, digest, fields
from escrow.tlog.merkle import path_of, root_of
from escrow.warrant import strict
from escrow.warrant.documents import FIELDS, WarrantPayload


@unique
class WarrantClass(IntEnum):
    """What the public may know of the kind of access."""

    HISTORICAL = 1
    PROSPECTIVE = 2


@dataclass(frozen=True, slots=True)
class SealedLeaf:
    """``T("warrant-sealed", …)``: the public part of a warrant. Hashes of 32 bytes, times in milliseconds."""

    seal_tag: bytes
    commit: bytes
    authority: bytes
    warrant_class: WarrantClass
    count_bucket: int
    """Decimal digits of the quota."""
    urgent: bool
    approve_by: int
    nondisclosure_until: int
    policy_hash: bytes
    activation_delay: int
    """Seconds."""

    def encode(self) -> bytes:
        """The payload of a ``WARRANT_SEALED`` entry."""
        return T(
            Tag.WARRANT_SEALED,
            self.seal_tag,
            self.commit,
            self.authority,
            u8(self.warrant_class),
            u8(self.count_bucket),
            u8(self.urgent),
            u64(self.approve_by),
            u64(self.nondisclosure_until),
            self.policy_hash,
            u32(self.activation_delay),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        tag, commit, authority, kind, bucket, urgent, approve_by, until, policy, delay = fields(
            Tag.WARRANT_SEALED, data, 32, 32, 32, 1, 1, 1, 8, 8, 32, 4
        )
        if number(kind) not in set(WarrantClass) or number(urgent) > 1:
            raise MalformedError("a sealed leaf of unknown class or urgency")
        return cls(
            tag,
            commit,
            authority,
            WarrantClass(number(kind)),
            number(bucket),
            bool(number(urgent)),
            number(approve_by),
            number(until),
            policy,
            number(delay),
        )


class Opening(NamedTuple):
    """One field shown without the others: its value in canonical JSON, its salt (16 bytes), its path."""

    value: bytes
    salt: bytes
    path: tuple[bytes, ...]


def seal_tag(warrant_id: bytes) -> bytes:
    """32 bytes that stand for the warrant in the log, known only to those who know the id."""
    return digest(Tag.WARRANT_ID, warrant_id)


def field_root(payload: WarrantPayload) -> bytes:
    """Root over all fields, so that each can be shown later without the others."""
    return root_of(_field_leaves(payload))


def field_opening(payload: WarrantPayload, name: str) -> Opening:
    """What shows the field ``name`` under ``field_root``, at its position in ``FIELDS``."""
    path = path_of(_field_leaves(payload), FIELDS.index(name))
    return Opening(strict.encode(getattr(payload, name)), bytes.fromhex(payload.salts[name]), path)


def field_leaf(name: str, value: bytes, salt: bytes) -> bytes:
    """Leaf data of one field: ``value`` in canonical JSON, ``salt`` 16 bytes."""
    return T(Tag.FIELD, name.encode(), value, salt)


def commitment(salt: bytes, dsse: bytes, root: bytes) -> bytes:
    """What the leaf commits to: ``salt`` 32 bytes, the signed envelope, the root of the fields."""
    return digest(Tag.SEAL, salt, hashlib.sha256(dsse).digest(), root)


def make_leaf(payload: WarrantPayload, dsse: bytes, salt: bytes) -> SealedLeaf:
    """The leaf of a warrant. ``salt`` is 32 fresh bytes, shown only to those who are served the warrant."""
    return SealedLeaf(
        seal_tag=seal_tag(payload.id),
        commit=commitment(salt, dsse, field_root(payload)),
        authority=bytes.fromhex(payload.authority),
        warrant_class=WarrantClass[payload.kind],
        count_bucket=len(str(payload.quota)),
        urgent=payload.urgent,
        approve_by=payload.approve_by,
        nondisclosure_until=payload.nondisclosure_until,
        policy_hash=payload.policy_hash,
        activation_delay=payload.activation_delay_s,
    )


def check_commit(leaf: SealedLeaf, salt: bytes, dsse: bytes, root: bytes) -> None:
    """Before anything in the envelope is believed: are these the sealed bytes? ``SEAL_MISMATCH``."""
    if leaf.commit != commitment(salt, dsse, root):
        raise RefusedError(Reason.SEAL_MISMATCH, "the leaf commits to another warrant")


def check_leaf(leaf: SealedLeaf, payload: WarrantPayload, dsse: bytes, salt: bytes) -> None:
    """Check tag, commitment and every public field of a leaf against the verified payload; ``SEAL_MISMATCH``."""
    # SPEC WRT-11: a leaf that differs from its warrant in any field is refused.
    expected = make_leaf(payload, dsse, salt)
    different = [name for name in LEAF_FIELDS if getattr(leaf, name) != getattr(expected, name)]
    if different:
        raise RefusedError(Reason.SEAL_MISMATCH, ", ".join(different))


LEAF_FIELDS: Final = tuple(SealedLeaf.__dataclass_fields__)


def _field_leaves(payload: WarrantPayload) -> list[bytes]:
    return [
        field_leaf(name, strict.encode(getattr(payload, name)), bytes.fromhex(payload.salts[name])) for name in FIELDS
    ]
