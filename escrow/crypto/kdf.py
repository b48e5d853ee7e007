"""HMAC and HKDF with SHA-256 (RFC 2104, RFC 5869). ``info`` is the caller's: a tagged tuple, always."""

import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

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
