import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from escrow.e2ee.safety import compare, in_groups, safety_number, safety_text
from escrow.errors import MalformedError, Reason, RefusedError

key = st.binary(min_size=32, max_size=32)


@given(key, key)
def test_both_sides_see_one_number_of_sixty_digits(mine: bytes, theirs: bytes) -> None:
    number = safety_number(mine, theirs)
    assert number == safety_number(theirs, mine)
    assert len(number) == 60
    assert number.isdecimal()
    groups = in_groups(number).split(" ")
    assert [len(group) for group in groups] == [5] * 12
    assert "".join(groups) == number


@given(st.lists(key, min_size=3, max_size=3, unique=True))
def test_another_key_gives_another_number(keys: list[bytes]) -> None:
    mine, theirs, other = keys
    assert safety_number(mine, theirs) != safety_number(mine, other)


def mutated(text: str, place: int, character: str) -> str:
    return text[: place % len(text)] + character + text[place % len(text) + 1 :]


@pytest.mark.spec("DIR-7")
@given(key, key)
def test_each_accepts_what_the_other_shows_and_not_its_own(mine: bytes, theirs: bytes) -> None:
    assume(mine != theirs)
    compare(safety_text(theirs, mine), mine, theirs)
    compare(f" {safety_text(theirs, mine)}\n", mine, theirs)
    compare(safety_number(theirs, mine), mine, theirs)
    compare(in_groups(safety_number(theirs, mine)), mine, theirs)
    with pytest.raises(RefusedError, match="USAGE"):
        compare(safety_text(mine, theirs), mine, theirs)


@pytest.mark.spec("DIR-7")
@given(key, key, key)
def test_who_stands_between_is_seen_from_both_sides(mine: bytes, theirs: bytes, between: bytes) -> None:
    assume(len({mine, theirs, between}) == 3)
    for shown in (safety_text(theirs, between), safety_text(between, mine), safety_number(theirs, between)):
        with pytest.raises(RefusedError) as caught:
            compare(shown, mine, theirs)
        assert caught.value.reason is Reason.SAFETY_MISMATCH


@pytest.mark.spec("DIR-7")
@given(key, key, st.integers(0, 1 << 16), st.sampled_from("AZ27:1 a=é٣"))
@example(bytes(32), b"\1" * 32, 64, "B")
@example(bytes(32), b"\1" * 32, 0, "d")
def test_no_text_has_a_second_spelling(mine: bytes, theirs: bytes, place: int, character: str) -> None:
    assume(mine != theirs)
    for honest in (safety_text(theirs, mine), safety_number(theirs, mine)):
        changed = mutated(honest, place, character)
        if "".join(changed.split()) != honest:
            with pytest.raises((RefusedError, MalformedError)):
                compare(changed, mine, theirs)


@given(st.text(max_size=130))
def test_any_other_text_is_refused_by_name(said: str) -> None:
    with pytest.raises((RefusedError, MalformedError)):
        compare(said, bytes(32), b"\1" * 32)


def test_a_text_fits_a_small_qr_code() -> None:
    text = safety_text(bytes(32), b"\1" * 32)
    assert len(text) == 118
    assert set(text) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")
