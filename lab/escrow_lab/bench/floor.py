"""What no implementation can avoid: the primitives of each step, each as one call of its library, and nothing between.

HMAC is the one call of the standard library, HKDF and the AEAD are those of ``cryptography``, curves those of
libsodium. Ours may come below its share of a limit where it found a cheaper way to the same bytes, as for HMAC.
"""

import hashlib
import hmac
from collections.abc import Callable
from hashlib import sha256, sha512
from os import urandom

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey, MLKEM1024PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from escrow.crypto import xwing
from escrow.crypto.dh import DhKey, exchange
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Group, Scalar
from escrow.crypto.sign import SigningKey, verify
from escrow.crypto.xwing import XWingKey

Step = Callable[[], object]

_KEY, _NONCE, _AD = b"k" * 32, b"n" * 12, b"a" * 120
_SHA256 = SHA256()
_PEER = DhKey.from_seed(b"p" * 32).public
_SIGNER = SigningKey.from_seed(b"s" * 32)
_SCALAR = Scalar(int.from_bytes(b"scalar" * 5, "big")).encode()
_SHARE = bytes(64)


def both(*steps: Step) -> Step:
    """All of them, one after the other."""

    def run() -> None:
        for step in steps:
            step()

    return run


def message(size: int) -> Step:
    """Two chain steps on each side, and one AEAD under a new key on each."""
    plaintext = bytes(size)
    ciphertext = ChaCha20Poly1305(_KEY).encrypt(_NONCE, plaintext, _AD)

    def run() -> None:
        for constant in (b"\x01", b"\x02", b"\x01", b"\x02"):
            hmac.digest(_KEY, constant, "sha256")
        ChaCha20Poly1305(_KEY).encrypt(_NONCE, plaintext, _AD)
        ChaCha20Poly1305(_KEY).decrypt(_NONCE, ciphertext, _AD)

    return run


def turn() -> None:
    """A new X25519 key, which nobody makes without entropy, an exchange and a root step on each side."""
    DhKey.from_seed(urandom(32))
    for _ in range(2):
        exchange(_KEY, _PEER)
        HKDF(_SHA256, 64, _KEY, b"root").derive(_KEY)


def agreement(signed: tuple[bytes, ...]) -> Step:
    """PQXDH on both sides: the signatures of a bundle with these parts, four exchanges each, encapsulation, HKDF.

    The one-time KEM key is parsed on either side, as nobody can use it before.
    """
    seed = b"m" * 64
    private = MLKEM1024PrivateKey.from_seed_bytes(seed)
    public = private.public_key().public_bytes_raw()
    _, ciphertext = private.public_key().encapsulate()
    signatures = [_SIGNER.sign(part) for part in signed]

    def run() -> None:
        for part, signature in zip(signed, signatures, strict=True):
            verify(_SIGNER.public, part, signature)
        DhKey.from_seed(urandom(32))
        for _ in range(8):
            exchange(_KEY, _PEER)
        MLKEM1024PublicKey.from_public_bytes(public).encapsulate()
        MLKEM1024PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
        for _ in range(2):
            HKDF(_SHA256, 32, _KEY, b"agreed").derive(_KEY)

    return run


def sign() -> None:
    """One Ed25519 signature over what a device signs."""
    _SIGNER.sign(_SIGNED)


def check() -> None:
    """One Ed25519 verification of the same."""
    verify(_SIGNER.public, _SIGNED, _SIGNATURE)


_SIGNED = bytes(196)
_SIGNATURE = _SIGNER.sign(_SIGNED)


def multiplications(base: int, others: int, adds: int = 0, group: Group = EDWARDS25519) -> Step:
    """So many multiplications of the base point and of other points, and so many additions."""
    library, point = group.library, group.base.encode()

    def run() -> None:
        for _ in range(base):
            library.multiply_base(_SCALAR)
        for _ in range(others):
            library.multiply(_SCALAR, point)
        for _ in range(adds):
            library.add(point, point)

    return run


def hashes(count: int, size: int) -> Step:
    """So many SHA-512 of so many bytes."""
    data = bytes(size)

    def run() -> None:
        for _ in range(count):
            hashlib.sha512(data).digest()

    return run


def seals(count: int) -> Step:
    """So many encapsulations of X-Wing with the coins of the caller, and a share sealed with each secret."""
    key, coins = XWingKey.from_seed(_KEY).public, bytes(64)

    def run() -> None:
        for _ in range(count):
            secret, _ciphertext = xwing.encapsulate(key, coins)
            ChaCha20Poly1305(secret).encrypt(_NONCE, _SHARE, _AD)

    return run


def sealed_size(count: int) -> float:
    """The bytes that so many seals leave."""
    return float(count * (xwing.CIPHERTEXT_SIZE + len(ChaCha20Poly1305(_KEY).encrypt(_NONCE, _SHARE, _AD))))


def opens(count: int) -> Step:
    """So many keys made of their seeds, their decapsulations, and a share opened with each secret."""
    secret, ciphertext = xwing.encapsulate(XWingKey.from_seed(_KEY).public, bytes(64))
    sealed = ChaCha20Poly1305(secret).encrypt(_NONCE, _SHARE, _AD)

    def run() -> None:
        for _ in range(count):
            opened = XWingKey.from_seed(_KEY).decapsulate(ciphertext)
            ChaCha20Poly1305(opened).decrypt(_NONCE, sealed, _AD)

    return run


def symmetric(*, aeads: int, hmacs: int, hashes: int, wide_hashes: int) -> Step:
    """What else escrow's layouts fix: AEADs of a body, HMACs as two hashes, SHA-256, and SHA-512 to scalars.

    Each is over about as many bytes as there.
    """
    plaintext, padded, capped, stated = bytes(256), bytes(130), bytes(384), bytes(600)

    def run() -> None:
        for _ in range(aeads):
            ChaCha20Poly1305(_KEY).encrypt(_NONCE, plaintext, _AD)
        for _ in range(2 * hmacs):
            sha256(padded).digest()
        for _ in range(hashes):
            sha256(capped).digest()
        for _ in range(wide_hashes):
            sha512(stated).digest()

    return run
