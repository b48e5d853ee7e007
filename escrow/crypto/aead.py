"""ChaCha20-Poly1305, and its form with a 24-byte nonce for key generation only.

Neither commits to its key: where that matters, the caller publishes and checks a commitment first.
Sources: RFC 8439; draft-irtf-cfrg-xchacha-03.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from escrow.errors import Reason, RefusedError

TAG_SIZE = 16


def seal(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
    """Ciphertext and 16-byte tag under a 32-byte key and a 12-byte nonce never used before with it."""
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, ad)


def open_(key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes, reason: Reason = Reason.BODY_INVALID) -> bytes:
    """Undo ``seal``; raise ``RefusedError(reason)`` if any input is not the one it was sealed with."""
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, ad)
    except InvalidTag:
        raise RefusedError(reason) from None


def xseal(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
    """As ``seal``, with a 24-byte nonce."""
    return crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, ad, nonce, key)


def xopen(key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes, reason: Reason = Reason.DEALING_INVALID) -> bytes:
    """As ``open_``, with a 24-byte nonce."""
    if len(ciphertext) < TAG_SIZE:  # the binding would stumble over a negative length
        raise RefusedError(reason)
    try:
        return crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, ad, nonce, key)
    except CryptoError:
        raise RefusedError(reason) from None
