"""PQ: what only a sender can do wrong, who notices, and who is named for it."""

import hashlib
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes import CommitteeContext, scheme_of
from escrow.capsule.schemes.base import NO_SHARE
from escrow.capsule.schemes.pq import SHARE_SIZE, SLOT_SIZE, Pq
from escrow.committee.parts import PublicKey
from escrow.crypto.group import ORDER, Scalar
from escrow.crypto.sharing import interpolate_scalars
from escrow.crypto.suites import PQ
from escrow.crypto.xwing import CIPHERTEXT_SIZE, XWingKey
from escrow.errors import DeviationError, Reason, RefusedError
from escrow.secret import Secret
from tests.core.capsule.slots import forged, slot, with_slot
from tests.core.capsule.vault import answers, asked, committee, flip, label, moved

SCHEME = scheme_of(PQ)
CTX, GENERATION, HELD = committee(suite=PQ)
LABEL, SEED = label(suite=PQ), Secret(b"\x42" * 32)
CAPSULE = SCHEME.encapsulate(CTX, LABEL, SEED)
REQUEST = asked(CAPSULE, LABEL, suite=PQ)
ANSWERS = answers(REQUEST)


def blamed(capsule: bytes, *, without: tuple[int, ...] = ()) -> DeviationError:
    """What an agency is told that asks everybody but some."""
    request = replace(REQUEST, capsule=capsule)
    given_ = {i: share for i, share in answers(request).items() if i not in without}
    with pytest.raises(DeviationError) as deviated:
        open_capsule(request, GENERATION, given_)
    assert (deviated.value.reason, deviated.value.culprits) == (Reason.CAPSULE_MALFORMED, frozenset({"sender"}))
    return deviated.value


@pytest.mark.spec("PQ-1")
@pytest.mark.parametrize("length", [0, 32, SLOT_SIZE, len(CAPSULE) - 1, len(CAPSULE) + 1, len(CAPSULE) + SLOT_SIZE])
def test_a_capsule_for_another_number_of_custodians_is_refused(length: int) -> None:
    with pytest.raises(RefusedError) as refused:
        SCHEME.verify(CTX, LABEL, (CAPSULE + CAPSULE)[:length])
    assert refused.value.reason is Reason.CAPSULE_INVALID


def test_sizes_are_those_of_the_specification() -> None:
    assert (len(CAPSULE), SLOT_SIZE, SHARE_SIZE) == (32 + 1232 * 5, 1232, 64)
    assert all(len(share) == SHARE_SIZE for share in ANSWERS.values())


def test_a_known_capsule_stays_the_same_on_every_machine() -> None:
    """Frozen bytes of a committee that needs no run."""
    kems = tuple(XWingKey.from_seed(bytes([i]) * 32).public for i in range(1, 4))
    ctx = CommitteeContext(PQ, bytes(32), 2, PublicKey((), kems))
    capsule = Pq().encapsulate(ctx, b"label", Secret(bytes(range(32))))
    assert hashlib.sha256(capsule).hexdigest() == "0a463f734dbeb67a6c5df3b81342f59d64626ba8030642cf55ce10987c9dd80e"


def test_every_set_of_threshold_custodians_opens() -> None:
    for some in combinations(ANSWERS, 3):
        assert open_capsule(REQUEST, GENERATION, {i: ANSWERS[i] for i in some}).seed == SEED


@settings(max_examples=20)
@given(st.integers(0, ORDER - 1), st.sets(st.integers(1, 5), min_size=2, max_size=2))
def test_fewer_shares_fit_every_mask_there_is(candidate: int, few: set[int]) -> None:
    known = {i: Scalar.decode(ANSWERS[i][:32]) for i in few}
    third = next(i for i in range(1, 6) if i not in few)
    # A share for the third that makes the polynomial meet the candidate at zero exists, whatever the candidate.
    base = interpolate_scalars({**known, third: Scalar(0)})
    unit = interpolate_scalars({**dict.fromkeys(few, Scalar(0)), third: Scalar(1)})
    fitting = (Scalar(candidate) - base) * unit.invert()
    assert interpolate_scalars({**known, third: fitting}) == Scalar(candidate)


def test_a_custodian_opens_its_own_slot_and_no_other() -> None:
    for mine in HELD:
        for other in HELD:
            share = SCHEME.share(REQUEST, HELD[mine], other, bytes(32))
            assert (share == ANSWERS[other]) == (mine == other)
            assert share in (ANSWERS[other], NO_SHARE)


