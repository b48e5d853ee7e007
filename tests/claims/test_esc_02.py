"""ESC-02: fewer custodians than the threshold have nothing that tells one seed from another."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes import CommitteeContext, ShareRequest
from escrow.committee.parts import PublicKey
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import Polynomial, interpolate_scalars, random_polynomial
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.claims.keygen import coins, committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import SCHEME, capsule, numbers, request, seeds, shares
from tests.claims.toy import GROUP, TOY, scalars_modulo
from tests.core.crypto.draws import nonzero
from tests.oracles import tdh2

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


def test_of_all_dealings_there_are_two_shares_fit_each_secret_equally_often(census: Census) -> None:
    order, parties = 13, range(1, 6)
    with scalars_modulo(order):
        dealings = [Polynomial((Scalar(a), Scalar(b), Scalar(c))) for a, b, c in product(range(order), repeat=3)]
        held = [[polynomial.evaluate(index).value for index in parties] for polynomial in dealings]
        secrets = [interpolate_scalars({i: Scalar(held[at][i - 1]) for i in (1, 3, 5)}).value for at in range(order**3)]
    assert secrets == [polynomial.coefficients[0].value for polynomial in dealings]
    for few in combinations(parties, THRESHOLD - 1):
        views = {(secret, *(shares[i - 1] for i in few)) for secret, shares in zip(secrets, held, strict=True)}
        # As many as there are: each pair of shares goes with each secret, and with each in one dealing.
        assert len(views) == order**3
        census("consistent")


class Game:
    """TDH2 as it is, in a group of 1009 elements: one committee of five, one capsule."""

    def __init__(self, number: int) -> None:
        self.dealt = random_polynomial(coins("toy", number), THRESHOLD)
        self.held = {index: self.dealt.evaluate(index) for index in range(1, 6)}
        self.key = GROUP.base_mul(self.dealt.coefficients[0])
        points = self.key, GROUP.hash(coins("second generator"), b"toy")
        self.ctx = CommitteeContext(1, coins("key"), THRESHOLD, PublicKey(points, ()))
        self.label, self.seed = coins("label", number), coins("seed", number)
        self.capsule = SCHEME.encapsulate(self.ctx, self.label, Secret(self.seed))
        self.u = GROUP.decode(self.capsule[32:64])

    def share(self, index: int) -> bytes:
        asked = ShareRequest(self.ctx, bytes(32), self.label, self.capsule, bytes(32))
        return SCHEME.share(asked, Secret(self.held[index].encode()), index, coins(index))

    def opened_with(self, shares: dict[int, bytes]) -> bytes:
        return SCHEME.recover(self.ctx, self.label, self.capsule, shares).expose()

    def completed(self, few: tuple[int, ...], secret: Scalar) -> bytes | None:
        """What two custodians' shares open to if this is the committee's secret: a third share makes it so."""
        points = {0: secret, **{index: self.held[index] for index in few}}
        missing = ((index, _at(points, index)) for index in range(1, 6) if index not in few)
        third, value = next((index, value) for index, value in missing if not value.is_zero)
        shares = {index: self.share(index) for index in few}
        try:
            return self.opened_with(shares | {third: (value * self.u).encode() + bytes(64)})
        except MalformedError:
            assert secret.is_zero
            return None


def test_in_a_group_small_enough_to_search_two_custodians_are_left_with_every_seed_there_is(census: Census) -> None:
    with scalars_modulo(TOY.order):
        game = Game(0)
        for few in combinations(game.held, THRESHOLD - 1):
            found = [game.completed(few, Scalar(secret)) for secret in range(TOY.order)]
            # Each secret but zero, which no committee has, opens to a seed of its own; the true one is among them.
            assert found[0] is None
            assert len(set(found[1:])) == TOY.order - 1
            assert found.index(game.seed) == game.dealt.coefficients[0].value
            # And on their own they lead somewhere else.
            assert game.opened_with({index: game.share(index) for index in few}) != game.seed
            census("consistent")
        for enough in combinations(game.held, THRESHOLD):
            assert game.opened_with({index: game.share(index) for index in enough}) == game.seed
            census("accepted")


def test_only_who_computes_logarithms_tells_the_seeds_of_a_capsule_apart(census: Census) -> None:
    """That the seeds fit equally well is said of shares; Y and the capsule are public, and the group is what hides."""
    with scalars_modulo(TOY.order):
        game = Game(0)
        candidates = [seed for secret in range(1, TOY.order) if (seed := game.completed((2, 4), Scalar(secret)))]
        remade = [seed for seed in candidates if _made_again(game, seed) == game.capsule]
        assert remade == [game.seed]
        census("refused")
        # Over so small a group the thief needs no custodian at all.
        logarithm = next(x for x in range(TOY.order) if GROUP.base_mul(Scalar(x)) == game.key)
        assert game.completed((1, 2), Scalar(logarithm)) == game.seed


def test_the_toy_is_the_scheme_that_the_slow_implementation_knows(census: Census) -> None:
    with scalars_modulo(TOY.order):
        agreed = sum(_agreed(number) for number in range(30))
    # The others meet a zero somewhere, which so small a group has often and a real one never.
    assert 20 < agreed < 30
    census("accepted")


def _agreed(number: int) -> bool:
    try:
        game = Game(number)
        shares = {index: game.share(index) for index in (5, 1, 4)}
    except MalformedError:
        return False
    y, bar = (TOY.decode(point.encode()) for point in (game.ctx.public, game.ctx.gamma))
    key = tdh2.Key(TOY, 1, game.ctx.committee_key_hash, y, bar)
    assert tdh2.encapsulate(key, game.label, game.seed) == game.capsule
    assert tdh2.recover(key, game.label, game.capsule, shares) == game.seed
    return True


def _made_again(game: Game, seed: bytes) -> bytes | None:
    try:
        return SCHEME.encapsulate(game.ctx, game.label, Secret(seed))
    except MalformedError:  # a coin or a challenge of zero: one time in a thousand here
        return None


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
