"""HPKE in base mode (RFC 9180): sealing to a key that is fixed by what both sides already know.

Suite: MLKEM768-X25519 (X-Wing, KEM 0x647a), HKDF-SHA256, ChaCha20-Poly1305. Single shot, empty associated
data: everything a message depends on goes into ``info``. A sealed message is enc (1120 bytes) ‖ ciphertext.
Nothing authenticates the sender. Sources: draft-ietf-hpke-pq; draft-connolly-cfrg-xwing-kem.
"""

from typing import Final, Protocol, final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from escrow.crypto.xwing import CIPHERTEXT_SIZE, MLKEM_PUBLIC_SIZE, PUBLIC_SIZE, expand
from escrow.encoding import expect
from escrow.errors import MalformedError, Reason, RefusedError

ENC_SIZE: Final = CIPHERTEXT_SIZE

_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class Hpke(Protocol):
    """The sender's side, a port because sealing draws randomness."""

    def seal(self, recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """Encapsulation ‖ ciphertext; raise ``MalformedError`` for an invalid recipient key."""
        ...


@final
class SystemHpke:
    """Sealing with the randomness of the operating system."""

    def seal(self, recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """As ``Hpke``."""
        return seal(recipient_public, info, plaintext)


def seal(recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Seal to an X-Wing key of 1216 bytes; raise ``MalformedError`` if it is not one."""
    expect(recipient_public, PUBLIC_SIZE, "an X-Wing key")
    try:
        key = MLKEM768X25519PublicKey(
            MLKEM768PublicKey.from_public_bytes(recipient_public[:MLKEM_PUBLIC_SIZE]),
            X25519PublicKey.from_public_bytes(recipient_public[MLKEM_PUBLIC_SIZE:]),
        )
        return _SUITE.encrypt(plaintext, key, info)
    except ValueError:
        raise MalformedError("not an X-Wing key") from None


@final
class RecipientKey:
    """The recipient's side: an X-Wing private key, with its public half at hand."""

    __slots__ = ("_key", "public")

    def __init__(self, key: MLKEM768X25519PrivateKey, public: bytes) -> None:
        self._key = key
        self.public = public

    @classmethod
    def from_seed(cls, seed: bytes) -> "RecipientKey":
        """The key of 32 uniform bytes, expanded as the X-Wing draft says (section 5.2)."""
        mlkem_seed, x25519_seed = expand(seed)
        mlkem = MLKEM768PrivateKey.from_seed_bytes(mlkem_seed)
        x25519 = X25519PrivateKey.from_private_bytes(x25519_seed)
        public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        return cls(MLKEM768X25519PrivateKey(mlkem, x25519), public)

    def open(self, info: bytes, sealed: bytes, reason: Reason = Reason.SHARE_INVALID) -> bytes:
        """Undo ``seal``; raise ``RefusedError(reason)`` if key, info or any byte is another."""
        try:
            return _SUITE.decrypt(sealed, self._key, info)
        except (InvalidTag, ValueError):
            raise RefusedError(reason) from None
