"""Hybrid: its parts are those of the two schemes, and one bad part spoils the whole."""

import pytest

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes import scheme_of
from escrow.capsule.schemes.base import NO_SHARE
from escrow.capsule.schemes.hybrid import Hybrid
from escrow.capsule.schemes.pq import SLOT_SIZE, Pq
from escrow.capsule.schemes.tdh2 import CAPSULE_SIZE, SHARE_SIZE, Tdh2
from escrow.crypto.suites import HYBRID_EDWARDS25519, HYBRID_RISTRETTO255
from escrow.errors import DeviationError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.core.capsule.slots import with_slot
from tests.core.capsule.vault import answers, asked, committee, flip, label

every = pytest.mark.parametrize("suite", [HYBRID_EDWARDS25519, HYBRID_RISTRETTO255])
SEEDS = Secret(b"a" * 32 + b"c" * 32)


def sealed(suite: int) -> bytes:
    return scheme_of(suite).encapsulate(committee(suite=suite)[0], label(suite=suite), SEEDS)


@every
def test_a_capsule_is_one_of_each_scheme_side_by_side(suite: int) -> None:
    ctx, about, capsule = committee(suite=suite)[0], label(suite=suite), sealed(suite)
    assert capsule[:CAPSULE_SIZE] == Tdh2().encapsulate(ctx, about, Secret(b"a" * 32))
    assert capsule[CAPSULE_SIZE:] == Pq().encapsulate(ctx, about, Secret(b"c" * 32))
    assert len(capsule) == 160 + 32 + 1232 * 5


@every
@pytest.mark.parametrize("size", [0, 32, 63, 65, 96])
def test_a_seed_of_another_size_is_none(suite: int, size: int) -> None:
    with pytest.raises(MalformedError):
        Hybrid().encapsulate(committee(suite=suite)[0], label(suite=suite), Secret(bytes(size)))


@pytest.mark.spec("PQ-6")
@every
def test_a_part_under_another_label_is_refused(suite: int) -> None:
    ctx, about, capsule = committee(suite=suite)[0], label(suite=suite), sealed(suite)
    other = Hybrid().encapsulate(ctx, label(8, suite), SEEDS)
    for wrong in (other[:CAPSULE_SIZE] + capsule[CAPSULE_SIZE:], capsule[:-1], capsule + b"\0", capsule[:CAPSULE_SIZE]):
        with pytest.raises(RefusedError) as refused:
            Hybrid().verify(ctx, about, wrong)
        assert refused.value.reason is Reason.CAPSULE_INVALID
    # What is not public, no custodian opens and nobody but the sender is named for.
    spliced = asked(capsule[:CAPSULE_SIZE] + other[CAPSULE_SIZE:], about, suite=suite)
    assert set(answers(spliced).values()) == {NO_SHARE}
    with pytest.raises(RefusedError) as refused:
        open_capsule(spliced, committee(suite=suite)[1], answers(spliced))
    assert (refused.value.reason, refused.value.culprits) == (Reason.NOT_ENOUGH_SHARES, frozenset())


@every
def test_a_wrong_slot_is_named(suite: int) -> None:
    capsule = sealed(suite)
    request = asked(capsule[:160] + with_slot(capsule[160:], 3, bytes(SLOT_SIZE)), label(suite=suite), suite=suite)
    with pytest.raises(DeviationError) as deviated:
        open_capsule(request, committee(suite=suite)[1], answers(request))
    assert (deviated.value.reason, deviated.value.detail) == (Reason.CAPSULE_MALFORMED, "slots 3")


@every
@pytest.mark.parametrize("at", [0, SHARE_SIZE - 1, SHARE_SIZE, SHARE_SIZE + 63])
def test_a_share_with_one_bad_part_is_named(suite: int, at: int) -> None:
    request = asked(sealed(suite), label(suite=suite), suite=suite)
    good = answers(request)
    opened = open_capsule(request, committee(suite=suite)[1], good | {5: flip(good[5], at, 1)})
    assert (opened.seed, opened.culprits) == (SEEDS, frozenset({5}))


@every
def test_a_share_of_half_the_custodians_secret_is_none(suite: int) -> None:
    request, held = asked(sealed(suite), label(suite=suite), suite=suite), committee(suite=suite)[2]
    other_kem = Secret(held[1].expose()[:32] + held[2].expose()[32:])
    assert Hybrid().share(request, other_kem, 1, bytes(32)) == NO_SHARE
    other_x = Secret(held[2].expose()[:32] + held[1].expose()[32:])
    with pytest.raises(RefusedError):
        Hybrid().verify_share(
            request, committee(suite=suite)[1].verification_of(1), 1, Hybrid().share(request, other_x, 1, bytes(32))
        )
