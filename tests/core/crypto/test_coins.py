import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.coins import Coins
from tests.core.crypto.draws import seeds


@given(seeds, st.lists(st.sampled_from(["a", "b", "nonce"]), min_size=1, max_size=8))
def test_a_step_that_runs_again_draws_the_same(seed: bytes, uses: list[str]) -> None:
    first, again = Coins(seed), Coins(seed)
    assert [first.take(use, 40) for use in uses] == [again.take(use, 40) for use in uses]


@given(seeds, st.lists(st.sampled_from(["a", "b", "nonce"]), min_size=1, max_size=12))
def test_no_two_draws_are_alike(seed: bytes, uses: list[str]) -> None:
    coins = Coins(seed)
    drawn = [coins.take(use, 32) for use in uses]
    drawn += [coins.child(use).take("a", 32) for use in uses]
    assert len(set(drawn)) == len(drawn)


def test_a_draw_for_one_use_does_not_shift_another() -> None:
    alone, between = Coins(bytes(32)), Coins(bytes(32))
    between.take("other", 16)
    between.child("third")
    assert alone.take("mine", 32) == between.take("mine", 32)


def test_a_longer_draw_is_not_a_shorter_one_continued_by_the_next() -> None:
    coins = Coins(bytes(32))
    assert Coins(bytes(32)).take("a", 64)[32:] != (coins.take("a", 32), coins.take("a", 32))[1]


@given(seeds)
def test_scalars_are_not_zero_and_not_repeated(seed: bytes) -> None:
    coins = Coins(seed)
    first, second = coins.scalar("a"), coins.scalar("a")
    assert not first.is_zero
    assert first != second


@pytest.mark.parametrize("length", [0, 31, 33])
def test_the_coins_of_a_step_are_32_bytes(length: int) -> None:
    with pytest.raises(AssertionError):
        Coins(bytes(length))


def test_coins_print_nothing_of_themselves() -> None:
    assert repr(Coins(b"secret seed of thirty-two bytes!")) == "Coins(<hidden>)"
