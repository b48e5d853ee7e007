"""ESC-02: fewer custodians than the threshold have nothing that tells one seed from another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import interpolate_scalars, random_polynomial
from escrow.errors import Reason, RefusedError
from tests.claims.keygen import coins, committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import capsule, numbers, request, seeds, shares
from tests.core.crypto.draws import nonzero

pytestmark = pytest.mark.claim("ESC-02")

THRESHOLD = 3


@effort(2)
@given(seeds, nonzero, nonzero, st.permutations(range(1, 8)))
def test_two_shares_of_three_fit_every_secret_there_is(
    census: Census, drawn: bytes, secret: Scalar, other: Scalar, order: list[int]
) -> None:
    polynomial = random_polynomial(drawn, THRESHOLD, secret)
    *few, last = order[:THRESHOLD]
    held = {index: polynomial.evaluate(index) for index in few}
    # A third share that would make the secret the other one: it exists for each of them, so the two exclude none.
    wanted = {0: other, **held}
    missing = _at(wanted, last)
    assert interpolate_scalars({**held, last: missing}) == other
    assert interpolate_scalars({**held, last: polynomial.evaluate(last)}) == secret
    # And on their own they lead somewhere else.
    assert interpolate_scalars(held) != secret
    census("consistent")


@effort(0.2)
@given(numbers, seeds, st.permutations(range(1, 6)), st.integers(0, THRESHOLD - 1))
def test_no_way_through_the_combiner_opens_a_capsule_with_too_few(
    census: Census, number: int, seed: bytes, order: list[int], few: int
) -> None:
    held = committee()
    asked = request(held, number, capsule(held, number, seed))
    answers = shares(held, asked, *order[:few])
    stale = {index: coins(index) * 3 for index in order[few:THRESHOLD]}
    for mixed in (answers, answers | stale):
        with pytest.raises(RefusedError) as refused:
            open_capsule(asked, held.generation, mixed)
        assert refused.value.reason is Reason.NOT_ENOUGH_SHARES
        census("refused")
    opened = open_capsule(asked, held.generation, shares(held, asked, *order[:THRESHOLD]))
    assert opened.seed.expose() == seed
    census("accepted")


def _at(points: dict[int, Scalar], index: int) -> Scalar:
    """The polynomial through these points, at ``index``: Lagrange's formula, written out anew."""
    total = Scalar(0)
    for x, value in points.items():
        weighted = value
        for other in points:
            if other != x:
                weighted = weighted * (Scalar(index) - Scalar(other)) * (Scalar(x) - Scalar(other)).invert()
        total = total + weighted
    return total
