"""PyPI ``X3DH`` as either side of a PQXDH: which keys are exchanged with which, and in which order, is the library's.

PQXDH is X3DH with a secret more at the end and our own data as ``info``, some of which exists only when X3DH has been
run. So the library is made to hand out what it would derive from, instead of deriving; the rest is finished from the
written layouts, with ``cryptography``. Nothing of ``escrow.e2ee.pqxdh`` or ``bundle`` computes here.
"""

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import xeddsa
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from x3dh import BaseState, Bundle, HashFunction, Header, IdentityKeyFormat
from x3dh.crypto_provider_cryptography import CryptoProviderImpl
from x3dh.models import BaseStateModel, IdentityKeyPairModel, SignedPreKeyPairModel
from x3dh.types import SecretType

from escrow.e2ee.keys import Purpose
from tests.core.e2ee.people import Person
from tests.oracles.layout import SIGNATURE, tagged, untagged
from tests.oracles.ratchet import at_once

SUITE = b"x25519 mlkem1024 hkdf-sha256 chacha20poly1305"


@dataclass(frozen=True)
class Agreed:
    """What both sides have afterwards, and the responder's signed prekey, from which the ratchets start."""

    root: bytes
    ad: bytes
    signed: bytes


def initiate(me: Person, other: Person, choice: tuple[int, bytes], *, ec: bool, kem: bool) -> tuple[bytes, Agreed]:
    """The first message of ``me``, who takes the one-time keys that are said to be there, and what it leads to."""
    offer = Offer(other, ec=ec, kem=kem)
    own = _state(me.keys.dh.expose(), me.keys.dh.expose(), [])
    # Our bundles are signed by the device key; the library insists on a signature by the X25519 key.
    signer = xeddsa.priv_force_sign(other.keys.dh.expose(), False)
    signature = xeddsa.ed25519_priv_sign(signer, offer.signed.public)
    one_time = frozenset([offer.ec.public] if offer.ec else [])
    bundle = Bundle(offer.identity[69:], offer.signed.public, signature, one_time)
    with _underived():
        material, _, header = at_once(own.get_shared_secret_active(bundle, require_pre_key=False))
    secret, ciphertext = MLKEM1024PublicKey.from_public_bytes(offer.kem.public).encapsulate()
    mode, lineage = choice
    initial = tagged(
        "initial",
        me.identity.encode(),
        header.ephemeral_key,
        offer.signed.number,
        offer.kem.purpose,
        offer.kem.number,
        bytes([mode]),
        lineage,
        ciphertext,
        *([offer.ec.number] if offer.ec else []),
    )
    return initial, _finish(material + secret, initial, offer)


def respond(me: Person, initial: bytes) -> Agreed:
    """What a first message leads to."""
    sender, ephemeral, _, purpose, number, _, _, ciphertext, *one_time = untagged("initial", initial)
    offer = Offer(me, ec=bool(one_time), kem=purpose == bytes([Purpose.KEM_ONE_TIME]))
    assert (offer.kem.purpose, offer.kem.number) == (purpose, number)
    material = x3dh_inputs(
        me.keys.dh.expose(), offer.signed.seed, sender[69:], ephemeral, offer.ec.seed if offer.ec else None
    )
    secret = MLKEM1024PrivateKey.from_seed_bytes(offer.kem.seed).decapsulate(ciphertext)
    return _finish(material + secret, initial, offer)


def x3dh_inputs(
    identity: bytes, signed: bytes, other_identity: bytes, ephemeral: bytes, one_time: bytes | None = None
) -> bytes:
    """What the responder of an X3DH derives from: its own private keys, and the public ones of the initiator."""
    state = _state(identity, signed, [one_time] if one_time else [])
    taken = xeddsa.priv_to_curve25519_pub(one_time) if one_time else None
    header = Header(other_identity, ephemeral, xeddsa.priv_to_curve25519_pub(signed), taken)
    with _underived():
        material, _, _ = at_once(state.get_shared_secret_passive(header, require_pre_key=False))
    return material


class Offer:
    """The prekeys that somebody's first message takes, read from the published bytes."""

    def __init__(self, other: Person, *, ec: bool, kem: bool) -> None:
        published = other.published
        parts = [published.static, *published.ec[: int(ec)], *published.kem[: int(kem)]]
        self.identity, signed, last_resort, self.supported = untagged("bundle", published.static[:-SIGNATURE])
        self.signed = Prekey(other, signed)
        self.ec = Prekey(other, published.ec[0][:-SIGNATURE]) if ec else None
        self.kem = Prekey(other, published.kem[0][:-SIGNATURE] if kem else last_resort)
        self.hash = hashlib.sha256(tagged("bundle-used", *(hashlib.sha256(each).digest() for each in parts))).digest()


class Prekey:
    """A published prekey, and the seed that its owner has kept."""

    def __init__(self, owner: Person, data: bytes) -> None:
        self.purpose, self.number, self.public, _ = untagged("prekey", data)
        (place,) = struct.unpack(">I", self.number)
        self.seed = next(
            key.seed.expose()
            for key in owner.secrets.keys
            if (key.purpose, key.number) == (int.from_bytes(self.purpose, "big"), place)
        )


class _State(BaseState):
    @staticmethod
    def _encode_public_key(key_format: IdentityKeyFormat, pub: bytes) -> bytes:
        assert key_format is IdentityKeyFormat.CURVE_25519
        return pub


class _Underived(CryptoProviderImpl):
    """Hands out what goes into the derivation."""

    @staticmethod
    async def hkdf_derive(
        hash_function: HashFunction, length: int, salt: bytes, info: bytes, key_material: bytes
    ) -> bytes:
        assert (hash_function, length, salt, info) == (HashFunction.SHA_256, 32, bytes(32), b"")
        return key_material


@contextmanager
def _underived() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("x3dh.base_state.CryptoProviderImpl", _Underived)
        yield


def _state(identity: bytes, signed: bytes, one_time: list[bytes]) -> _State:
    model = BaseStateModel(
        identity_key=IdentityKeyPairModel(secret=identity, secret_type=SecretType.PRIV),
        signed_pre_key=SignedPreKeyPairModel(priv=signed, sig=bytes(SIGNATURE), timestamp=0),
        old_signed_pre_key=None,
        pre_keys=frozenset(one_time),
    )
    return _State.from_model(model, IdentityKeyFormat.CURVE_25519, HashFunction.SHA_256, b"")


def _finish(material: bytes, initial: bytes, offer: Offer) -> Agreed:
    sender, _, _, _, _, mode, lineage, *_ = untagged("initial", initial)
    said = hashlib.sha256(initial).digest()
    agreed = (SUITE, sender, offer.identity, offer.hash, offer.supported, mode, lineage, said)
    root = HKDF(SHA256(), 32, salt=bytes(32), info=tagged("pqxdh-info", *agreed)).derive(material)
    return Agreed(root, hashlib.sha256(tagged("session-ad", *agreed)).digest(), offer.signed.public)
