"""TDH2: threshold ElGamal whose ciphertexts prove that their maker knows what is inside.

Capsule, 160 bytes: c 32 ‖ u 32 ‖ ū 32 ‖ e 32 ‖ f 32, where u = rG, ū = rḠ and (e, f) proves that r is the same. That
proof makes custodians no oracle: nobody gets x·u for a u whose logarithm he does not know. All coins come from
(ctx, label, seed); they must contain everything that e hashes, or two capsules of one seed would reveal it.
Source: Shoup and Gennaro, J. Cryptology 15(2), 2002; label, key and proof statement hashed throughout.
"""

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from escrow.capsule.schemes.base import CommitteeContext, Scheme, ShareRequest, capsule_unit
from escrow.committee.parts import second_generator
from escrow.crypto import dleq
from escrow.crypto.group import SIZE, Group, Point, Scalar, hash_to_scalar
from escrow.crypto.sharing import interpolate_encoded
from escrow.encoding import expect, u32
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag

CAPSULE_SIZE: Final = 5 * SIZE
SHARE_SIZE: Final = SIZE + dleq.PROOF_SIZE

_VERIFICATION_SHARES: Final[dict[tuple[str, bytes], Point]] = {}
_MOST_REMEMBERED: Final = 64

gamma = second_generator
"""Ḡ of a committee: (proposal_hash, Y) -> Point."""


class _Parts(NamedTuple):
    """A capsule cut up, nothing checked yet: a multiplication that follows checks its own point."""

    c: bytes
    u: bytes
    u_bar: bytes
    e: bytes
    f: bytes

    @classmethod
    def of(cls, capsule: bytes) -> Self:
        expect(capsule, CAPSULE_SIZE, "a capsule")
        return cls(capsule[:32], capsule[32:64], capsule[64:96], capsule[96:128], capsule[128:])


class Tdh2(Scheme):
    """The scheme of suites 1 and 2; see ``base.Scheme``."""

    __slots__ = ()
    seed_size = SIZE

    def encapsulate(self, ctx: CommitteeContext, label: bytes, seed: Secret) -> bytes:
        """160 bytes, always the same for the same arguments."""
        bound, m = ctx.encode(), expect(seed.expose(), SIZE, "a seed")
        r, s = (hash_to_scalar(tag, bound, label, m) for tag in (Tag.TDH2_R, Tag.TDH2_S))
        group, gamma_ = ctx.group, ctx.gamma
        u, u_bar = group.base_mul(r).encode(), (r * gamma_).encode()
        c = _xor(m, _mask(bound, label, u, (r * ctx.public).encode()))
        e = _challenge(bound, label, c, u, u_bar, group.base_mul(s), s * gamma_)
        return c + u + u_bar + e.encode() + (s + r * e).encode()

    def verify(self, ctx: CommitteeContext, label: bytes, capsule: bytes) -> None:
        """The public check: u and ū have one logarithm, known to whoever made this capsule for this label and key."""
        try:
            parts = _Parts.of(capsule)
            e, f = Scalar.decode(parts.e), Scalar.decode(parts.f)
            (_, eu), (_, eu_bar) = (ctx.group.decode_times(point, e) for point in (parts.u, parts.u_bar))
            w, w_bar = ctx.group.base_mul(f) - eu, f * ctx.gamma - eu_bar
            expected = _challenge(ctx.encode(), label, parts.c, parts.u, parts.u_bar, w, w_bar)
        except MalformedError as error:
            raise RefusedError(Reason.CAPSULE_INVALID, error.detail) from None
        if e != expected:
            raise RefusedError(Reason.CAPSULE_INVALID)

    def share(self, request: ShareRequest, secret: Secret, index: int, coins: bytes) -> bytes:
        """x·u ‖ proof, 96 bytes; the secret is x."""
        # Without this check the custodian would raise any point to its secret for whoever asks.
        self.verify(request.ctx, request.label, request.capsule)
        return share_of_verified(request, secret, index, coins)

    def verify_share(self, request: ShareRequest, h: bytes, index: int, share: bytes) -> None:
        """The proof names suite, keys, generation, label, capsule, index and request. ``h`` is x·G."""
        try:
            part, proof, u = _part(share), share[SIZE:], _Parts.of(request.capsule).u
            dleq.verify_encoded(request.ctx.group, h, u, part, proof, _statement(request, index))
        except EscrowError as error:
            raise RefusedError(Reason.SHARE_INVALID, f"custodian {index}: {error.detail}") from None

    def may_abstain(self) -> bool:
        """No: a capsule that verifies has a share for everybody."""
        return False

    def unit(self, label: bytes, capsule: bytes) -> tuple[bytes, ...]:
        """The capsule."""
        return capsule_unit(label, capsule)

    def combine(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> Secret:  # noqa: ARG002
        """Interpolates x·u in the exponent."""
        _Parts.of(capsule)
        return Secret(interpolate_encoded(ctx.group, {i: _part(share) for i, share in shares.items()}).encode())

    def open(self, ctx: CommitteeContext, label: bytes, capsule: bytes, key: Secret) -> Secret:
        """Takes the mask off; the key is x·u, 32 bytes."""
        c, u, *_ = _Parts.of(capsule)
        return Secret(_xor(c, _mask(ctx.encode(), label, u, key.expose())))

    def faults(self, *_: object) -> str:
        """A capsule has no parts that could be told apart."""
        return ""


def share_of_verified(request: ShareRequest, secret: Secret, index: int, coins: bytes) -> bytes:
    """What ``Tdh2.share`` answers once it has verified the capsule: apart from that only to be measured."""
    x = Scalar.decode(secret.expose())
    group = request.ctx.group
    u, part = group.decode_times(request.capsule[SIZE : 2 * SIZE], x)
    h = _verification_share(group, x)
    return part.encode() + dleq.prove(x, u, h, part, _statement(request, index), coins)


def _verification_share(group: Group, x: Scalar) -> Point:
    """x·G, which is public. Remembered under a hash of x, so that a share once erased is in no memory because of us."""
    name = group.name, hashlib.sha256(x.encode()).digest()
    if name not in _VERIFICATION_SHARES:
        if len(_VERIFICATION_SHARES) >= _MOST_REMEMBERED:
            _VERIFICATION_SHARES.clear()
        _VERIFICATION_SHARES[name] = group.base_mul(x)
    return _VERIFICATION_SHARES[name]


def _mask(bound: bytes, label: bytes, u: bytes, shared: bytes) -> bytes:
    return hashlib.sha512(T(Tag.TDH2_KEM, bound, label, u, shared)).digest()[:SIZE]


def _challenge(bound: bytes, label: bytes, c: bytes, u: bytes, u_bar: bytes, w: Point, w_bar: Point) -> Scalar:
    e = hash_to_scalar(Tag.TDH2_E, bound, label, c, u, u_bar, w.encode(), w_bar.encode())
    if e.is_zero:
        raise MalformedError("a challenge of zero proves nothing")
    return e


def _part(share: bytes) -> bytes:
    """x·u, not looked at yet."""
    return expect(share, SHARE_SIZE, "a share")[:SIZE]


def _statement(request: ShareRequest, index: int) -> tuple[bytes, ...]:
    ctx = request.ctx.encode()
    return (ctx, request.generation_hash, request.label, request.capsule, u32(index), request.request_hash)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(SIZE, "big")
