"""X25519 (RFC 7748). The private key stays a live object: parsing it costs as much as using it."""

from typing import final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from escrow.encoding import expect
from escrow.errors import MalformedError


@final
class DhKey:
    """A private key, with its public half at hand."""

    __slots__ = ("_key", "public")

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.public: bytes = key.public_key().public_bytes_raw()

    @classmethod
    def from_seed(cls, seed: bytes) -> "DhKey":
        """The key of 32 uniform bytes."""
        return cls(X25519PrivateKey.from_private_bytes(seed))

    def exchange(self, peer: bytes) -> bytes:
        """The 32-byte shared secret; raise ``MalformedError`` for a key of low order, which would make it zero."""
        public = X25519PublicKey.from_public_bytes(expect(peer, 32, "an X25519 key"))
        try:
            return self._key.exchange(public)
        except ValueError:
            raise MalformedError("an X25519 key of low order") from None
