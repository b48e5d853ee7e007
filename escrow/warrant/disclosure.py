"""Disclosure: what opens a seal to everybody, field by field, once secrecy is over.

It shows that the leaf of long ago committed to exactly this warrant, and every field that is not about people. Whom the
warrant was on, and in which conversations, stays committed and closed: that is opened to the target alone (``notice``).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from escrow.encoding import join, split
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag, digest, fields
from escrow.tlog.merkle import leaf_hash, verify_inclusion
from escrow.warrant import strict
from escrow.warrant.documents import FIELDS, WarrantPayload
from escrow.warrant.sealing import Opening, SealedLeaf, WarrantClass, field_leaf, field_opening, field_root, seal_tag

HIDDEN: Final = frozenset({"targets", "conv_tags"})
"""About people: opened to the target, never to the public."""

PUBLIC: Final = tuple(name for name in FIELDS if name not in HIDDEN)
"""What a complete disclosure opens, in its order."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """``T("disclosure", seal_tag, salt, dsse_hash, field_root, openings)``, 32 bytes each but for the openings.

    Openings stand in the order of ``FIELDS``, each field at most once; any of them may be left out.
    """

    seal_tag: bytes
    salt: bytes
    dsse_hash: bytes
    field_root: bytes
    openings: tuple[tuple[str, Opening], ...]

    @classmethod
    def of(cls, payload: WarrantPayload, dsse: bytes, salt: bytes, names: Iterable[str] = PUBLIC) -> Self:
        """The disclosure of some fields of a sealed warrant; by default of all that are public."""
        wanted = set(names)
        openings = tuple((name, field_opening(payload, name)) for name in FIELDS if name in wanted)
        return cls(seal_tag(payload.id), salt, hashlib.sha256(dsse).digest(), field_root(payload), openings)

    def encode(self) -> bytes:
        """The payload of a ``DISCLOSURE`` entry."""
        openings = (
            T(Tag.OPENED_FIELD, name.encode(), opening.value, opening.salt, join(*opening.path))
            for name, opening in self.openings
        )
        return T(Tag.DISCLOSURE, self.seal_tag, self.salt, self.dsse_hash, self.field_root, join(*openings))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError`` also for fields unknown, twice or out of order."""
        tag, salt, dsse_hash, root, openings = fields(Tag.DISCLOSURE, data, 32, 32, 32, 32, None)
        shown = tuple(_opened(part) for part in split(openings, most=len(FIELDS)))
        places = [FIELDS.index(name) for name, _ in shown]
        if not places or places != sorted(set(places)):
            raise MalformedError("the fields of a disclosure stand in order, each once, and there is at least one")
        return cls(tag, salt, dsse_hash, root, shown)

    @property
    def names(self) -> frozenset[str]:
        """Which fields it opens."""
        return frozenset(name for name, _ in self.openings)

    def value(self, name: str) -> Any:
        """The plain value of an opened field, believed once ``check`` has passed; ``KeyError`` if it is not opened."""
        return strict.tree(dict(self.openings)[name].value)

    def check(self, leaf: SealedLeaf) -> None:
        """Check everything it says against the sealed leaf; ``SEAL_MISMATCH``."""
        # SPEC DSC-2: an opening that the leaf does not commit to, or that shows people, is refused.
        if (self.seal_tag, digest(Tag.SEAL, self.salt, self.dsse_hash, self.field_root)) != (
            leaf.seal_tag,
            leaf.commit,
        ):
            raise RefusedError(Reason.SEAL_MISMATCH, "the leaf commits to another warrant")
        if self.names & HIDDEN:
            raise RefusedError(Reason.ENTRY_REFUSED, "whom a warrant was on is not for the public")
        for name, opening in self.openings:
            leaf_data = field_leaf(name, opening.value, opening.salt)
            try:
                place = FIELDS.index(name)
                verify_inclusion(leaf_hash(leaf_data), place, len(FIELDS), opening.path, self.field_root)
            except RefusedError as error:
                raise RefusedError(Reason.SEAL_MISMATCH, name) from error
        self._check_leaf_fields(leaf)

    def _check_leaf_fields(self, leaf: SealedLeaf) -> None:
        """What the leaf has shown all the time must be what the warrant says."""
        promised = {
            "authority": leaf.authority.hex(),
            "urgent": leaf.urgent,
            "approve_by": leaf.approve_by,
            "nondisclosure_until": leaf.nondisclosure_until,
            "policy": leaf.policy_hash.hex(),
            "activation_delay_s": leaf.activation_delay,
            "kind": WarrantClass(leaf.warrant_class).name,
        }
        for name in promised.keys() & self.names:
            if self.value(name) != promised[name]:
                raise RefusedError(Reason.SEAL_MISMATCH, name)


def _opened(data: bytes) -> tuple[str, Opening]:
    name, value, salt, path = fields(Tag.OPENED_FIELD, data, None, None, 16, None)
    try:
        known = FIELDS[FIELDS.index(name.decode("ascii"))]
    except ValueError:
        raise MalformedError("a disclosure of an unknown field") from None
    return known, Opening(value, salt, split(path, most=8))
