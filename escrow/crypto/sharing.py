"""Shamir's secret sharing with Feldman's commitments, in the exponent where that is enough.

A polynomial f of degree threshold - 1 has its secret at 0; party i = 1..n holds f(i), and everybody can check
it against the commitments to the coefficients. Indices are public; no function here is constant time.
Sources: Shamir, CACM 22(11) 1979; Feldman, FOCS 1987.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import prod

from escrow.crypto.coins import Coins
from escrow.crypto.group import Group, Point, Scalar
from escrow.errors import MalformedError, Reason, RefusedError

MOST_PARTIES = 1 << 16


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Coefficients from the constant term upwards; the constant term is the secret."""

    coefficients: tuple[Scalar, ...]

    def evaluate(self, index: int) -> Scalar:
        """The share of party ``index``; raise ``MalformedError`` for 0, which would be the secret."""
        kind = type(self.coefficients[0])
        x, value = _coordinate(index, kind), kind(0)
        for coefficient in reversed(self.coefficients):
            value = value * x + coefficient
        return value

    def commitments(self, group: Group) -> tuple[Point, ...]:
        """The coefficients times the base point of ``group``."""
        return tuple(group.base_mul(coefficient) for coefficient in self.coefficients)


def random_polynomial(
    coins: bytes, threshold: int, secret: Scalar | None = None, kind: type[Scalar] = Scalar
) -> Polynomial:
    """A polynomial that ``threshold`` shares determine, with the given secret or a fresh one of this ``kind``.

    Coefficients are drawn until they are not zero, so that no commitment is the identity and the degree
    is what it claims. ``coins`` is 32 bytes.
    """
    stream = Coins(coins)
    first = stream.scalar("secret", kind) if secret is None else secret
    return Polynomial((first, *(stream.scalar("coefficient", type(first)) for _ in range(threshold - 1))))


def evaluate_commitments(commitments: Sequence[Point], index: int) -> Point:
    """f(index) times the base point, from the commitments to f."""
    group = commitments[0].group
    x, value = _coordinate(index, group.scalar), group.identity
    for commitment in reversed(commitments):
        value = x * value + commitment
    return value


def verify_share(
    commitments: Sequence[Point], index: int, share: Scalar, reason: Reason = Reason.SHARE_INVALID
) -> None:
    """Raise ``RefusedError(reason)`` unless ``share`` is f(index) for the committed f."""
    if commitments[0].group.base_mul(share) != evaluate_commitments(commitments, index):
        raise RefusedError(reason, f"the share of party {index} is not the committed one")


@lru_cache(maxsize=256)
def lagrange_at_zero(indices: tuple[int, ...], kind: type[Scalar] = Scalar) -> tuple[Scalar, ...]:
    """The weights, scalars of this ``kind``, that make f(0) of the values at ``indices``, in their order.

    Raises ``MalformedError`` for an index that is 0, too large, or there twice.
    """
    if len(set(indices)) != len(indices):
        raise MalformedError("a party contributes twice")
    for index in indices:
        _coordinate(index, kind)
    # Products of small integers, and one inversion for all denominators: the others' products, before and behind each,
    # take them out of it again.
    order = kind.order

    def times(left: int, right: int) -> int:
        return left * right % order

    above, below = prod(indices), [prod(other - x for other in indices if other != x) % order for x in indices]
    before = list(accumulate(below, times, initial=1))
    behind = list(accumulate(reversed(below), times, initial=1))[-2::-1]
    inverse = kind(before[-1]).invert().value
    weights = []
    for x, earlier, later in zip(indices, before, behind, strict=False):
        weights.append(kind(above // x * inverse * earlier * later % order))
    return tuple(weights)


def interpolate_scalars(shares: Mapping[int, Scalar]) -> Scalar:
    """f(0) from shares by index; the caller knows that they are enough and good."""
    kind = _kind(shares)
    total = kind(0)
    for weight, share in zip(lagrange_at_zero(tuple(shares), kind), shares.values(), strict=True):
        total = total + weight * share
    return total


def interpolated_at(shares: Mapping[int, Scalar], index: int) -> Scalar:
    """f(index), from enough shares of f; ``MalformedError`` for an index 0 or too large, or twice the same."""
    kind = _kind(shares)
    x, total = _coordinate(index, kind), kind(0)
    points = {i: _coordinate(i, kind) for i in shares}
    for i, value in shares.items():
        above, below = value, kind(1)
        for other, point in points.items():
            if other != i:
                above, below = above * (x - point), below * (points[i] - point)
        total = total + above * below.invert()
    return total


def interpolate_points(shares: Mapping[int, Point]) -> Point:
    """f(0) times a point, from f(i) times it; the caller knows that they are enough and good."""
    kind = next(iter(shares.values())).group.scalar
    weights = lagrange_at_zero(tuple(shares), kind)
    first, *rest = (weight * share for weight, share in zip(weights, shares.values(), strict=True))
    return sum(rest, start=first)


def interpolate_encoded(group: Group, shares: Mapping[int, bytes]) -> Point:
    """The same from encodings that nobody has read yet; ``MalformedError`` unless each is a point of ``group``."""
    weights = lagrange_at_zero(tuple(shares), group.scalar)
    # No weight is zero, so each encoding goes through a multiplication, and that is what checks it.
    terms = (group.decode_times(share, weight) for weight, share in zip(weights, shares.values(), strict=True))
    (_, first), *rest = terms
    return sum((term for _, term in rest), start=first)


def _kind(shares: Mapping[int, Scalar]) -> type[Scalar]:
    return next((type(share) for share in shares.values()), Scalar)


def _coordinate(index: int, kind: type[Scalar]) -> Scalar:
    if not 1 <= index < MOST_PARTIES:
        raise MalformedError(f"{index} is not the index of a party")
    return kind(index)
