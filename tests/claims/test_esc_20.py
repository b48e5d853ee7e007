"""ESC-20: a slot that does not hold what it has to is refused by the receiver, and named where shares are combined."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes import scheme_of
from escrow.capsule.schemes.base import NO_SHARE
from escrow.capsule.schemes.pq import SLOT_SIZE
from escrow.crypto.group import Scalar
from escrow.crypto.suites import PQ
from escrow.crypto.xwing import XWingKey
from escrow.errors import DeviationError, Reason, RefusedError
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.core.capsule.slots import forged, slot, with_slot
from tests.core.capsule.vault import answers, asked, committee, flip, label

pytestmark = pytest.mark.claim("ESC-20")

SCHEME, LABEL, SEED = scheme_of(PQ), label(suite=PQ), Secret(b"\x20" * 32)
CTX, GENERATION, _ = committee(suite=PQ)
CAPSULE = SCHEME.encapsulate(CTX, LABEL, SEED)
REQUEST = asked(CAPSULE, LABEL, suite=PQ)
GOOD = answers(REQUEST)
STRANGER = XWingKey.from_seed(bytes(32)).public

indices = st.integers(1, 5)


def malformed(index: int, how: int, at: int) -> bytes:
    """The capsule with another slot ``index``: a wrong share, a wrong key, somebody else's slot, a changed byte."""
    real = GOOD[index]
    match how:
        case 0:
            other = forged(CTX, LABEL, index, Scalar(at + 1), real[32:])
        case 1:
            other = forged(CTX, LABEL, index, real[:32], bytes(32))
        case 2:
            other = forged(CTX, LABEL, index, real[:32], real[32:], STRANGER)
        case 3:
            other = slot(CAPSULE, index % 5 + 1)
        case _:
            other = flip(slot(CAPSULE, index), at % SLOT_SIZE, 1)
    return with_slot(CAPSULE, index, other)


@effort(0.3)
@given(indices, st.integers(0, 4), st.integers(0, 10_000))
def test_one_wrong_slot_is_refused_by_the_receiver_and_named_by_the_combiner(
    census: Census, index: int, how: int, at: int
) -> None:
    capsule = malformed(index, how, at)
    SCHEME.verify(CTX, LABEL, capsule)  # the relay sees nothing
    assert SCHEME.encapsulate(CTX, LABEL, SEED) != capsule
    census("refused by the receiver")
    request = replace(REQUEST, capsule=capsule)
    with pytest.raises(DeviationError) as deviated:
        open_capsule(request, GENERATION, answers(request))
    assert deviated.value.reason is Reason.CAPSULE_MALFORMED
    assert (deviated.value.culprits, deviated.value.detail) == (frozenset({"sender"}), f"slots {index}")
    census("slot named")


@effort(0.3)
@given(st.sets(indices, min_size=1, max_size=2), st.integers(0, 63))
def test_whoever_sends_another_share_or_denies_having_one_is_named(census: Census, liars: set[int], at: int) -> None:
    for lies in ({i: flip(GOOD[i], at, 1) for i in liars}, dict.fromkeys(liars, NO_SHARE)):
        opened = open_capsule(REQUEST, GENERATION, GOOD | lies)
        assert (opened.seed, opened.culprits) == (SEED, frozenset(liars))
        census("custodian named")


@effort(0.1)
@given(st.sets(indices, min_size=3))
def test_honest_custodians_without_a_share_are_not_named(census: Census, empty: set[int]) -> None:
    capsule = CAPSULE
    for index in empty:
        capsule = with_slot(capsule, index, bytes(SLOT_SIZE))
    request = replace(REQUEST, capsule=capsule)
    with pytest.raises(RefusedError) as refused:
        open_capsule(request, GENERATION, answers(request))
    assert (refused.value.reason, refused.value.culprits) == (Reason.NOT_ENOUGH_SHARES, frozenset())
    census("nobody named")
