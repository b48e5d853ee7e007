"""BLS12-381: what is read is an element in its one spelling, whatever the library reads; the pairing is bilinear."""

import builtins
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_arkworks_bls12381 import G1Point, G2Point
from py_arkworks_bls12381 import Scalar as Raw

from escrow.crypto.bls12381 import G1, G1_SIZE, G2, G2_SIZE, ORDER, BlsScalar, pair_alike, pairing
from escrow.crypto.coins import Coins
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import random_polynomial
from escrow.crypto.suites import IBE, IBE_CONVERSATION, group_of
from escrow.errors import MalformedError, RefusedError

scalars = st.integers(0, ORDER - 1).map(BlsScalar)
nonzero = st.integers(1, ORDER - 1).map(BlsScalar)
few = settings(max_examples=10)

FIELD = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
BASE = G1.hash(b"any", b"test")
TWO, SIX = BlsScalar(2), BlsScalar(6)


# -- scalars --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, ORDER - 1])
def test_a_reduced_scalar_has_one_encoding(value: int) -> None:
    data = value.to_bytes(32, "little")
    assert BlsScalar.decode(data) == BlsScalar(value)
    assert BlsScalar.decode(data).encode() == data


@pytest.mark.parametrize("value", [ORDER, ORDER + 1, ORDER + 5, 2**255, 2**256 - 1])
def test_a_scalar_at_or_beyond_the_order_is_refused(value: int) -> None:
    with pytest.raises(MalformedError):
        BlsScalar.decode(value.to_bytes(32, "little"))


def test_scalars_of_two_orders_do_not_mix() -> None:
    mine, theirs = BlsScalar(3), Scalar(3)
    assert mine != theirs
    wrong: list[Callable[[], object]] = [
        lambda: mine + theirs,  # type: ignore[operator]
        lambda: theirs - mine,
        lambda: mine * theirs,  # type: ignore[operator]
        lambda: G2.base_mul(theirs),
        lambda: EDWARDS25519.base_mul(mine),
        lambda: theirs * G2.base,
        lambda: theirs * BASE,
        lambda: mine * EDWARDS25519.base,
    ]
    for attempt in wrong:
        with pytest.raises(AssertionError):
            attempt()


def test_what_is_drawn_or_hashed_is_below_the_order_of_its_group() -> None:
    drawn = [Coins(bytes(31) + bytes([i])).scalar("use", BlsScalar) for i in range(20)]
    assert all(type(one) is BlsScalar for one in drawn)
    assert max(one.value for one in drawn) > 2**253  # beyond the order of the other groups


# -- points ---------------------------------------------------------------------------------------------------------


@few
@given(a=scalars, b=scalars)
def test_multiplication_is_linear(a: BlsScalar, b: BlsScalar) -> None:
    assert G2.base_mul(a + b) == G2.base_mul(a) + G2.base_mul(b)
    assert G2.base_mul(a - b) == G2.base_mul(a) - G2.base_mul(b)
    assert G2.base_mul(a * b) == a * G2.base_mul(b)
    assert G2.base_mul(-a) == -G2.base_mul(a)
    assert G2.decode_times(G2.base.encode(), a) == (G2.base, G2.base_mul(a))


@settings(max_examples=30)
@given(st.sampled_from([1, 63, 64, 65, 2**252, ORDER - 1]).map(BlsScalar) | nonzero)
def test_multiples_of_the_base_point_out_of_the_table_are_those_of_the_library(a: BlsScalar) -> None:
    assert G2.base_mul(a).encode() == (G2Point() * Raw(a.value)).to_compressed_bytes()


@few
@given(a=nonzero)
def test_the_identity_is_neutral_and_neither_read_nor_written(a: BlsScalar) -> None:
    point = G2.base_mul(a)
    assert point + G2.identity == point == G2.identity + point
    assert (point - point).is_identity
    assert (BlsScalar(0) * point).is_identity
    with pytest.raises(MalformedError):
        G2.identity.encode()
    with pytest.raises(MalformedError):
        (BlsScalar(0) * BASE).encode()


def outside(size: int) -> bytes:
    """The first point of the curve that is not in the group, by its x."""
    read: Callable[[bytes], G1Point | G2Point] = (
        G1Point.from_compressed_bytes_unchecked if size == G1_SIZE else G2Point.from_compressed_bytes_unchecked
    )
    for x in range(1, 100):
        data = b"\x80" + (size - 2) * b"\0" + bytes([x])
        try:
            point = read(data)
        except ValueError:
            continue
        if not point.is_in_subgroup():
            return data
    raise AssertionError("most points are outside")


