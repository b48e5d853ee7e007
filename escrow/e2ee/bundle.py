"""Prekeys: what a device leaves with the relay so that others can start a session while it is away.

The static part (identity, signed prekey, last-resort KEM key, the choices on offer) serves everybody; beside it the
relay hands out at most one one-time key of each kind. Each part is signed by the device key on its own, so that the
relay can combine but not invent. How a bundle becomes a session is ``pqxdh``'s business.
"""

import hashlib
from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from escrow.crypto.coins import Coins
from escrow.crypto.dh import DhKey
from escrow.crypto.kem import PUBLIC_SIZE, MlKemKey
from escrow.crypto.sign import SIGNATURE_SIZE, verify
from escrow.e2ee.keys import Identity, IdentityKeys, Purpose
from escrow.encoding import number, u8, u32, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields

LIFETIME = 60 * 24 * 3600 * 1000
"""How long published prekeys are good for, in ms, unless their maker says otherwise."""

Supported = tuple[tuple[int, bytes], ...]
"""The choices on offer: (mode u8, policy lineage 32), ascending, each once."""

_CHOICE = 33
_KEM = (Purpose.KEM_LAST_RESORT, Purpose.KEM_ONE_TIME)


def encode_supported(supported: Iterable[tuple[int, bytes]]) -> bytes:
    """33 bytes for each distinct choice, ascending."""
    return b"".join(sorted({u8(mode) + lineage for mode, lineage in supported}))


def decode_supported(data: bytes) -> Supported:
    """Undo ``encode_supported`` or raise ``MalformedError``."""
    rows = [data[at : at + _CHOICE] for at in range(0, len(data), _CHOICE)]
    supported = tuple((row[0], row[1:]) for row in rows)
    if encode_supported(supported) != data or len(data) % _CHOICE:
        raise MalformedError("not a set of modes and lineages")
    return supported


class Prekey(Struct, frozen=True):
    """A public prekey. ``number`` is unique within its device and purpose; ``not_after`` is in ms."""

    purpose: Purpose
    number: int
    public: bytes
    not_after: int

    def encode(self) -> bytes:
        """``T("prekey", purpose u8, number u32, public, not_after u64)``; public has 32 or 1568 bytes."""
        return T(Tag.PREKEY, u8(self.purpose), u32(self.number), self.public, u64(self.not_after))

    @classmethod
    def decode(cls, data: bytes, purpose: Purpose) -> Self:
        """Undo ``encode`` for a key of ``purpose`` and no other, or raise ``MalformedError``."""
        width = PUBLIC_SIZE if purpose in _KEM else 32
        kind, place, public, not_after = fields(Tag.PREKEY, data, 1, 4, width, 8)
        if kind != u8(purpose):
            raise MalformedError(f"a prekey that is not a {purpose.name}")
        return cls(purpose, number(place), public, number(not_after))


class PrekeySecret(Struct, frozen=True):
    """The private half: ``seed`` has 32 bytes (X25519) or 64 (ML-KEM).

    ``published`` is SHA-256 of the signed bytes that carry the public half; ``supported`` is what those bytes offer,
    and empty for a one-time key. A one-time secret must be erased when it was used.
    """

    purpose: Purpose
    number: int
    seed: Secret
    not_after: int
    published: bytes
    supported: Supported = ()


class PrekeySecrets(Struct, frozen=True):
    """All prekey secrets of one ``make_prekeys``; ``next_number`` is the first number of the next one."""

    keys: tuple[PrekeySecret, ...]
    next_number: int

    def find(self, purpose: Purpose, place: int) -> PrekeySecret | None:
        """The secret with that number, or None if it is used up or never was."""
        return next((key for key in self.keys if (key.purpose, key.number) == (purpose, place)), None)

    def without(self, used: Iterable[tuple[Purpose, int]]) -> Self:
        """The secrets that remain when ``used`` ones are erased."""
        gone = set(used)
        return type(self)(tuple(key for key in self.keys if (key.purpose, key.number) not in gone), self.next_number)


class Published(Struct, frozen=True):
    """What the relay gets: the static part, and one-time keys of both kinds, each with its signature at the end."""

    static: bytes
    ec: tuple[bytes, ...]
    kem: tuple[bytes, ...]


class StaticBundle(Struct, frozen=True):
    """The part that serves everybody."""

    identity: Identity
    signed: Prekey
    kem: Prekey
    supported: Supported

    def encode(self) -> bytes:
        """``T("bundle", identity 101, signed prekey, last-resort KEM prekey, supported 33·n)``."""
        choices = encode_supported(self.supported)
        return T(Tag.BUNDLE, self.identity.encode(), self.signed.encode(), self.kem.encode(), choices)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        identity, signed, kem, supported = fields(Tag.BUNDLE, data, Identity.SIZE, None, None, None)
        return cls(
            Identity.decode(identity),
            Prekey.decode(signed, Purpose.SIGNED_PREKEY),
            Prekey.decode(kem, Purpose.KEM_LAST_RESORT),
            decode_supported(supported),
        )


