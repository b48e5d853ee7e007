"""ML-DSA-44: our calls of it. The algorithm is the library's affair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.mldsa import PUBLIC_SIZE, SIGNATURE_SIZE, MlDsaKey, verify
from escrow.crypto.sign import SigningKey
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.core.crypto.draws import flip

KEY = MlDsaKey.from_seed(Secret(bytes(32)))
SIGNED = KEY.sign(b"message")


def test_a_signature_holds_and_is_never_the_same_twice() -> None:
    verify(KEY.public, b"message", SIGNED)
    again = KEY.sign(b"message")
    verify(KEY.public, b"message", again)
    assert (len(KEY.public), len(SIGNED), len(again)) == (PUBLIC_SIZE, SIGNATURE_SIZE, SIGNATURE_SIZE)
    assert again != SIGNED


@given(st.integers(0), st.sampled_from(["public", "message", "signature"]))
def test_no_bit_can_be_turned(bit: int, part: str) -> None:
    parts = {"public": KEY.public, "message": b"message", "signature": SIGNED}
    parts[part] = flip(parts[part], bit)
    with pytest.raises(RefusedError) as refused:
        verify(**parts)
    assert refused.value.reason is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("signature", [b"", SIGNED[:-1], SIGNED + b"\0", bytes(SIGNATURE_SIZE)])
def test_other_signatures_are_refused(signature: bytes) -> None:
    with pytest.raises(RefusedError):
        verify(KEY.public, b"message", signature)


@pytest.mark.parametrize("public", [b"", KEY.public[:-1], KEY.public + b"\0"])
def test_a_public_key_has_one_length(public: bytes) -> None:
    with pytest.raises(RefusedError):
        verify(public, b"message", SIGNED)


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(MalformedError):
        MlDsaKey.from_seed(Secret(bytes(31)))


def test_the_key_beside_an_ed25519_seed_is_its_own() -> None:
    seed = Secret(bytes(range(32)))
    assert MlDsaKey.beside(seed).public == MlDsaKey.beside(seed).public
    assert MlDsaKey.beside(seed).public != MlDsaKey.from_seed(seed).public
    assert SigningKey.from_seed(seed).public not in MlDsaKey.beside(seed).public
