"""The body: a ciphertext under one key that commits to that key.

ChaCha20-Poly1305 alone does not commit: one ciphertext can decrypt under two keys (Dodis, Grubbs, Ristenpart, Woodage
2018; "salamanders"). So the commitment is derived with the key, published, and compared first: receiver and agency can
never be shown different plaintexts for one body (CMT-4, Bellare and Hoang 2022; Chan and Rogaway 2022).
"""

import hashlib
import hmac
from typing import Final, Self

from msgspec import Struct

from escrow.capsule.chain import body_keys
from escrow.capsule.header import SIZE, Header
from escrow.crypto import aead
from escrow.encoding import u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag, fields

MOST: Final = 64 * 1024
"""Bytes of ciphertext in one body."""


class Body(Struct, frozen=True, gc=False):
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
        header, commitment, ciphertext = _cut(data) or fields(Tag.BODY, data, None, 32, None)
        Header.decode(header)
        if not 16 < len(ciphertext) <= MOST:
            raise MalformedError("a body without content or beyond its limit")
        return cls(header, commitment, ciphertext)

    def open(self, key: Secret) -> bytes:
        """The padded content. Raises ``RefusedError``: COMMITMENT_MISMATCH first, then BODY_INVALID."""
        keys = body_keys(key, self.header)
        if not hmac.compare_digest(keys.commitment, self.commitment):
            raise RefusedError(Reason.COMMITMENT_MISMATCH)
        encryption = keys.encryption.expose()
        return aead.open_(encryption, keys.nonce, self.ciphertext, self.header, reason=Reason.BODY_INVALID)


def body_id(body: bytes) -> bytes:
    """SHA-256 of the body's bytes: what is signed, and what a report names."""
    return hashlib.sha256(body).digest()


def seal_body(key: Secret, header: Header, padded: bytes) -> bytes:
    """Encrypt padded content under a message key that is used for nothing else."""
    encoded = header.encode()
    keys = body_keys(key, encoded)
    ciphertext = aead.seal(keys.encryption.expose(), keys.nonce, padded, encoded)
    return b"".join((_OPENS, encoded, _THEN, keys.commitment, u64(len(ciphertext)), ciphertext))


def open_body(key: Secret, body: bytes) -> bytes:
    """``Body.decode`` and ``Body.open``."""
    return Body.decode(body).open(key)


_OPENS, _THEN = Tag.BODY.head + u64(SIZE), u64(32)
_HEADER = slice(len(_OPENS), len(_OPENS) + SIZE)
_COMMITMENT = slice(_HEADER.stop + 8, _HEADER.stop + 40)
_CIPHERTEXT = _COMMITMENT.stop + 8


def _cut(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """The three fields if they are where they are in every body, read in one go."""
    frame = data[: _HEADER.start], data[_HEADER.stop : _COMMITMENT.start], data[_COMMITMENT.stop : _CIPHERTEXT]
    if frame != (_OPENS, _THEN, u64(max(0, len(data) - _CIPHERTEXT))):
        return None
    return data[_HEADER], data[_COMMITMENT], data[_CIPHERTEXT:]
