import nacl.bindings
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519, self_test
from escrow.crypto.group import ORDER, Group, Scalar, hash_to_scalar, scalar_from_wide
from escrow.crypto.ristretto255 import RISTRETTO255
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import Tag
from tests.core.crypto import edwards
from tests.core.crypto.draws import nonzero, scalars

ZERO = Scalar(0)
ONE = Scalar(1)

both = pytest.mark.parametrize("group", [EDWARDS25519, RISTRETTO255], ids=lambda group: group.name)


# -- scalars ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, ORDER - 1])
def test_a_reduced_scalar_has_one_encoding(value: int) -> None:
    data = value.to_bytes(32, "little")
    assert Scalar.decode(data) == Scalar(value)
    assert Scalar.decode(data).encode() == data


@pytest.mark.parametrize("value", [ORDER, ORDER + 1, ORDER + 5, 2**255 - 1, 2**255, 5 | 2**255, 2**256 - 1])
def test_a_scalar_that_is_not_reduced_is_refused(value: int) -> None:
    with pytest.raises(MalformedError):
        Scalar.decode(value.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_scalar_or_point_of_another_length_is_refused(length: int) -> None:
    data = EDWARDS25519.base.encode().ljust(length, b"\x00")[:length]
    with pytest.raises(MalformedError):
        Scalar.decode(data)
    with pytest.raises(MalformedError):
        EDWARDS25519.decode(data)
    with pytest.raises(MalformedError):
        EDWARDS25519.decode_times(data, ONE)


@pytest.mark.parametrize("value", [-1, ORDER])
def test_our_own_code_cannot_make_a_scalar_out_of_range(value: int) -> None:
    with pytest.raises(AssertionError):
        Scalar(value)


@given(scalars, scalars, scalars)
def test_scalars_are_a_ring(a: Scalar, b: Scalar, c: Scalar) -> None:
    assert a * (b + c) == a * b + a * c
    assert a - b == a + -b
    assert a + -a == ZERO
    assert a * ONE == a


@given(nonzero)
def test_scalars_other_than_zero_have_inverses(a: Scalar) -> None:
    assert a * a.invert() == ONE


def test_zero_has_no_inverse() -> None:
    with pytest.raises(AssertionError):
        ZERO.invert()


@given(st.binary(min_size=64, max_size=64))
def test_wide_bytes_are_reduced_as_libsodium_does(wide: bytes) -> None:
    assert scalar_from_wide(wide).encode() == nacl.bindings.crypto_core_ed25519_scalar_reduce(wide)


def test_32_bytes_are_never_reduced_to_a_scalar() -> None:
    with pytest.raises(MalformedError):
        scalar_from_wide(bytes(32))


def test_the_hash_to_a_scalar_depends_on_tag_and_field_boundaries() -> None:
    hashes = [
        hash_to_scalar(Tag.TDH2_R, b"ab", b"c"),
        hash_to_scalar(Tag.TDH2_R, b"a", b"bc"),
        hash_to_scalar(Tag.TDH2_R, b"abc"),
        hash_to_scalar(Tag.TDH2_S, b"abc"),
    ]
    assert len(set(hashes)) == 4


# -- points -------------------------------------------------------------------------------------------


@both
@given(a=scalars, b=scalars)
def test_multiplication_is_linear(group: Group, a: Scalar, b: Scalar) -> None:
    assert group.base_mul(a + b) == group.base_mul(a) + group.base_mul(b)
    assert group.base_mul(a - b) == group.base_mul(a) - group.base_mul(b)
    assert group.base_mul(a * b) == a * group.base_mul(b)
    assert group.base_mul(-a) == -group.base_mul(a)
    assert a * group.base == group.base_mul(a)


@given(nonzero, nonzero)
def test_arithmetic_agrees_with_a_slow_independent_curve(a: Scalar, b: Scalar) -> None:
    slow_a, slow_b = edwards.times(a.value, edwards.GENERATOR), edwards.times(b.value, edwards.GENERATOR)
    assert EDWARDS25519.base_mul(a)._encoding == edwards.encode(slow_a)
    assert (EDWARDS25519.base_mul(a) + EDWARDS25519.base_mul(b))._encoding == edwards.encode(
        edwards.add(slow_a, slow_b)
    )


@both
@given(scalar=nonzero)
def test_the_identity_is_neutral_and_what_is_left_of_a_point_minus_itself(group: Group, scalar: Scalar) -> None:
    identity, point = group.identity, group.base_mul(scalar)
    assert point + identity == point
    assert identity + point == point
    assert point - point == identity
    assert (point - point).is_identity
    assert ZERO * point == identity
    assert Scalar(7) * identity == identity
    assert Scalar(ORDER - 1) * point + point == identity


@both
def test_the_identity_is_neither_read_nor_written(group: Group) -> None:
    with pytest.raises(MalformedError):
        group.identity.encode()
    with pytest.raises(MalformedError):
        group.decode(group.identity._encoding)
    with pytest.raises(MalformedError):
        group.decode_times(group.identity._encoding, Scalar(5))


@both
@given(secret=nonzero, scalar=scalars)
def test_decoding_while_multiplying_is_the_same_as_one_after_the_other(
    group: Group, secret: Scalar, scalar: Scalar
) -> None:
    point = group.base_mul(secret)
    assert group.decode(point.encode()) == point
    assert group.decode_times(point.encode(), scalar) == (point, scalar * point)


@both
@given(data=st.binary(min_size=32, max_size=32))
@example(data=bytes(30) + b"\x04\xad")  # libsodium 1.0.18 ignores the highest bit
def test_what_decodes_has_one_encoding(group: Group, data: bytes) -> None:
    try:
        point = group.decode(data)
    except MalformedError:
        with pytest.raises(MalformedError):
            group.decode_times(data, ONE)
        return
    assert point.encode() == data
    assert (ONE * point).encode() == data


@both
@given(message=st.binary(max_size=40))
def test_a_hash_is_an_element_and_depends_on_message_and_domain(group: Group, message: bytes) -> None:
    point = group.hash(message, b"one")
    assert group.decode(point.encode()) == point
    assert len({point, group.hash(message + b"\x00", b"one"), group.hash(message, b"two")}) == 3


def test_the_two_groups_do_not_mix() -> None:
    ours, theirs = EDWARDS25519.base, RISTRETTO255.base
    assert ours != theirs
    with pytest.raises(AssertionError):
        ours + theirs
    with pytest.raises(AssertionError):
        theirs - ours


@pytest.mark.parametrize(
    "data",
    [
        bytes(32),
        b"\xff" * 32,
        (2**255 - 19).to_bytes(32, "little"),  # p, a second spelling of 0
        (2**255 - 18).to_bytes(32, "little"),  # p + 1
        (1).to_bytes(32, "little"),  # negative in the sense of RFC 9496
        b"\x01" + bytes(30) + b"\x80",  # the sign bit of edwards25519
        bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),  # no square
    ],
    ids=bytes.hex,
)
def test_what_rfc_9496_calls_invalid_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        RISTRETTO255.decode(data)
    with pytest.raises(MalformedError):
        RISTRETTO255.decode_times(data, Scalar(8))


def refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        EDWARDS25519.decode(data)
    for scalar in (ZERO, ONE, Scalar(8), Scalar(ORDER - 1)):
        with pytest.raises(MalformedError):
            EDWARDS25519.decode_times(data, scalar)


def test_there_are_eight_torsion_points_to_try() -> None:
    assert len(set(edwards.TORSION)) == 8


@pytest.mark.parametrize("torsion", edwards.TORSION)
def test_a_torsion_point_is_refused(torsion: edwards.Affine) -> None:
    refused(edwards.encode(torsion))


@pytest.mark.parametrize("data", edwards.NOT_CANONICAL, ids=bytes.hex)
def test_a_second_spelling_of_a_point_is_refused(data: bytes) -> None:
    refused(data)


@given(nonzero, st.sampled_from(edwards.TORSION[1:]))
def test_a_point_with_a_torsion_part_is_refused(scalar: Scalar, torsion: edwards.Affine) -> None:
    point = edwards.decode(EDWARDS25519.base_mul(scalar).encode())
    refused(edwards.encode(edwards.add(point, torsion)))


@given(nonzero)
def test_the_point_that_cve_2025_69277_accepted_is_refused(scalar: Scalar) -> None:
    x, y = edwards.decode(EDWARDS25519.base_mul(scalar).encode())
    mixed = edwards.P - x, edwards.P - y
    assert mixed == edwards.add((x, y), (0, edwards.P - 1))
    refused(edwards.encode(mixed))


@given(st.binary(min_size=32, max_size=32))
def test_whatever_decodes_encodes_to_the_same_bytes_and_has_prime_order(data: bytes) -> None:
    try:
        point = EDWARDS25519.decode(data)
    except MalformedError:
        return
    assert point.encode() == data
    assert edwards.times(edwards.L, edwards.decode(data)) == edwards.NEUTRAL


# -- the library under it, and what is not shown ------------------------------------------------------


@both
def test_the_installed_library_passes_the_self_test(group: Group) -> None:
    group.library.self_test()


def _no_check(data: bytes) -> bool:
    return True


def _careless(scalar: bytes, point: bytes) -> bytes:
    return point


def test_the_self_test_notices_a_broken_subgroup_check() -> None:
    with pytest.raises(RefusedError) as caught:
        self_test(is_valid=_no_check)
    assert caught.value.reason is Reason.SELF_TEST_FAILED


def test_the_self_test_notices_a_multiplication_without_checks() -> None:
    with pytest.raises(RefusedError, match="outside"):
        self_test(multiply=_careless)


def test_the_self_test_notices_clamping() -> None:
    with pytest.raises(RefusedError, match="clamps"):
        self_test(multiply=nacl.bindings.crypto_scalarmult_ed25519)


def test_scalars_and_points_print_nothing_of_themselves() -> None:
    assert repr(Scalar(123456789)) == "Scalar(<hidden>)"
    assert repr(EDWARDS25519.base) == "Point(<hidden>)"
