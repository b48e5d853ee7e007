import hmac
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto import aead
from escrow.crypto.kdf import hkdf_expand, hkdf_extract, hmac_each, hmac_sha256
from escrow.errors import Reason, RefusedError
from tests.core.crypto.draws import flip, seeds

Seal = Callable[[bytes, bytes, bytes, bytes], bytes]
Open = Callable[[bytes, bytes, bytes, bytes, Reason], bytes]

KEY = b"k" * 32
BOTH = pytest.mark.parametrize(
    ("seal", "open_", "nonce"),
    [(aead.seal, aead.open_, b"n" * 12), (aead.xseal, aead.xopen, b"n" * 24)],
    ids=["12-byte nonce", "24-byte nonce"],
)


@BOTH
@given(key=seeds, plaintext=st.binary(max_size=200), ad=st.binary(max_size=50))
def test_what_is_sealed_opens_again(
    seal: Seal, open_: Open, nonce: bytes, key: bytes, plaintext: bytes, ad: bytes
) -> None:
    ciphertext = seal(key, nonce, plaintext, ad)
    assert len(ciphertext) == len(plaintext) + aead.TAG_SIZE
    assert open_(key, nonce, ciphertext, ad, Reason.BODY_INVALID) == plaintext


@BOTH
@given(bit=st.integers(0, 1 << 12))
def test_a_flipped_bit_anywhere_is_refused_for_the_reason_asked_for(
    seal: Seal, open_: Open, nonce: bytes, bit: int
) -> None:
    sealed = (KEY, nonce, seal(KEY, nonce, b"a plaintext", b"associated"), b"associated")
    for place in range(4):
        forged = [*sealed]
        forged[place] = flip(forged[place], bit)
        with pytest.raises(RefusedError) as caught:
            open_(forged[0], forged[1], forged[2], forged[3], Reason.ENVELOPE_INVALID)
        assert caught.value.reason is Reason.ENVELOPE_INVALID


@BOTH
@pytest.mark.parametrize("length", [0, 1, 15, 16, 26])
def test_a_ciphertext_cut_short_is_refused(seal: Seal, open_: Open, nonce: bytes, length: int) -> None:
    ciphertext = seal(KEY, nonce, b"a plaintext", b"")
    with pytest.raises(RefusedError):
        open_(KEY, nonce, ciphertext[:length], b"", Reason.BODY_INVALID)


def test_the_default_reasons_are_those_of_a_body_and_a_dealing() -> None:
    with pytest.raises(RefusedError) as caught:
        aead.open_(KEY, bytes(12), bytes(32), b"")
    assert caught.value.reason is Reason.BODY_INVALID
    with pytest.raises(RefusedError) as caught:
        aead.xopen(KEY, bytes(24), bytes(32), b"")
    assert caught.value.reason is Reason.DEALING_INVALID


@given(st.binary(max_size=200), st.lists(st.binary(max_size=200), max_size=4))
def test_hmac_is_the_one_of_the_standard_library(key: bytes, messages: list[bytes]) -> None:
    expected = [hmac.digest(key, message, "sha256") for message in messages]
    assert [hmac_sha256(key, message) for message in messages] == hmac_each(key, *messages) == expected


@given(seeds, st.binary(max_size=40), st.integers(1, 200))
def test_expansion_is_the_one_of_the_library(prk: bytes, info: bytes, length: int) -> None:
    assert hkdf_expand(prk, info, length) == HKDFExpand(SHA256(), length, info).derive(prk)


def test_expansion_ends_where_the_rfc_ends_it() -> None:
    assert hkdf_expand(KEY, b"", 8160) == HKDFExpand(SHA256(), 8160, b"").derive(KEY)
    with pytest.raises(AssertionError):
        hkdf_expand(KEY, b"", 8161)


@given(seeds, st.binary(max_size=40), st.integers(1, 200))
def test_expansion_is_the_chain_of_hmacs_that_rfc_5869_describes(prk: bytes, info: bytes, length: int) -> None:
    block, out = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac_sha256(prk, block + info + bytes([counter]))
        out += block
    assert hkdf_expand(prk, info, length) == out[:length]


def test_extraction_is_one_hmac_keyed_by_the_salt() -> None:
    assert hkdf_extract(b"salt", b"material") == hmac_sha256(b"salt", b"material")