@pytest.mark.spec("PQ-3")
@pytest.mark.parametrize("index", [1, 3, 5])
@pytest.mark.parametrize(
    "make",
    [
        lambda i: forged(CTX, LABEL, i, Scalar(7)),
        lambda i: forged(CTX, LABEL, i, Scalar.decode(ANSWERS[i][:32]), b"\x01" * 32),
        lambda i: slot(CAPSULE, i % 5 + 1),
        lambda i: forged(CTX, LABEL, i, Scalar(7), key=XWingKey.from_seed(bytes(32)).public),
        lambda _: bytes(SLOT_SIZE),
        lambda i: flip(slot(CAPSULE, i), 0, 1),
        lambda i: flip(slot(CAPSULE, i), CIPHERTEXT_SIZE, 1),
        lambda i: flip(slot(CAPSULE, i), SLOT_SIZE - 1, 1),
        lambda i: forged(CTX, LABEL, i, b"\xff" * 32),
    ],
    ids=["share", "rho", "moved", "key", "zero", "ciphertext", "wrap", "com", "not reduced"],
)
def test_a_malformed_slot_is_refused_by_the_receiver_and_named_by_the_combiner(index: int, make: object) -> None:
    assert callable(make)
    capsule = with_slot(CAPSULE, index, make(index))
    SCHEME.verify(CTX, LABEL, capsule)
    assert SCHEME.encapsulate(CTX, LABEL, SEED) != capsule
    assert blamed(capsule).detail == f"slots {index}"


@pytest.mark.parametrize("wrong", [(1, 2), (2, 4), (4, 5)])
def test_two_malformed_slots_are_named(wrong: tuple[int, int]) -> None:
    capsule = CAPSULE
    for index in wrong:
        capsule = with_slot(capsule, index, forged(CTX, LABEL, index, Scalar(index)))
    assert blamed(capsule).detail == f"slots {wrong[0]}, {wrong[1]}"


def test_a_mask_that_hides_another_seed_is_named_without_a_slot() -> None:
    assert blamed(flip(CAPSULE, 0, 1)).detail == ""


def test_too_many_empty_slots_name_nobody_since_nobody_can_tell() -> None:
    capsule = CAPSULE
    for index in (1, 2, 4):
        capsule = with_slot(capsule, index, bytes(SLOT_SIZE))
    request = replace(REQUEST, capsule=capsule)
    with pytest.raises(RefusedError) as refused:
        open_capsule(request, GENERATION, answers(request))
    assert (refused.value.reason, refused.value.culprits) == (Reason.NOT_ENOUGH_SHARES, frozenset())
    assert "1, 2, 4" in refused.value.detail


@settings(max_examples=10)
@given(st.sets(st.integers(1, 5), min_size=1, max_size=2))
@example({1, 2})
def test_a_custodian_that_falsely_finds_nothing_is_named_when_the_others_open(liars: set[int]) -> None:
    opened = open_capsule(REQUEST, GENERATION, ANSWERS | dict.fromkeys(liars, NO_SHARE))
    assert (opened.seed, opened.culprits) == (SEED, frozenset(liars))


def test_bad_shares_whose_errors_cancel_out_are_named_all_the_same() -> None:
    # Over the first three points the weights are 3, -3, 1: the same error twice leaves the sum as it was.
    off = {i: (Scalar.decode(ANSWERS[i][:32]) + Scalar(1)).encode() + ANSWERS[i][32:] for i in (1, 2)}
    assert open_capsule(REQUEST, GENERATION, ANSWERS | off).culprits == {1, 2}


def test_the_seed_of_another_key_opens_nothing() -> None:
    assert SCHEME.share(REQUEST, moved(HELD[1]), 1, bytes(32)) == NO_SHARE


@pytest.mark.spec("PQ-2")
def test_one_poisoned_capsule_does_not_keep_a_custodian_from_answering() -> None:
    capsule = with_slot(CAPSULE, 1, bytes(SLOT_SIZE))
    assert SCHEME.share(replace(REQUEST, capsule=capsule), HELD[1], 1, bytes(32)) == NO_SHARE
    assert SCHEME.share(replace(REQUEST, capsule=capsule), HELD[2], 2, bytes(32)) == ANSWERS[2]
