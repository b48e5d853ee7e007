"""``expand_message_xmd`` with SHA-512: how RFC 9380 makes uniform bytes of a message, apart for each domain."""

import hashlib


def expand_message_xmd(message: bytes, dst: bytes, length: int) -> bytes:
    """``length`` uniform bytes by SHA-512, at most 255 blocks of 64 (RFC 9380 section 5.3.1)."""
    blocks = -(-length // 64)
    if len(dst) > 255 or blocks > 255:
        raise AssertionError("the domain or the length is beyond RFC 9380 section 5.3.1")
    suffix = dst + bytes([len(dst)])
    seed = hashlib.sha512(bytes(128) + message + length.to_bytes(2, "big") + b"\x00" + suffix).digest()
    block, out = bytes(64), b""
    for counter in range(1, blocks + 1):
        mixed = bytes(a ^ b for a, b in zip(seed, block, strict=True))
        block = hashlib.sha512(mixed + bytes([counter]) + suffix).digest()
        out += block
    return out[:length]
