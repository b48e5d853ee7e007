"""The body: a ciphertext under one key that commits to that key.

ChaCha20-Poly1305 alone does not commit: one ciphertext can decrypt under two keys (Dodis, Grubbs, Ristenpart, Woodage
2018; "salamanders"). So the commitment is derived with the key, published, and compared first: receiver and agency can
never be shown different plaintexts for one body (CMT-4, Bellare and Hoang 2022; Chan and Rogaway 2022).
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final, Self

from escrow.capsule.chain import body_keys
from escrow.capsule.header import Header
from escrow.crypto import aead
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag, fields

MOST: Final = 64 * 1024
"""Bytes of ciphertext in one body."""


@dataclass(frozen=True, slots=True)
class Body:
    """``header`` (146 bytes), key ``commitment`` (32) and ``ciphertext`` (padded content and a 16-byte tag)."""

    header: bytes
    commitment: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        """``T("body", header, commitment 32, ciphertext)``."""
        return T(Tag.BODY, self.header, self.commitment, self.ciphertext)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; raise ``MalformedError``, with ``TOO_LARGE`` before anything is parsed."""
        if len(data) > MOST + 1024:
            raise MalformedError("a body", Reason.TOO_LARGE)
        header, commitment, ciphertext = fields(Tag.BODY, data, None, 32, None)
        Header.decode(header)
        if not 16 < len(ciphertext) <= MOST:
            raise MalformedError("a body without content or beyond its limit")
        return cls(header, commitment, ciphertext)


def body_id(body: bytes) -> bytes:
    """SHA-256 of the body's bytes: what is signed, and what a report names."""
    return hashlib.sha256(body).digest()


def seal_body(key: Secret, header: Header, padded: bytes) -> bytes:
    """Encrypt padded content under a message key that is used for nothing else."""
    encoded = header.encode()
    keys = body_keys(key, encoded)
    return Body(encoded, keys.commitment, aead.seal(keys.encryption.expose(), keys.nonce, padded, encoded)).encode()


def open_body(key: Secret, body: bytes) -> bytes:
    """The padded content. Raises ``RefusedError``: COMMITMENT_MISMATCH first, then BODY_INVALID."""
    parsed = Body.decode(body)
    keys = body_keys(key, parsed.header)
    if not hmac.compare_digest(keys.commitment, parsed.commitment):
        raise RefusedError(Reason.COMMITMENT_MISMATCH)
    encryption = keys.encryption.expose()
    return aead.open_(encryption, keys.nonce, parsed.ciphertext, parsed.header, reason=Reason.BODY_INVALID)
