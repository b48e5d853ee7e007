import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.elligator import hash_to_curve, map_to_curve
from escrow.crypto.expand import expand_message_xmd
from tests.core.crypto import edwards

DST = b"TEST-V1_edwards25519_XMD:SHA-512_ELL2_RO_"


@given(st.binary(max_size=64))
def test_every_hash_is_a_point_of_the_subgroup(message: bytes) -> None:
    point = hash_to_curve(message, DST)
    assert EDWARDS25519.decode(point).encode() == point


def test_message_and_domain_both_matter() -> None:
    assert len({hash_to_curve(b"a", DST), hash_to_curve(b"b", DST), hash_to_curve(b"a", DST + b"2")}) == 3


@given(st.integers(0, edwards.P - 1) | st.sampled_from([0, 1, edwards.P - 1]))
def test_the_map_ends_on_the_curve_whatever_it_starts_from(u: int) -> None:
    x, y = map_to_curve(u)
    assert (y * y - x * x - 1 - edwards.D * x * x * y * y) % edwards.P == 0


def test_zero_maps_to_the_neutral_element_as_rfc_9380_says_of_the_pole() -> None:
    assert map_to_curve(0) == edwards.NEUTRAL


@pytest.mark.parametrize(("dst", "length"), [(bytes(256), 32), (DST, 255 * 64 + 1)])
def test_a_domain_or_length_beyond_the_standard_is_a_bug(dst: bytes, length: int) -> None:
    with pytest.raises(AssertionError):
        expand_message_xmd(b"", dst, length)
