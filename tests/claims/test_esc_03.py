"""ESC-03: a capsule or label with any byte changed is no capsule, to the relay and to the receiver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.group import ORDER, SIZE
from escrow.errors import Reason, RefusedError
from escrow.secret import Secret
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import SCHEME, capsule, label, numbers, seeds
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("ESC-03")

HELD = committee()


def refused(label_: bytes, capsule_: bytes, census: Census) -> None:
    with pytest.raises(RefusedError) as caught:
        SCHEME.verify(HELD.ctx, label_, capsule_)
    assert caught.value.reason is Reason.CAPSULE_INVALID
    census("refused")


@given(numbers, seeds, st.integers(0), st.integers(0))
def test_every_flipped_bit_is_noticed_by_everybody(
    census: Census, number: int, seed: bytes, one: int, other: int
) -> None:
    bound, made = label(HELD, number), capsule(HELD, number, seed)
    SCHEME.verify(HELD.ctx, bound, made)
    census("accepted")
    refused(bound, flip(made, one), census)
    refused(flip(bound, other), made, census)
    assert SCHEME.encapsulate(HELD.ctx, flip(bound, other), Secret(seed)) != made


@effort(0.5)
@given(numbers, seeds, st.sampled_from((3, 4)), st.integers(0, 2))
def test_a_scalar_has_no_second_spelling(census: Census, number: int, seed: bytes, place: int, extra: int) -> None:
    made = capsule(HELD, number, seed)
    start, end = place * SIZE, (place + 1) * SIZE
    value = int.from_bytes(made[start:end], "little") + (2**255 if extra == 2 else (extra + 1) * ORDER)
    refused(label(HELD, number), made[:start] + value.to_bytes(SIZE, "little") + made[end:], census)


@effort(0.5)
@given(st.lists(numbers, min_size=2, max_size=2, unique=True), seeds, seeds, st.integers(1, 4))
def test_parts_of_two_capsules_make_no_third(
    census: Census, two: list[int], seed: bytes, other: bytes, cut: int
) -> None:
    first, second = capsule(HELD, two[0], seed), capsule(HELD, two[1], other)
    spliced = first[: cut * SIZE] + second[cut * SIZE :]
    for number in two:
        refused(label(HELD, number), spliced, census)
