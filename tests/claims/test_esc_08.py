"""ESC-08: a body opens to one plaintext under one key, also where its cipher alone would allow two."""

import hashlib
from itertools import product

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.body import open_body, seal_body
from escrow.capsule.header import ContentClass, Header
from escrow.crypto import aead
from escrow.crypto.kdf import hkdf_expand
from escrow.errors import Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag
from tests.claims.keygen import coins
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds

pytestmark = pytest.mark.claim("ESC-08")

STATED = Header(coins("label"), coins("capsule"), 0, bytes(16), ContentClass.CONTENT)
HEADER = STATED.encode()
P1305 = 2**130 - 5


def body_keys(key: bytes) -> tuple[bytes, bytes, bytes]:
    """Encryption key, nonce and commitment, as the specification derives them."""
    okm = hkdf_expand(key, T(Tag.BODY_KEY, hashlib.sha256(HEADER).digest()), 76)
    return okm[:32], okm[32:44], okm[44:]


@given(seeds, seeds, st.binary(min_size=1, max_size=300))
def test_another_key_is_refused_before_anything_is_decrypted(
    census: Census, key: bytes, other: bytes, text: bytes
) -> None:
    sealed = seal_body(Secret(key), STATED, text)
    assert open_body(Secret(key), sealed) == text
    census("accepted")
    if key != other:
        refuse(other, sealed)
        census("refused")


@effort(0.2)
@given(st.lists(seeds, min_size=2, max_size=2, unique=True))
def test_a_ciphertext_made_for_two_keys_opens_under_one(census: Census, two: list[bytes]) -> None:
    key, other = two
    ciphertext = salamander(body_keys(key)[:2], body_keys(other)[:2])
    plain, hidden = (aead.open_(*body_keys(each)[:2], ciphertext, HEADER) for each in (key, other))
    assert plain != hidden  # the cipher is fooled: one ciphertext, two messages
    forged = T(Tag.BODY, HEADER, body_keys(key)[2], ciphertext)
    assert open_body(Secret(key), forged) == plain
    refuse(other, forged)
    census("salamander refused")


def refuse(key: bytes, body: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        open_body(Secret(key), body)
    assert refused.value.reason is Reason.COMMITMENT_MISMATCH


def salamander(one: tuple[bytes, bytes], two: tuple[bytes, bytes]) -> bytes:
    """A ciphertext with one tag that is valid under both (key, nonce) pairs.

    Poly1305 is a polynomial: two free blocks solve two linear equations, one per key, until the solutions fit in
    blocks of 16 bytes. Source: Dodis, Grubbs, Ristenpart and Woodage, CRYPTO 2018.
    """
    (r1, s1), (r2, s2) = one_time(*one), one_time(*two)
    padded = HEADER + bytes(-len(HEADER) % 16)
    lengths = len(HEADER).to_bytes(8, "little") + (32).to_bytes(8, "little")
    ahead = [int.from_bytes(padded[at : at + 16], "little") + 2**128 for at in range(0, len(padded), 16)]
    last = int.from_bytes(lengths, "little") + 2**128
    # tag - s = sum over the blocks of block * r^(distance to the end); the free blocks are second and third from it.
    known = [
        sum(block * pow(r, len(ahead) + 3 - at, P1305) for at, block in enumerate(ahead)) + last * r for r in (r1, r2)
    ]
    determinant = (pow(r1, 3, P1305) * pow(r2, 2, P1305) - pow(r2, 3, P1305) * pow(r1, 2, P1305)) % P1305
    inverse = pow(determinant, -1, P1305)
    for tag, carry1, carry2 in product(range(1, 10_000), range(3), range(3)):
        a1, a2 = (
            ((tag - s) % 2**128 + carry * 2**128 - have) % P1305
            for s, carry, have in ((s1, carry1, known[0]), (s2, carry2, known[1]))
        )
        x = (a1 * pow(r2, 2, P1305) - a2 * pow(r1, 2, P1305)) * inverse % P1305
        y = (a2 * pow(r1, 3, P1305) - a1 * pow(r2, 3, P1305)) * inverse % P1305
        if x >> 128 == 1 and y >> 128 == 1:
            blocks = ((block - 2**128).to_bytes(16, "little") for block in (x, y))
            return b"".join(blocks) + tag.to_bytes(16, "little")
    raise AssertionError("one try in sixteen succeeds")


def one_time(key: bytes, nonce: bytes) -> tuple[int, int]:
    """Poly1305's r and s: the first 32 bytes of the key stream, the first half clamped (RFC 8439, section 2.6)."""
    stream = Cipher(algorithms.ChaCha20(key, bytes(4) + nonce), mode=None).encryptor().update(bytes(32))
    r = int.from_bytes(stream[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    return r, int.from_bytes(stream[16:], "little")
