"""The sender's side of ``hpke`` with randomness from its owner, for a simulated world that repeats itself.

The same suite by hand, because the library has no derandomized form. Needs the extra ``pq``; pure Python,
slow, and it leaks by timing: never for a real message.
Sources: RFC 9180 sections 4 and 5.1; draft-connolly-cfrg-xwing-kem sections 5.3 and 5.4.
"""

import hashlib
from collections.abc import Callable
from typing import Final, final

from escrow.crypto.aead import seal
from escrow.crypto.dh import DhKey
from escrow.crypto.hpke import MLKEM_PUBLIC_SIZE, PUBLIC_SIZE
from escrow.crypto.kdf import hkdf_expand, hkdf_extract
from escrow.encoding import expect, u16
from escrow.errors import MalformedError

_SUITE_ID: Final = b"HPKE" + u16(0x647A) + u16(0x0001) + u16(0x0003)
_XWING_LABEL: Final = b"\\.//^\\"
_BASE_MODE: Final = b"\x00"


@final
class SeededHpke:
    """Sealing with the randomness of ``draw``, which returns as many bytes as it is asked for."""

    def __init__(self, draw: Callable[[int], bytes]) -> None:
        self._draw = draw

    def seal(self, recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """As ``Hpke``."""
        secret, enc = xwing_encapsulate(recipient_public, self._draw(64))
        key, nonce = key_schedule(secret, info)
        return enc + seal(key, nonce, plaintext, b"")


def xwing_encapsulate(public: bytes, coins: bytes) -> tuple[bytes, bytes]:
    """The shared secret (32 bytes) and its encapsulation (1120) under 64 bytes of randomness."""
    from kyber_py.ml_kem import ML_KEM_768

    expect(public, PUBLIC_SIZE, "an X-Wing key")
    expect(coins, 64, "the randomness of an encapsulation")
    mlkem_public, x25519_public = public[:MLKEM_PUBLIC_SIZE], public[MLKEM_PUBLIC_SIZE:]
    try:
        mlkem_secret, mlkem_enc = ML_KEM_768._encaps_internal(mlkem_public, coins[:32])
    except ValueError:
        raise MalformedError("not an X-Wing key") from None
    ephemeral = DhKey.from_seed(coins[32:])
    x25519_secret = ephemeral.exchange(x25519_public)
    parts = mlkem_secret + x25519_secret + ephemeral.public + x25519_public + _XWING_LABEL
    return hashlib.sha3_256(parts).digest(), mlkem_enc + ephemeral.public


def key_schedule(secret: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Key (32 bytes) and nonce (12) of the first and only message in base mode."""
    context = _BASE_MODE + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    prk = _extract(secret, b"secret", b"")
    return _expand(prk, b"key", context, 32), _expand(prk, b"base_nonce", context, 12)


def _extract(salt: bytes, label: bytes, ikm: bytes) -> bytes:
    return hkdf_extract(salt, b"HPKE-v1" + _SUITE_ID + label + ikm)


def _expand(prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    return hkdf_expand(prk, u16(length) + b"HPKE-v1" + _SUITE_ID + label + info, length)