class VerifiedBundle(Struct, frozen=True):
    """A bundle whose every part its device has signed. ``kem`` is the one-time key if there is one.

    Whether ``identity`` is the one of the logged device list is for the caller to compare.
    """

    identity: Identity
    signed: Prekey
    one_time: Prekey | None
    kem: Prekey
    supported: Supported
    bundle_hash: bytes


class Bundle(Struct, frozen=True):
    """What the relay says are the prekeys of a device. Nothing may use it but ``verify``.

    Each part is an encoding with a 64-byte signature at its end, as in ``Published``.
    """

    static: bytes
    ec: bytes | None = None
    kem: bytes | None = None

    def verify(self, device_key: bytes, now: int) -> VerifiedBundle:
        """Check every signature, purpose and expiry; raise ``RefusedError(BUNDLE_INVALID)``."""
        try:
            static = StaticBundle.decode(_signed_part(self.static, device_key))
            ec = None if self.ec is None else verify_one_time(self.ec, device_key, Purpose.ONE_TIME_PREKEY)
            kem = None if self.kem is None else verify_one_time(self.kem, device_key, Purpose.KEM_ONE_TIME)
        except EscrowError as error:
            raise RefusedError(Reason.BUNDLE_INVALID, error.detail) from None
        if static.identity.signing != device_key:
            raise RefusedError(Reason.BUNDLE_INVALID, "it names another device key")
        if any(key.not_after <= now for key in (static.signed, static.kem, ec, kem) if key):
            raise RefusedError(Reason.BUNDLE_INVALID, "a prekey has expired")
        parts = [_hash(part) for part in (self.static, self.ec, self.kem) if part is not None]
        return VerifiedBundle(static.identity, static.signed, ec, kem or static.kem, static.supported, hash_used(parts))


def verify_one_time(part: bytes, device_key: bytes, purpose: Purpose) -> Prekey:
    """A one-time key as published, if its device signed it for ``purpose``. Raises ``MalformedError``,
    ``RefusedError(SIGNATURE_INVALID)``. Whether it has expired is for the caller to compare.
    """
    return Prekey.decode(_signed_part(part, device_key), purpose)


def hash_used(parts: Iterable[bytes]) -> bytes:
    """The hash of a complete bundle from the hashes of its parts: static, then the one-time ones there are.

    Absent parts are absent elements; the purposes inside keep a lone EC key and a lone KEM key apart.
    """
    return digest(Tag.BUNDLE_USED, *parts)


def make_prekeys(
    coins: bytes,
    me: IdentityKeys,
    count: int,
    now: int,
    supported: Iterable[tuple[int, bytes]],
    *,
    first_number: int = 1,
    lifetime: int = LIFETIME,
) -> tuple[PrekeySecrets, Published]:
    """A new static part and ``count`` one-time keys of each kind, numbered from ``first_number``.

    The secrets must be stored before anything is published.
    """
    draw = Coins(coins)
    not_after = now + lifetime
    choices = decode_supported(encode_supported(supported))
    ec_seed, kem_seed = Secret(draw.take("signed", 32)), Secret(draw.take("last-resort", 64))
    signed = _public(Purpose.SIGNED_PREKEY, first_number, ec_seed, not_after)
    last_resort = _public(Purpose.KEM_LAST_RESORT, first_number, kem_seed, not_after)
    static = _sign(me, StaticBundle(me.identity, signed, last_resort, choices).encode())
    lasting = tuple(
        PrekeySecret(key.purpose, first_number, seed, not_after, _hash(static), choices)
        for key, seed in ((signed, ec_seed), (last_resort, kem_seed))
    )
    ec_keys, ec = make_one_time(draw.take("ec", 32), me, Purpose.ONE_TIME_PREKEY, count, first_number, not_after)
    kem_keys, kem = make_one_time(draw.take("kem", 32), me, Purpose.KEM_ONE_TIME, count, first_number, not_after)
    secrets = PrekeySecrets(lasting + ec_keys + kem_keys, first_number + max(count, 1))
    return secrets, Published(static, ec, kem)


def make_one_time(
    coins: bytes, me: IdentityKeys, purpose: Purpose, count: int, first_number: int, not_after: int
) -> tuple[tuple[PrekeySecret, ...], tuple[bytes, ...]]:
    """``count`` one-time keys of ``purpose``: their secrets, and the signed bytes to publish."""
    draw = Coins(coins)
    secrets, published = [], []
    for place in range(first_number, first_number + count):
        seed = Secret(draw.take("one-time", 64 if purpose in _KEM else 32))
        signed = _sign(me, _public(purpose, place, seed, not_after).encode())
        secrets.append(PrekeySecret(purpose, place, seed, not_after, _hash(signed)))
        published.append(signed)
    return tuple(secrets), tuple(published)


def _public(purpose: Purpose, place: int, seed: Secret, not_after: int) -> Prekey:
    make = MlKemKey.from_seed if purpose in _KEM else DhKey.from_seed
    return Prekey(purpose, place, make(seed.expose()).public, not_after)


def _sign(me: IdentityKeys, body: bytes) -> bytes:
    return body + me.signing_key.sign(body)


def _signed_part(data: bytes, device_key: bytes) -> bytes:
    body, signature = data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]
    verify(device_key, body, signature)
    return body


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
