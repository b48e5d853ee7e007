"""What every escrow scheme can do. A capsule is opaque bytes to everybody else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from escrow.committee.documents import CommitteeKey, CommitteeProposal
from escrow.crypto.group import Group, Point, Scalar
from escrow.encoding import u16
from escrow.secret import Secret
from escrow.tags import T, Tag


@dataclass(frozen=True, slots=True)
class CommitteeContext:
    """For whom a capsule is: suite and key, hashed into everything the scheme hashes."""

    suite: int
    """u16"""
    committee_key_hash: bytes
    """32"""
    public: Point
    """Y"""
    gamma: Point
    """Ḡ, the second generator"""

    @classmethod
    def of(cls, proposal: CommitteeProposal, key: CommitteeKey) -> Self:
        """From documents that were verified."""
        decode = proposal.group.decode
        return cls(proposal.suite, key.hash, decode(key.public), decode(key.gamma))

    @property
    def group(self) -> Group:
        """Where the key lives."""
        return self.public.group

    def encode(self) -> bytes:
        """``T("ctx", suite u16, committee_key_hash, Y, Ḡ)``."""
        return T(Tag.CTX, u16(self.suite), self.committee_key_hash, self.public.encode(), self.gamma.encode())


@dataclass(frozen=True, slots=True)
class ShareRequest:
    """What a share is made for; its proof holds for nothing else."""

    ctx: CommitteeContext
    generation_hash: bytes
    """32, which distribution of shares"""
    label: bytes
    capsule: bytes
    request_hash: bytes
    """32"""


class Scheme(Protocol):
    """Deterministic: a capsule is a function of (ctx, label, seed). So whoever has the seed can check it."""

    def encapsulate(self, ctx: CommitteeContext, label: bytes, seed: Secret) -> bytes:
        """The capsule that holds the 32-byte ``seed`` under ``label``."""
        ...

    def verify(self, ctx: CommitteeContext, label: bytes, capsule: bytes) -> None:
        """Check what is checkable without any secret; ``RefusedError(CAPSULE_INVALID)``."""
        ...

    def share(self, request: ShareRequest, x: Scalar, index: int, coins: bytes) -> bytes:
        """Custodian ``index``'s part of the opening, with a proof; verifies the capsule first. ``coins``: 32 bytes."""
        ...

    def verify_share(self, request: ShareRequest, h: Point, index: int, share: bytes) -> None:
        """``RefusedError(SHARE_INVALID)`` unless the share is what the holder of h = x·G had to answer."""
        ...

    def recover(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> Secret:
        """The seed, from threshold shares by index. Checks nothing: garbage in, garbage or ``MalformedError`` out."""
        ...
