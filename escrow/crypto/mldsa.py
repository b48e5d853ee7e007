"""ML-DSA-44 (FIPS 204, pure, with an empty context): signatures that a quantum computer does not forge.

They are hedged: every signature is another one, even of the same message. So none may stand in anything that has to
repeat itself byte for byte, and a simulated world signs with Ed25519 alone.
"""

from functools import lru_cache
from typing import final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from escrow.crypto.kdf import hkdf_expand
from escrow.encoding import expect
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag

PUBLIC_SIZE = 1312
SIGNATURE_SIZE = 2420


@final
class MlDsaKey:
    """A private key, with its public half (1312 bytes) at hand."""

    __slots__ = ("_key", "public")

    def __init__(self, key: MLDSA44PrivateKey) -> None:
        self._key = key
        self.public: bytes = key.public_key().public_bytes_raw()

    @classmethod
    def from_seed(cls, seed: Secret) -> "MlDsaKey":
        """The key of 32 uniform bytes (the seed of FIPS 204)."""
        return cls(MLDSA44PrivateKey.from_seed_bytes(expect(seed.expose(), 32, "an ML-DSA seed")))

    @classmethod
    def beside(cls, seed: Secret) -> "MlDsaKey":
        """The key of whoever has the Ed25519 seed ``seed``: one secret to keep, two keys that say nothing of each
        other.
        """
        return cls.from_seed(Secret(hkdf_expand(seed.expose(), T(Tag.ML_DSA_SEED), 32)))

    def sign(self, message: bytes) -> bytes:
        """2420 bytes; never the same twice."""
        return self._key.sign(message)


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Return if ``signature`` holds; raise ``RefusedError`` for whatever is wrong with it or the key."""
    try:
        _public_key(public).verify(signature, message)
    except (InvalidSignature, MalformedError):
        raise RefusedError(Reason.SIGNATURE_INVALID) from None


@lru_cache(maxsize=64)
def _public_key(public: bytes) -> MLDSA44PublicKey:
    """Cosigners are few and sign often."""
    return MLDSA44PublicKey.from_public_bytes(expect(public, PUBLIC_SIZE, "an ML-DSA-44 public key"))
