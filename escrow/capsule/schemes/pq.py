"""PQ: Shamir's shares of a mask, each sealed to one custodian's X-Wing key. Holds against quantum computers.

Capsule, 32 + 1232·n bytes: W 32, then per custodian ct 1120 ‖ wrap 80 (share 32, ρ 32, tag 16) ‖ com 32. Everything is
derived from (ctx, label, seed), so whoever has the seed makes the capsule again and compares. Nobody else can check
more than its length: commitments to the polynomial in a group would be public proofs, and would hand the seed to
whoever computes logarithms. A custodian opens its own slot and sees by ``com`` whether it holds what it has to.

A share is the opening of ``com``: it says nothing about who asked for it, and is the same for everybody. Shares live
modulo the order L of the groups, for there the arithmetic exists already; any prime near 2^256 would do as well.
Sources: Shamir, CACM 22(11) 1979; draft-connolly-cfrg-xwing-kem; the construction is ours.
"""

import hashlib
import hmac
from collections.abc import Mapping
from itertools import combinations, islice
from typing import Final, NamedTuple, Self

from escrow.capsule.schemes.base import NO_SHARE, CommitteeContext, Scheme, ShareRequest, capsule_unit
from escrow.crypto import aead, xwing
from escrow.crypto.group import Scalar, hash_to_scalar
from escrow.crypto.kdf import hkdf_expand, hkdf_extract
from escrow.crypto.sharing import Polynomial, interpolate_scalars, interpolated_at
from escrow.crypto.xwing import CIPHERTEXT_SIZE, XWingKey
from escrow.encoding import expect, u32
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag, digest

MASKED_SIZE: Final = 32
SHARE_SIZE: Final = 32 + 32
WRAP_SIZE: Final = SHARE_SIZE + aead.TAG_SIZE
SLOT_SIZE: Final = CIPHERTEXT_SIZE + WRAP_SIZE + 32

_NONCE: Final = bytes(12)
"""A wrapping key is derived from a secret that no other slot of any capsule has: it seals once."""
_MOST_SUBSETS: Final = 1000
"""How many sets of shares are compared with the others in search of the slots that are wrong."""
_MOST_SEEDS: Final = 20
"""Of how many seeds the capsule is made again for that."""


class _Slot(NamedTuple):
    """One custodian's part."""

    ciphertext: bytes
    wrap: bytes
    com: bytes

    @classmethod
    def of(cls, capsule: bytes, index: int) -> Self:
        start = MASKED_SIZE + (index - 1) * SLOT_SIZE
        ciphertext, end = start + CIPHERTEXT_SIZE, start + SLOT_SIZE
        return cls(capsule[start:ciphertext], capsule[ciphertext : end - 32], capsule[end - 32 : end])