def bad_points(size: int, good: bytes) -> Mapping[str, bytes]:
    x = int.from_bytes(good, "big") & (1 << (8 * size - 3)) - 1
    top = (x + FIELD) if size == G1_SIZE else x + (FIELD << 384)
    return {
        "the identity": b"\xc0" + bytes(size - 1),
        "its other spelling": b"\xe0" + bytes(size - 1),
        "the identity, with something else": b"\xc0" + bytes(size - 2) + b"\1",
        "without the mark of the compressed form": bytes([good[0] & 0x7F]) + good[1:],
        "zero": bytes(size),
        "noise": b"\xff" * size,
        "no point of the curve": b"\x80" + bytes(size - 2) + b"\1" if size == G1_SIZE else b"\x9a" + b"\xff" * 95,
        "outside the group": outside(size),
        "a coordinate that is not reduced": bytes([top >> (8 * size - 8) & 0x1F | 0x80])
        + (top & (1 << 8 * size - 8) - 1).to_bytes(size - 1, "big"),
        "a byte less": good[:-1],
        "a byte more": good + b"\0",
        "nothing": b"",
    }


@pytest.mark.parametrize("what", bad_points(G1_SIZE, BASE.encode()))
@pytest.mark.parametrize("group", [G1_SIZE, G2_SIZE])
def test_what_is_no_element_or_another_spelling_of_one_is_refused(group: int, what: str) -> None:
    if group == G1_SIZE:
        with pytest.raises(MalformedError):
            G1.decode(bad_points(group, BASE.encode())[what])
        return
    bad = bad_points(group, G2.base.encode())[what]
    for read in (G2.decode, lambda data: G2.decode_times(data, SIX), lambda data: G2.decode_times(data, BlsScalar(0))):
        with pytest.raises(MalformedError):
            read(bad)


@given(st.binary(min_size=G1_SIZE, max_size=G1_SIZE))
def test_whatever_decodes_encodes_to_the_same_bytes(data: bytes) -> None:
    try:
        point = G1.decode(data)
    except MalformedError:
        return
    assert point.encode() == data


@few
@given(a=nonzero, b=nonzero)
def test_the_pairing_is_bilinear(a: BlsScalar, b: BlsScalar) -> None:
    one, other, product = G2.base_mul(a), G2.base_mul(b), G2.base_mul(a * b)
    assert pairing(a * BASE, other) == pairing(BASE, product) == pairing(b * BASE, one)
    assert pair_alike(a * BASE, other, BASE, product)
    assert not pair_alike(a * BASE, other, BASE, product + G2.base)
    assert len(pairing(BASE, one)) == 576


def test_nothing_is_paired_with_the_identity() -> None:
    with pytest.raises(MalformedError):
        pairing(BASE, G2.identity)


# -- combination ----------------------------------------------------------------------------------------------------


@few
@given(t=st.integers(1, 6), order=st.permutations(range(1, 10)), coins=st.binary(min_size=32, max_size=32))
def test_any_threshold_of_shares_combines_to_the_key_and_one_fewer_does_not(
    t: int, order: Sequence[int], coins: bytes
) -> None:
    secret = random_polynomial(coins, t, kind=BlsScalar)
    shares = {index: (secret.evaluate(index) * BASE).encode() for index in order[:t]}
    key = (secret.coefficients[0] * BASE).encode()
    assert G1.combine(shares).encode() == key
    if t > 1:
        assert G1.combine(dict(list(shares.items())[1:])).encode() != key


@pytest.mark.parametrize("bad", [b"", bytes(48), b"\xc0" + bytes(47), outside(G1_SIZE)])
def test_what_does_not_combine_to_an_element_is_refused(bad: bytes) -> None:
    with pytest.raises(MalformedError):
        G1.combine({1: bad})
    with pytest.raises(MalformedError):
        G1.combine({0: BASE.encode()})


# -- the library under it, and what is not shown --------------------------------------------------------------------


def test_the_installed_library_passes_the_self_test() -> None:
    G2.library.self_test()


def test_the_self_test_notices_a_library_that_reads_the_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("escrow.crypto.bls12381._valid_g2", lambda _: G2Point())
    with pytest.raises(RefusedError, match="SELF_TEST_FAILED"):
        G2.library.self_test()


def test_elements_print_nothing_of_themselves() -> None:
    assert (repr(BASE), repr(G2.base), repr(SIX)) == ("G1(<hidden>)", "Point(<hidden>)", "Scalar(<hidden>)")


@pytest.mark.parametrize("suite", [IBE, IBE_CONVERSATION])
def test_without_the_extra_the_suite_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, suite: int) -> None:
    assert group_of(suite) is G2
    real = builtins.__import__

    def without(name: str, *rest: object) -> ModuleType:
        if name == "escrow.crypto.bls12381":
            raise ModuleNotFoundError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.delitem(sys.modules, "escrow.crypto.bls12381")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RefusedError, match="extra 'ibe'"):
        group_of(suite)
