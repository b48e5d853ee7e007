"""HMAC and HKDF with SHA-256 (RFC 2104, RFC 5869), and Argon2id (RFC 9106) for what people remember.

``info`` is the caller's: a tagged tuple, always.
"""

import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from nacl.exceptions import RuntimeError as SodiumError
from nacl.pwhash import argon2id as sodium

_SHA256 = SHA256()


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """32 bytes."""
    return hmac.digest(key, message, "sha256")


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    """Condense uneven key material into a 32-byte pseudorandom key."""
    return hmac.digest(salt, ikm, "sha256")


def hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    """``length`` bytes (at most 8160) from a pseudorandom key of at least 32."""
    return HKDFExpand(_SHA256, length, info).derive(prk)


def argon2id(passphrase: bytes, salt: bytes, *, passes: int, memory: int) -> bytes:
    """32 bytes from a passphrase and a 16-byte salt, in one lane over ``memory`` KiB (at least 8).

    Raises ``MemoryError`` if there is not that much.
    """
    try:
        return sodium.kdf(32, passphrase, salt, opslimit=passes, memlimit=memory << 10)
    except SodiumError as error:
        raise MemoryError from error
