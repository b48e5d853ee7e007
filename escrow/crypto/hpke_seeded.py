"""The sender's side of ``hpke`` with randomness from its owner, for a simulated world that repeats itself.

The same suite by hand, because the library has no derandomized form. Needs the extra ``pq``; slow, and it leaks by
timing: never for a real message. Source: RFC 9180, sections 4 and 5.1.
"""

from collections.abc import Callable
from typing import Final, final

from escrow.crypto.aead import seal
from escrow.crypto.kdf import hkdf_expand, hkdf_extract
from escrow.crypto.xwing import COINS_SIZE, encapsulate
from escrow.encoding import u16

_SUITE_ID: Final = b"HPKE" + u16(0x647A) + u16(0x0001) + u16(0x0003)
_BASE_MODE: Final = b"\x00"


@final
class SeededHpke:
    """Sealing with the randomness of ``draw``, which returns as many bytes as it is asked for."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        self._draw = draw

    def seal(self, recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """As ``Hpke``."""
        secret, enc = encapsulate(recipient_public, self._draw(COINS_SIZE))
        key, nonce = key_schedule(secret, info)
        return enc + seal(key, nonce, plaintext, b"")


def key_schedule(secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key (32 bytes) and nonce (12) of the first and only message in base mode."""
    context = _BASE_MODE + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    prk = _extract(secret, b"secret", b"")
    return _expand(prk, b"key", context, 32), _expand(prk, b"base_nonce", context, 12)


def _extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hkdf_extract(salt, b"HPKE-v1" + _SUITE_ID + label + ikm)


def _expand(prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return hkdf_expand(prk, u16(length) + b"HPKE-v1" + _SUITE_ID + label + info, length)
