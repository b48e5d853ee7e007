"""ESC-03, for ibe: the same of a capsule whose public check is that its maker knows r, and for which label."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.label import Label
from escrow.capsule.schemes.ibe import CAPSULE_SIZE, Ibe
from escrow.crypto.bls12381 import ORDER
from escrow.crypto.suites import IBE
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds
from tests.core.capsule.vault import committee, label
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("ESC-03")

CTX, *_ = committee(suite=IBE)
SCHEME = Ibe()


def about(number: int) -> bytes:
    """Labels of one identity: of messages of one day."""
    return msgspec.structs.replace(Label.decode(label(suite=IBE)), chain_no=number).encode()


def refused(label_: bytes, capsule: bytes, census: Census) -> None:
    with pytest.raises(RefusedError) as caught:
        SCHEME.verify(CTX, label_, capsule)
    assert caught.value.reason is Reason.CAPSULE_INVALID
    census("refused")


def made_under(label_: bytes, seed: bytes) -> bytes:
    try:
        return SCHEME.encapsulate(CTX, label_, Secret(seed))
    except MalformedError:
        return b""  # of no label


@effort(0.25)
@given(st.integers(0, 2**32), seeds, st.integers(0), st.integers(0))
def test_every_flipped_bit_is_noticed_by_everybody(
    census: Census, number: int, seed: bytes, one: int, other: int
) -> None:
    bound, made = about(number), made_under(about(number), seed)
    SCHEME.verify(CTX, bound, made)
    census("accepted")
    refused(bound, flip(made, one), census)
    refused(flip(bound, other), made, census)
    assert made_under(flip(bound, other), seed) != made


@effort(0.1)
@given(st.integers(0, 2**32), seeds, st.sampled_from((128, 160)))
def test_a_scalar_has_no_second_spelling(census: Census, number: int, seed: bytes, at: int) -> None:
    made = made_under(about(number), seed)
    value = int.from_bytes(made[at : at + 32], "little") + ORDER
    second = min(value, 2**256 - 1).to_bytes(32, "little")
    refused(about(number), made[:at] + second + made[at + 32 :], census)


@effort(0.1)
@given(st.lists(st.integers(0, 2**32), min_size=2, max_size=2, unique=True), seeds, seeds)
def test_parts_of_two_capsules_of_one_identity_make_no_third(
    census: Census, two: list[int], seed: bytes, other: bytes
) -> None:
    first, second = made_under(about(two[0]), seed), made_under(about(two[1]), other)
    for cut in range(96, CAPSULE_SIZE, 32):
        for number in two:
            refused(about(number), first[:cut] + second[cut:], census)
