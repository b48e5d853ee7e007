"""The written layouts once more: what the oracles of this folder need of them, without a line of the product.

Integers are big-endian. A tagged tuple is its name and its fields, each behind its length in eight bytes.
"""

import hashlib
import struct

HEADER = struct.Struct(">32sII")
"""Of a ratchet message: ratchet key ‖ length of the previous chain ‖ number. The nonce follows."""
NONCE = 12
TAG = 16
SIGNATURE = 64


def tagged(use: str, *fields: bytes) -> bytes:
    return b"".join(struct.pack(">Q", len(part)) + part for part in (f"escrow/v1/{use}".encode(), *fields))


def untagged(use: str, data: bytes) -> list[bytes]:
    parts = []
    while data:
        end = 8 + struct.unpack(">Q", data[:8])[0]
        parts.append(data[8:end])
        data = data[end:]
    assert parts[0] == f"escrow/v1/{use}".encode()
    return parts[1:]


def nonce(chain: bytes, coins: bytes, ad: bytes, text: bytes) -> bytes:
    """What a sender with this chain key uses for these words."""
    return hashlib.sha256(chain + coins + ad + text).digest()[:NONCE]


def pinned(mode: int, lineage: bytes, ad: bytes) -> bytes:
    """What every message of a session is bound to."""
    return hashlib.sha256(tagged("session-mode", bytes([mode]), lineage, ad)).digest()
