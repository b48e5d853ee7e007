"""IBE: Boneh and Franklin's identity-based encryption with a threshold of key holders, on BLS12-381.

Capsule, 192 bytes: U 96 ‖ W 32 ‖ challenge 32 ‖ response 32. U = r·P2 is in G2, where the committee key Y is, too. W is
the seed under a mask from e(r·Q, Y), where Q in G1 is the hash of the identity: sender's account and epoch, and the
conversation where the suite is ``ibe-conversation``. Whoever has x·Q, the identity key, opens every capsule of that
identity, those of tomorrow included; so custodians give out shares of it, x_i·Q, for closed epochs alone.

Challenge and response prove that r is known, under this label and over this W: nobody puts the parts of two capsules
together, or another label on one. They show nothing about the identity or the seed: only the receiver, who makes the
capsule again, sees that W holds one. All coins come from (ctx, identity, label, seed).

A share has no proof: by a pairing everybody sees whether it is x_i·Q. It says nothing about who asked for it.
Sources: Boneh and Franklin, SIAM J. Computing 32(3) 2003; Boldyreva, PKC 2003, for the shares.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from escrow.capsule.label import Label
from escrow.capsule.schemes.base import CommitteeContext, Scheme, ShareRequest
from escrow.crypto.group import Point, Scalar
from escrow.crypto.suites import IBE_CONVERSATION
from escrow.encoding import expect, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag

if TYPE_CHECKING:
    # Needs an extra. Whoever has the context of a committee of this suite has it, too: see ``suites.group_of``.
    from escrow.crypto.bls12381 import G1

SEED_SIZE: Final = 32
CAPSULE_SIZE: Final = 96 + 3 * 32
SHARE_SIZE: Final = 48

DOMAIN: Final = b"ESCROW-V1-IBE_BLS12381G1_XMD:SHA-256_SSWU_RO_"
"""Where identities are hashed, and nothing else is: in a domain of signatures an identity key would be a signature."""


class _Parts(NamedTuple):
    """A capsule cut up, nothing checked yet."""

    u: bytes
    w: bytes
    challenge: bytes
    response: bytes

    @classmethod
    def of(cls, capsule: bytes) -> Self:
        expect(capsule, CAPSULE_SIZE, "a capsule")
        return cls(capsule[:96], capsule[96:128], capsule[128:160], capsule[160:])


class Ibe(Scheme):
    """The scheme of suites 3 and 7; see ``base.Scheme``."""

    __slots__ = ()
    seed_size = SEED_SIZE

    def encapsulate(self, ctx: CommitteeContext, label: bytes, seed: Secret) -> bytes:
        """192 bytes, always the same for the same arguments; ``MalformedError`` for a label that is none."""
        place, m = _Place.of(ctx, label), expect(seed.expose(), SEED_SIZE, "a seed")
        hashed, base_mul = ctx.group.scalar.hashed, ctx.group.base_mul
        r = hashed(Tag.IBE_R, *place, m)
        u = base_mul(r).encode()
        w = _xor(m, place.mask(u, r * place.point, ctx.public))
        # SPEC IBE-3: what the challenge hashes, the nonce does, too; or two capsules of one seed would reveal it.
        k = hashed(Tag.IBE_K, *place, u, w, m)
        challenge = place.challenge(u, w, base_mul(k))
        return u + w + challenge.encode() + (k + challenge * r).encode()

    def verify(self, ctx: CommitteeContext, label: bytes, capsule: bytes) -> None:
        """The public check: whoever made this capsule for this label knows the logarithm of U."""
        # SPEC IBE-2: no other U, and no parts of two capsules, are taken.
        try:
            parts, place, read = _Parts.of(capsule), _Place.of(ctx, label), ctx.group.scalar.decode
            challenge, response = read(parts.challenge), read(parts.response)
            _, product = ctx.group.decode_times(parts.u, challenge)
            expected = place.challenge(parts.u, parts.w, ctx.group.base_mul(response) - product)
        except MalformedError as error:
            raise RefusedError(Reason.CAPSULE_INVALID, error.detail) from None
        if challenge != expected:
            raise RefusedError(Reason.CAPSULE_INVALID)

    def unit(self, label: bytes, capsule: bytes) -> tuple[bytes, ...]:  # noqa: ARG002
        """The identity: one share is for all its capsules."""
        terms = Label.decode(label)
        return (hashlib.sha256(identity(terms, terms.suite, terms.committee_key_hash)).digest(),)

    def share(self, request: ShareRequest, secret: Secret, index: int, coins: bytes) -> bytes:  # noqa: ARG002
        """x·Q, 48 bytes; the secret is x. Needs no coins.

        Nothing in it is of the capsule, so a capsule that is not sound costs whoever asks with it nothing but that.
        """
        _Parts.of(request.capsule)
        x = request.ctx.group.scalar.decode(secret.expose())
        return (x * _Place.of(request.ctx, request.label).point).encode()

    def verify_share(self, request: ShareRequest, h: bytes, index: int, share: bytes) -> None:
        """e(share, P2) = e(Q, h), where ``h`` is x·P2: of this identity and this custodian, whoever asked."""
        from escrow.crypto.bls12381 import G1, pair_alike

        try:
            group, point = request.ctx.group, _Place.of(request.ctx, request.label).point
            alike = pair_alike(G1.decode(share), group.base, point, group.decode(h))
        except EscrowError as error:
            raise RefusedError(Reason.SHARE_INVALID, f"custodian {index}: {error.detail}") from None
        if not alike:
            raise RefusedError(Reason.SHARE_INVALID, f"custodian {index}: not its share of this identity's key")

    def may_abstain(self) -> bool:
        """No: there is a share for every identity."""
        return False

    def combine(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> Secret:  # noqa: ARG002
        """Interpolates x·Q. Whether it is that, the first capsule which it opens shows."""
        from escrow.crypto.bls12381 import G1

        _Parts.of(capsule)
        return Secret(G1.combine(shares).encode())

    def open(self, ctx: CommitteeContext, label: bytes, capsule: bytes, key: Secret) -> Secret:
        """Takes the mask off, which e(x·Q, U) gives as well; the key is x·Q, 48 bytes."""
        from escrow.crypto.bls12381 import G1

        parts, place = _Parts.of(capsule), _Place.of(ctx, label)
        return Secret(_xor(parts.w, place.mask(parts.u, G1.decode(key.expose()), ctx.group.decode(parts.u))))

    def faults(self, *_: object) -> str:
        """A capsule has no parts that could be told apart."""
        return ""


def identity(label: Label, suite: int, committee_key_hash: bytes) -> bytes:
    """``T("id", policy_hash, committee_key_hash, account, epoch u64[, conv_tag])``: what one key opens.

    Suite and committee are those for which it is asked; whether a label names the same is for its reader to see.
    """
    # SPEC IBE-1: identities differ wherever policy, committee, account, epoch or (suite 7) conversation do.
    wide = label.policy_hash, committee_key_hash, label.sender_account, u64(label.epoch)
    return T(Tag.IBE_ID, *wide, *((label.conv_tag,) if suite == IBE_CONVERSATION else ()))


class _Place(NamedTuple):
    """What everything in a capsule is bound to."""

    bound: bytes
    identity: bytes
    label: bytes

    @classmethod
    def of(cls, ctx: CommitteeContext, label: bytes) -> Self:
        return cls(ctx.encode(), identity(Label.decode(label), ctx.suite, ctx.committee_key_hash), label)

    @property
    def point(self) -> "G1":
        return _hashed(self.identity)

    def mask(self, u: bytes, left: "G1", right: Point) -> bytes:
        from escrow.crypto.bls12381 import pairing

        return hashlib.sha512(T(Tag.IBE_KEM, *self, u, pairing(left, right))).digest()[:SEED_SIZE]

    def challenge(self, u: bytes, w: bytes, commitment: Point) -> Scalar:
        return commitment.group.scalar.hashed(Tag.IBE_E, *self, u, w, commitment.encode())


@lru_cache(maxsize=256)  # a day of one account has one identity, whatever its messages
def _hashed(named: bytes) -> "G1":
    """Q"""
    from escrow.crypto.bls12381 import G1

    return G1.hash(named, DOMAIN)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(SEED_SIZE, "big")
