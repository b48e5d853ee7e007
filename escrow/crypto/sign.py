"""Ed25519 (RFC 8032) through libsodium, the one verifier of every party and tool.

RFC 8032 leaves open which odd encodings verify; another library accepts, for instance, the identity as a
public key that signs everything. So nobody verifies a signature in any other way than here.
"""

from typing import final

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.encoding import expect
from escrow.errors import Reason, RefusedError
from escrow.secret import Secret

PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64


@final
class SigningKey:
    """A private key, with its public half at hand."""

    __slots__ = ("_pair", "public")

    def __init__(self, pair: bytes) -> None:
        self._pair = pair
        self.public: bytes = pair[32:]

    @classmethod
    def from_seed(cls, seed: Secret | bytes) -> "SigningKey":
        """The key of 32 uniform bytes."""
        raw = seed.expose() if isinstance(seed, Secret) else seed
        return cls(crypto_sign_seed_keypair(expect(raw, 32, "an Ed25519 seed"))[1])

    @classmethod
    def from_pair(cls, pair: Secret) -> "SigningKey":
        """Undo ``pair``. Nothing is computed, so the 64 bytes must come from our own store and nowhere else: a seed
        that signs beside a public key of somebody's choice gives itself away.
        """
        return cls(expect(pair.expose(), 64, "an Ed25519 key pair"))

    @property
    def pair(self) -> Secret:
        """Seed 32 ‖ public 32: what to store where parsing the seed each time, which costs a signature, is too slow."""
        return Secret(self._pair)

    def sign(self, message: bytes) -> bytes:
        """64 bytes; deterministic."""
        return crypto_sign(message, self._pair)[:SIGNATURE_SIZE]


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Return if ``signature`` holds; raise ``RefusedError`` for whatever is wrong with it or the key."""
    if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:  # the binding looks at no length
        raise RefusedError(Reason.SIGNATURE_INVALID)
    try:
        crypto_sign_open(signature + message, public)
    except BadSignatureError:
        raise RefusedError(Reason.SIGNATURE_INVALID) from None


def check_public(public: bytes) -> None:
    """Raise ``MalformedError`` unless a key to be registered is a point of the prime-order subgroup."""
    EDWARDS25519.decode(public)
