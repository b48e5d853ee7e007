"""X-Wing, the hybrid of ML-KEM-768 and X25519: a key encapsulation that holds while either of the two does.

Encapsulation takes its coins from the caller, because whoever has them must be able to repeat it; the library has no
such form. It needs the extra ``pq``, is pure Python, takes milliseconds and leaks its coins by timing. Decapsulation
is the library's. It never fails for a wrong ciphertext: the secret is another one, and what is sealed with it tells.
Source: draft-connolly-cfrg-xwing-kem, sections 5.2 to 5.4.
"""

import hashlib
from typing import Final, final

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey

from escrow.crypto.dh import DhKey
from escrow.encoding import expect
from escrow.errors import MalformedError, Reason, RefusedError

MLKEM_PUBLIC_SIZE: Final = 1184
PUBLIC_SIZE: Final = MLKEM_PUBLIC_SIZE + 32
MLKEM_CIPHERTEXT_SIZE: Final = 1088
CIPHERTEXT_SIZE: Final = MLKEM_CIPHERTEXT_SIZE + 32
SEED_SIZE: Final = 32
COINS_SIZE: Final = 64

_LABEL: Final = b"\\.//^\\"
_PROBE: Final = DhKey.from_seed(bytes(32))
"""Any key serves to ask whether a point is of low order."""


@final
class XWingKey:
    """A private key, with its public half at hand. Lives in memory only; its seed is what is stored."""

    __slots__ = ("_mlkem", "_x25519", "public")

    def __init__(self, mlkem: MLKEM768PrivateKey, x25519: DhKey) -> None:
        self._mlkem = mlkem
        self._x25519 = x25519
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public
        """1216 bytes."""

    @classmethod
    def from_seed(cls, seed: bytes) -> "XWingKey":
        """The key of 32 uniform bytes."""
        mlkem, x25519 = expand(seed)
        return cls(MLKEM768PrivateKey.from_seed_bytes(mlkem), DhKey.from_seed(x25519))

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The 32-byte secret; ``MalformedError`` for another length or an X25519 part of low order."""
        expect(ciphertext, CIPHERTEXT_SIZE, "an X-Wing ciphertext")
        mlkem, x25519 = ciphertext[:MLKEM_CIPHERTEXT_SIZE], ciphertext[MLKEM_CIPHERTEXT_SIZE:]
        shared = self._x25519.exchange(x25519)
        return _combine(self._mlkem.decapsulate(mlkem), shared, x25519, self._x25519.public)


def expand(seed: bytes) -> tuple[bytes, bytes]:
    """From the seed of a key those of its halves: ML-KEM-768 (64 bytes) and X25519 (32)."""
    expanded = hashlib.shake_256(expect(seed, SEED_SIZE, "an X-Wing seed")).digest(96)
    return expanded[:64], expanded[64:]


def encapsulate(public: bytes, coins: bytes) -> tuple[bytes, bytes]:
    """The secret (32 bytes) and its encapsulation (1120), a function of the key and 64 bytes of coins.

    Raises ``MalformedError`` for an invalid key, ``RefusedError(SUITE_MISMATCH)`` without the extra ``pq``.
    """
    try:
        from kyber_py.ml_kem import ML_KEM_768
    except ModuleNotFoundError:
        raise RefusedError(Reason.SUITE_MISMATCH, "encapsulation needs the extra 'pq'") from None

    expect(public, PUBLIC_SIZE, "an X-Wing key")
    expect(coins, COINS_SIZE, "the coins of an encapsulation")
    try:
        mlkem_secret, mlkem = ML_KEM_768._encaps_internal(public[:MLKEM_PUBLIC_SIZE], coins[:32])
    except ValueError:
        raise MalformedError("not an X-Wing key") from None
    ephemeral, recipient = DhKey.from_seed(coins[32:]), public[MLKEM_PUBLIC_SIZE:]
    secret = _combine(mlkem_secret, ephemeral.exchange(recipient), ephemeral.public, recipient)
    return secret, mlkem + ephemeral.public


def check_public(public: bytes) -> None:
    """Raise ``MalformedError`` unless anybody can encapsulate to these 1216 bytes (FIPS 203, section 7.2)."""
    expect(public, PUBLIC_SIZE, "an X-Wing key")
    try:
        MLKEM768PublicKey.from_public_bytes(public[:MLKEM_PUBLIC_SIZE])
    except ValueError:
        raise MalformedError("not an X-Wing key") from None
    _PROBE.exchange(public[MLKEM_PUBLIC_SIZE:])


def check_ciphertext(ciphertext: bytes) -> None:
    """Raise ``MalformedError`` unless every key gets a secret out of these 1120 bytes, right or wrong."""
    expect(ciphertext, CIPHERTEXT_SIZE, "an X-Wing ciphertext")
    _PROBE.exchange(ciphertext[MLKEM_CIPHERTEXT_SIZE:])


def _combine(mlkem_secret: bytes, x25519_secret: bytes, x25519_ciphertext: bytes, x25519_public: bytes) -> bytes:
    parts = mlkem_secret + x25519_secret + x25519_ciphertext + x25519_public + _LABEL
    return hashlib.sha3_256(parts).digest()
