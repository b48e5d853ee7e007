from hypothesis import given
from hypothesis import strategies as st

from escrow.e2ee.safety import in_groups, safety_number

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
