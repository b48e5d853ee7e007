"""HMAC and HKDF with SHA-256 (RFC 2104, RFC 5869), and Argon2id (RFC 9106) for what people remember.

``info`` is the caller's: a tagged tuple, always.

HMAC is spelled out as two hashes: the one-call forms of the libraries set up so much that they take longer, and every
message needs four. ``tests/core/crypto/test_symmetric.py`` compares it with theirs. Only a whole HKDF is quicker in one
call of ``cryptography``.
"""

from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from nacl.exceptions import RuntimeError as SodiumError
from nacl.pwhash import argon2id as sodium

_BLOCK = 64
_SHA256 = SHA256()
_COUNTS = [bytes([count]) for count in range(256)]
_INNER, _OUTER = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """32 bytes."""
    inner, outer = _pads(key)
    return sha256(outer + sha256(inner + message).digest()).digest()


def hmac_both(key: bytes, one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """``hmac_sha256`` of two messages, with one preparation of the key: a step of every chain there is."""
    inner, outer = _pads(key)
    return (
        sha256(outer + sha256(inner + one).digest()).digest(),
        sha256(outer + sha256(inner + other).digest()).digest(),
    )


def hmac_each(key: bytes, *messages: bytes) -> list[bytes]:
    """The same for any number of messages."""
    inner, outer = _pads(key)
    return [sha256(outer + sha256(inner + message).digest()).digest() for message in messages]


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    """Condense uneven key material into a 32-byte pseudorandom key."""
    return hmac_sha256(salt, ikm)


def hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    """``length`` bytes (at most 8160) from a pseudorandom key of at least 32."""
    if not 0 <= length <= 255 * 32:
        raise AssertionError("HKDF gives at most 8160 bytes")
    inner, outer = _pads(prk)
    block = out = sha256(outer + sha256(inner + info + b"\x01").digest()).digest()
    count = 1
    while len(out) < length:
        count += 1
        block = sha256(outer + sha256(inner + block + info + _COUNTS[count]).digest()).digest()
        out += block
    return out[:length]


def hkdf(salt: bytes, ikm: bytes, info: bytes, length: int) -> bytes:
    """``hkdf_expand`` of what ``hkdf_extract`` gives, for less than the price of both."""
    return HKDF(_SHA256, length, salt, info).derive(ikm)


def argon2id(passphrase: bytes, salt: bytes, *, passes: int, memory: int) -> bytes:
    """32 bytes from a passphrase and a 16-byte salt, in one lane over ``memory`` KiB (at least 8).

    Raises ``MemoryError`` if there is not that much.
    """
    try:
        return sodium.kdf(32, passphrase, salt, opslimit=passes, memlimit=memory << 10)
    except SodiumError as error:
        raise MemoryError from error


def _pads(key: bytes) -> tuple[bytes, bytes]:
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    block = key.ljust(_BLOCK, b"\0")
    return block.translate(_INNER), block.translate(_OUTER)
