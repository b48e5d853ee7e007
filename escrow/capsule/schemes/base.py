"""What every escrow scheme can do. A capsule is opaque bytes to everybody else.

What a share opens is a *release unit*: one capsule, or everything that is sealed to one identity. Custodians give one
share for a unit and quotas count units; the key that shares of a unit combine to opens each of its capsules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol, Self

from escrow.capsule.header import cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.committee.documents import CommitteeKey, CommitteeProposal, read_public
from escrow.committee.parts import PublicKey
from escrow.crypto.group import Group, Point
from escrow.encoding import u16
from escrow.secret import Secret
from escrow.tags import T, Tag

NO_SHARE: Final = b""
"""What a custodian answers whose part of a capsule holds nothing, where nobody else could have told before."""


@dataclass(frozen=True)
class CommitteeContext:
    """For whom a capsule is: suite and key, hashed into everything the scheme hashes."""

    suite: int
    """u16"""
    committee_key_hash: bytes
    """32"""
    threshold: int
    key: PublicKey

    @classmethod
    def of(cls, proposal: CommitteeProposal, key: CommitteeKey) -> Self:
        """From documents that were verified."""
        return cls(proposal.suite, key.hash, proposal.threshold, read_public(key, proposal))

    @cached_property
    def public(self) -> Point:
        """Y"""
        return self._points[0]

    @cached_property
    def gamma(self) -> Point:
        """Ḡ, the second generator"""
        return self._points[1]

    @cached_property
    def group(self) -> Group:
        """Where the key lives."""
        return self.public.group

    @property
    def kems(self) -> tuple[bytes, ...]:
        """The custodians' X-Wing keys, 1216 bytes each."""
        return self.key.kems

    def encode(self) -> bytes:
        """``T("ctx", suite u16, committee_key_hash[, Y[, Ḡ]])``. The hash is over everything in the key."""
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        points = (point.encode() for point in self.key.points)
        return T(Tag.CTX, u16(self.suite), self.committee_key_hash, *points)

    @property
    def _points(self) -> tuple[Point, ...]:
        if not self.key.points:
            raise AssertionError("a scheme calculates with what its suite has")
        return self.key.points


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """What a share is made for."""

    ctx: CommitteeContext
    generation_hash: bytes
    """32, which distribution of shares"""
    label: bytes
    capsule: bytes
    request_hash: bytes
    """32"""


def capsule_unit(label: bytes, capsule: bytes) -> tuple[bytes, bytes]:
    """The unit of a scheme whose shares open one capsule each: label hash and capsule hash."""
    return label_hash(label), cap_hash(Label.decode(label).suite, capsule)


class Scheme(Protocol):
    """Deterministic: a capsule is a function of (ctx, label, seed). So whoever has the seed can check it."""

    seed_size: int
    """Bytes of a seed: 32, or 64 for a scheme of two parts."""

    def encapsulate(self, ctx: CommitteeContext, label: bytes, seed: Secret) -> bytes:
        """The capsule that holds ``seed`` under ``label``; ``MalformedError`` for a seed of another size."""
        ...

    def verify(self, ctx: CommitteeContext, label: bytes, capsule: bytes) -> None:
        """Check what is checkable without any secret; ``RefusedError(CAPSULE_INVALID)``."""
        ...

    def unit(self, label: bytes, capsule: bytes) -> tuple[bytes, ...]:
        """What a share for this capsule opens, in 32-byte parts: label hash and capsule hash, or that of an identity.

        ``MalformedError`` for a label that names no identity where one is needed.
        """
        ...

    def share(self, request: ShareRequest, secret: Secret, index: int, coins: bytes) -> bytes:
        """Custodian ``index``'s part of the opening of a unit, with what proves it; verifies the capsule first, as
        far as its share depends on it.

        ``secret`` is what key generation handed out, ``coins`` 32 bytes. ``NO_SHARE`` where ``verify`` cannot see
        everything and the custodian finds nothing: one capsule may not keep it from opening others.
        """
        ...

    def verify_share(self, request: ShareRequest, h: bytes, index: int, share: bytes) -> None:
        """``RefusedError(SHARE_INVALID)`` unless custodian ``index`` had to answer this.

        ``h`` is what the share generation says of it. ``NO_SHARE`` is never valid; whether it is honest is not said.
        """
        ...

    def may_abstain(self) -> bool:
        """Whether ``NO_SHARE`` can be an honest answer to a capsule that verifies."""
        ...

    def combine(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> Secret:
        """The key of the capsule's unit, from threshold shares by index.

        Garbage in, garbage or ``MalformedError`` out.
        """
        ...

    def open(self, ctx: CommitteeContext, label: bytes, capsule: bytes, key: Secret) -> Secret:
        """The seed, with the key of the capsule's unit. Garbage in, garbage or ``MalformedError`` out."""
        ...

    def recover(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> Secret:
        """The seed, from threshold shares by index: ``combine`` and ``open``."""
        return self.open(ctx, label, capsule, self.combine(ctx, label, capsule, shares))

    def faults(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> str:
        """Where a capsule is malformed of which all these ``shares`` are valid; empty if that cannot be said."""
        ...