class Pq(Scheme):
    """The scheme of suite 4; see ``base.Scheme``."""

    __slots__ = ()
    seed_size = MASKED_SIZE

    def encapsulate(self, ctx: CommitteeContext, label: bytes, seed: Secret) -> bytes:
        """32 + 1232·n bytes, always the same for the same arguments. Raises ``SUITE_MISMATCH`` without the extra."""
        m, place = expect(seed.expose(), MASKED_SIZE, "a seed"), _Place(ctx.encode(), label)
        z = hash_to_scalar(Tag.PQ_Z, *place, m)
        coefficients = (hash_to_scalar(Tag.PQ_COEFFICIENT, u32(j), *place, m) for j in range(1, ctx.threshold))
        polynomial = Polynomial((z, *coefficients))
        slots = (_seal(place, polynomial, m, i, key) for i, key in enumerate(ctx.kems, start=1))
        return place.masked(m, z) + b"".join(slots)

    def verify(self, ctx: CommitteeContext, label: bytes, capsule: bytes) -> None:  # noqa: ARG002
        """The length: nothing else is public."""
        # SPEC PQ-1: a capsule of any other length is refused.
        if len(capsule) != MASKED_SIZE + len(ctx.kems) * SLOT_SIZE:
            raise RefusedError(Reason.CAPSULE_INVALID, f"{len(capsule)} bytes")

    def share(self, request: ShareRequest, secret: Secret, index: int, coins: bytes) -> bytes:  # noqa: ARG002
        """share 32 ‖ ρ 32, or ``NO_SHARE``; the secret is the seed of the custodian's KEM key. Needs no coins."""
        self.verify(request.ctx, request.label, request.capsule)
        slot, place = _Slot.of(request.capsule, index), _Place(request.ctx.encode(), request.label)
        own = XWingKey.from_seed(secret.expose())
        # SPEC PQ-2: what does not open the slot's commitment is not given out.
        try:
            key = place.wrapping_key(own.decapsulate(slot.ciphertext), index, slot.ciphertext)
            opened = aead.open_(key, _NONCE, slot.wrap, place.wrapped_with(index), Reason.CAPSULE_INVALID)
            place.check(opened, index, slot.com)
        except (MalformedError, RefusedError):
            return NO_SHARE
        return opened

    def verify_share(self, request: ShareRequest, h: bytes, index: int, share: bytes) -> None:  # noqa: ARG002
        """Against ``com`` in the capsule, which names committee, label and index."""
        try:
            self.verify(request.ctx, request.label, request.capsule)
            place = _Place(request.ctx.encode(), request.label)
            place.check(share, index, _Slot.of(request.capsule, index).com)
        except EscrowError as error:
            raise RefusedError(Reason.SHARE_INVALID, f"custodian {index}: {error.detail}") from None

    def may_abstain(self) -> bool:
        """Yes: what is in a slot is seen by its owner alone."""
        return True

    def unit(self, label: bytes, capsule: bytes) -> tuple[bytes, ...]:
        """The capsule."""
        return capsule_unit(label, capsule)

    def combine(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> Secret:
        """Interpolates z. A look at ``com`` is cheap, and keeps out bad shares whose errors cancel out."""
        place = _Place(ctx.encode(), label)
        try:
            self.verify(ctx, label, capsule)
            for index, share in shares.items():
                place.check(share, index, _Slot.of(capsule, index).com)
        except RefusedError as error:
            raise MalformedError(error.detail) from None
        return Secret(interpolate_scalars({index: _read(share) for index, share in shares.items()}).encode())

    def open(self, ctx: CommitteeContext, label: bytes, capsule: bytes, key: Secret) -> Secret:
        """Takes the mask off; the key is z, 32 bytes."""
        expect(capsule, MASKED_SIZE + len(ctx.kems) * SLOT_SIZE, "a capsule")
        z = Scalar.decode(key.expose())
        return Secret(_Place(ctx.encode(), label).masked(capsule[:MASKED_SIZE], z))

    def faults(self, ctx: CommitteeContext, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> str:
        """The slots that are not what the seed makes of them which threshold others hold."""
        values = {index: _read(share) for index, share in shares.items()}
        agreeing: dict[frozenset[int], tuple[int, ...]] = {}
        for few in islice(combinations(values, ctx.threshold), _MOST_SUBSETS):
            chosen = {index: values[index] for index in few}
            agree = frozenset(i for i, value in values.items() if interpolated_at(chosen, i) == value)
            agreeing.setdefault(agree, few)
        # What most shares agree on comes first: making capsules again is what costs.
        for agree in sorted(agreeing, key=len, reverse=True)[:_MOST_SEEDS]:
            key = self.combine(ctx, label, capsule, {i: shares[i] for i in agreeing[agree]})
            seed = self.open(ctx, label, capsule, key)
            again = self.encapsulate(ctx, label, seed)
            wrong = [i for i in range(1, len(ctx.kems) + 1) if _Slot.of(again, i) != _Slot.of(capsule, i)]
            if len(wrong) <= len(ctx.kems) - ctx.threshold:
                return f"slots {', '.join(map(str, wrong))}"
        return ""


class _Place(NamedTuple):
    """What everything in a capsule is bound to."""

    bound: bytes
    label: bytes

    def masked(self, data: bytes, z: Scalar) -> bytes:
        mask = hashlib.sha512(T(Tag.PQ_KEM, *self, z.encode())).digest()
        return bytes(a ^ b for a, b in zip(data, mask[: len(data)], strict=True))

    def wrapping_key(self, shared: bytes, index: int, ciphertext: bytes) -> bytes:
        return hkdf_expand(hkdf_extract(b"", shared), T(Tag.PQ_WRAP, *self, u32(index), ciphertext), 32)

    def wrapped_with(self, index: int) -> bytes:
        return T(Tag.PQ_WRAP_AD, *self, u32(index))

    def com(self, index: int, opened: bytes) -> bytes:
        return digest(Tag.PQ_COM, *self, u32(index), opened[:32], opened[32:])

    def check(self, opened: bytes, index: int, com: bytes) -> None:
        _read(opened)
        if not hmac.compare_digest(self.com(index, opened), com):
            raise RefusedError(Reason.CAPSULE_INVALID, "not what the slot is committed to")


def _seal(place: _Place, polynomial: Polynomial, m: bytes, index: int, key: bytes) -> bytes:
    rho = digest(Tag.PQ_RHO, u32(index), *place, m)
    coins = hashlib.sha512(T(Tag.PQ_COINS, u32(index), *place, m)).digest()
    opened = polynomial.evaluate(index).encode() + rho
    shared, ciphertext = xwing.encapsulate(key, coins)
    wrapping = place.wrapping_key(shared, index, ciphertext)
    wrap = aead.seal(wrapping, _NONCE, opened, place.wrapped_with(index))
    return ciphertext + wrap + place.com(index, opened)


def _read(share: bytes) -> Scalar:
    return Scalar.decode(expect(share, SHARE_SIZE, "a share")[:32])
