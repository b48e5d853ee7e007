from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import ORDER, Point, Scalar
from escrow.crypto.sharing import (
    Polynomial,
    evaluate_commitments,
    interpolate_encoded,
    interpolate_points,
    interpolate_scalars,
    lagrange_at_zero,
    random_polynomial,
    verify_share,
)
from escrow.errors import MalformedError, Reason, RefusedError
from tests.core.crypto import edwards
from tests.core.crypto.draws import nonzero, points, scalars, seeds


@st.composite
def dealings(draw: st.DrawFn) -> tuple[Polynomial, int]:
    n = draw(st.integers(1, 6))
    threshold = draw(st.integers(1, n))
    return random_polynomial(draw(seeds), threshold), n


@given(dealings())
def test_any_threshold_of_shares_gives_the_secret_and_one_fewer_does_not(dealing: tuple[Polynomial, int]) -> None:
    polynomial, n = dealing
    secret, threshold = polynomial.coefficients[0], len(polynomial.coefficients)
    shares = {index: polynomial.evaluate(index) for index in range(1, n + 1)}
    for chosen in combinations(shares, threshold):
        assert interpolate_scalars({index: shares[index] for index in chosen}) == secret
    for chosen in combinations(shares, threshold - 1):
        assert interpolate_scalars({index: shares[index] for index in chosen}) != secret


@given(dealings(), points)
def test_shares_in_the_exponent_combine_to_the_secret_times_the_point(
    dealing: tuple[Polynomial, int], base: Point
) -> None:
    polynomial, n = dealing
    last = range(n, n - len(polynomial.coefficients), -1)
    shares = {index: polynomial.evaluate(index) * base for index in last}
    assert interpolate_points(shares) == polynomial.coefficients[0] * base


@given(dealings())
def test_commitments_evaluate_to_the_committed_shares(dealing: tuple[Polynomial, int]) -> None:
    polynomial, n = dealing
    commitments = polynomial.commitments(EDWARDS25519)
    for index in range(1, n + 1):
        share = polynomial.evaluate(index)
        assert evaluate_commitments(commitments, index) == EDWARDS25519.base_mul(share)
        verify_share(commitments, index, share)


@given(dealings(), nonzero)
def test_a_share_that_is_off_by_anything_is_refused(dealing: tuple[Polynomial, int], error: Scalar) -> None:
    polynomial, _ = dealing
    with pytest.raises(RefusedError) as caught:
        verify_share(polynomial.commitments(EDWARDS25519), 1, polynomial.evaluate(1) + error)
    assert caught.value.reason is Reason.SHARE_INVALID
    assert not caught.value.culprits


def test_the_share_of_another_party_is_refused_for_the_reason_asked_for() -> None:
    polynomial = random_polynomial(bytes(32), 2)
    with pytest.raises(RefusedError) as caught:
        verify_share(polynomial.commitments(EDWARDS25519), 1, polynomial.evaluate(2), Reason.DEALING_INVALID)
    assert caught.value.reason is Reason.DEALING_INVALID


@given(seeds, scalars, st.integers(1, 5))
def test_a_polynomial_has_the_given_secret_and_no_other_zero_coefficient(
    seed: bytes, secret: Scalar, threshold: int
) -> None:
    polynomial = random_polynomial(seed, threshold, secret)
    assert polynomial.coefficients[0] == secret
    assert len(polynomial.coefficients) == threshold
    assert not any(coefficient.is_zero for coefficient in polynomial.coefficients[1:])


def test_the_same_coins_deal_the_same_polynomial_and_others_another() -> None:
    assert random_polynomial(bytes(32), 3) == random_polynomial(bytes(32), 3)
    assert random_polynomial(bytes(32), 3) != random_polynomial(bytes([1]) * 32, 3)


@pytest.mark.parametrize("index", [0, -1, 1 << 16, ORDER, ORDER + 1])
def test_an_index_that_would_be_the_secret_or_wraps_around_is_refused(index: int) -> None:
    polynomial = random_polynomial(bytes(32), 2)
    with pytest.raises(MalformedError):
        polynomial.evaluate(index)
    with pytest.raises(MalformedError):
        evaluate_commitments(polynomial.commitments(EDWARDS25519), index)
    with pytest.raises(MalformedError):
        lagrange_at_zero((1, index))


def test_a_party_does_not_count_twice() -> None:
    with pytest.raises(MalformedError):
        lagrange_at_zero((1, 2, 1))


@given(st.lists(st.integers(1, 200), min_size=1, max_size=6, unique=True))
def test_the_weights_sum_to_one(indices: list[int]) -> None:
    assert sum((weight.value for weight in lagrange_at_zero(tuple(indices))), 0) % ORDER == 1


@given(st.lists(st.integers(1, 65_535), min_size=1, max_size=12, unique=True))
def test_the_weights_are_those_of_the_formula(indices: list[int]) -> None:
    expected = []
    for x in indices:
        above = below = 1
        for other in indices:
            if other != x:
                above, below = above * other, below * (other - x)
        expected.append(Scalar(above * pow(below, -1, ORDER) % ORDER))
    assert lagrange_at_zero(tuple(indices)) == tuple(expected)


@given(dealings(), points)
def test_encoded_shares_combine_as_those_that_were_read(dealing: tuple[Polynomial, int], base: Point) -> None:
    polynomial, n = dealing
    shares = {index: polynomial.evaluate(index) * base for index in range(n - len(polynomial.coefficients) + 1, n + 1)}
    encoded = {index: share.encode() for index, share in shares.items() if not share.is_identity}
    if len(encoded) == len(shares):
        assert interpolate_encoded(EDWARDS25519, encoded) == interpolate_points(shares)


@pytest.mark.parametrize("torsion", edwards.TORSION[1:])
def test_an_encoded_share_outside_the_subgroup_combines_with_nothing(torsion: edwards.Affine) -> None:
    base = EDWARDS25519.base.encode()
    off = edwards.encode(edwards.add(edwards.GENERATOR, torsion))
    # The second takes away what the first adds: in a sum of the two alone nothing would show.
    against = edwards.encode(edwards.add(edwards.GENERATOR, edwards.times(7, torsion)))
    for shares in ({1: base, 2: off}, {1: off, 2: base}, {1: off, 2: against}):
        with pytest.raises(MalformedError):
            interpolate_encoded(EDWARDS25519, shares)


def test_a_polynomial_does_not_print_its_coefficients() -> None:
    polynomial = random_polynomial(bytes(32), 1)
    assert str(polynomial.coefficients[0].value) not in repr(polynomial)
