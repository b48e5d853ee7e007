import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.group import ORDER
from escrow.crypto.sign import SigningKey, check_public, verify
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.core.crypto import edwards
from tests.core.crypto.draws import flip, seeds

KEY = SigningKey.from_seed(b"s" * 32)
MESSAGE = b"what is signed"
SIGNATURE = KEY.sign(MESSAGE)


def refused(public: bytes, message: bytes, signature: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        verify(public, message, signature)
    assert caught.value.reason is Reason.SIGNATURE_INVALID


def test_the_first_vector_of_rfc_8032_holds() -> None:
    key = SigningKey.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert key.sign(b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    verify(key.public, b"", key.sign(b""))


@given(seeds, st.binary(max_size=300))
def test_what_a_key_signs_verifies_under_it(seed: bytes, message: bytes) -> None:
    key = SigningKey.from_seed(Secret(seed))
    check_public(key.public)
    verify(key.public, message, key.sign(message))


@given(st.integers(min_value=0, max_value=511))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    refused(KEY.public, MESSAGE, flip(SIGNATURE, bit))
    refused(KEY.public, flip(MESSAGE, bit), SIGNATURE)
    refused(flip(KEY.public, bit), MESSAGE, SIGNATURE)


def test_another_length_of_key_or_signature_is_refused() -> None:
    refused(KEY.public, MESSAGE, SIGNATURE + b"\x00")
    refused(KEY.public, MESSAGE, SIGNATURE[:-1])
    refused(KEY.public, MESSAGE, b"")
    refused(KEY.public + b"\x00", MESSAGE, SIGNATURE)
    refused(b"", MESSAGE, SIGNATURE)


def test_a_signature_cannot_be_spelled_in_a_second_way() -> None:
    s = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    refused(KEY.public, MESSAGE, SIGNATURE[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("public", edwards.TORSION)
@pytest.mark.parametrize("r", edwards.TORSION)
def test_a_key_of_small_order_signs_nothing(public: edwards.Affine, r: edwards.Affine) -> None:
    # With the identity as the key, R = identity and S = 0 satisfy the equation for every message.
    refused(edwards.encode(public), MESSAGE, edwards.encode(r) + bytes(32))


@pytest.mark.parametrize("public", [*map(edwards.encode, edwards.TORSION), *edwards.NOT_CANONICAL, b"", bytes(31)])
def test_a_key_outside_the_subgroup_is_not_registered(public: bytes) -> None:
    with pytest.raises(MalformedError):
        check_public(public)


@pytest.mark.parametrize("torsion", edwards.TORSION[1:])
def test_a_key_with_a_torsion_part_is_not_registered(torsion: edwards.Affine) -> None:
    with pytest.raises(MalformedError):
        check_public(edwards.encode(edwards.add(edwards.decode(KEY.public), torsion)))
