"""Ed25519 (RFC 8032) through libsodium, the one verifier of every party and tool.

RFC 8032 leaves open which odd encodings verify; another library accepts, for instance, the identity as a
public key that signs everything. So nobody verifies a signature in any other way than here.
"""

from typing import final

from nacl.exceptions import BadSignatureError
from nacl.exceptions import ValueError as NaclValueError
from nacl.signing import SigningKey as _SigningKey
from nacl.signing import VerifyKey as _VerifyKey

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.errors import Reason, RefusedError
from escrow.secret import Secret

PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64


@final
class SigningKey:
    """A private key, with its public half at hand."""

    __slots__ = ("_key", "public")

    def __init__(self, key: _SigningKey) -> None:
        self._key = key
        self.public: bytes = bytes(key.verify_key)

    @classmethod
    def from_seed(cls, seed: Secret | bytes) -> "SigningKey":
        """The key of 32 uniform bytes."""
        return cls(_SigningKey(seed.expose() if isinstance(seed, Secret) else seed))

    def sign(self, message: bytes) -> bytes:
        """64 bytes; deterministic."""
        return self._key.sign(message).signature


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Return if ``signature`` holds; raise ``RefusedError`` for whatever is wrong with it or the key."""
    try:
        _VerifyKey(public).verify(message, signature)
    except (BadSignatureError, NaclValueError):
        raise RefusedError(Reason.SIGNATURE_INVALID) from None


def check_public(public: bytes) -> None:
    """Raise ``MalformedError`` unless a key to be registered is a point of the prime-order subgroup."""
    EDWARDS25519.decode(public)
