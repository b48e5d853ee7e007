"""Opening: any threshold of good shares suffices, and every bad one is attributed to who sent it."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes.tdh2 import SHARE_SIZE
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar, hash_to_scalar
from escrow.errors import DeviationError, EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import Tag
from tests.core.capsule.vault import SCHEME, answers, asked, committee, flip, label, moved

CTX, GENERATION, HELD = committee()
LABEL, SEED = label(), Secret(b"\x42" * 32)
CAPSULE = SCHEME.encapsulate(CTX, LABEL, SEED)
REQUEST = asked(CAPSULE, LABEL)
GOOD = answers(REQUEST)
STALE = answers(replace(REQUEST, request_hash=bytes(32)))


def test_every_threshold_of_shares_opens_and_says_which_were_used() -> None:
    for some in combinations(GOOD, 3):
        opened = open_capsule(REQUEST, GENERATION, {i: GOOD[i] for i in some})
        assert (opened.seed, opened.used, opened.culprits) == (SEED, some, frozenset())


def test_fewer_than_the_threshold_open_nothing() -> None:
    for size in range(3):
        for some in combinations(GOOD, size):
            with pytest.raises(RefusedError) as refused:
                open_capsule(REQUEST, GENERATION, {i: GOOD[i] for i in some})
            assert refused.value.reason is Reason.NOT_ENOUGH_SHARES
            assert not refused.value.culprits


garbage = st.one_of(
    st.binary(max_size=120),
    st.binary(min_size=SHARE_SIZE, max_size=SHARE_SIZE),
    st.builds(lambda i, at, by: flip(GOOD[i], at, by), st.integers(1, 5), st.integers(0, 95), st.integers(1, 255)),
    st.integers(1, 5).map(lambda i: SCHEME.share(REQUEST, moved(HELD[i]), i, bytes(32))),
)


@settings(max_examples=60)
@given(st.sets(st.integers(1, 5), max_size=2), st.lists(garbage, min_size=2, max_size=2))
def test_garbage_from_some_is_attributed_and_the_others_open(bad: set[int], junk: list[bytes]) -> None:
    sent = GOOD | dict(zip(sorted(bad), junk, strict=False))
    opened = open_capsule(REQUEST, GENERATION, sent)
    assert opened.seed == SEED
    wrong_parts = {i for i in bad if sent[i] != GOOD[i] and sent[i][:32] != GOOD[i][:32]}
    # A right part with a wrong proof opens the capsule; it is named where proofs are looked at.
    assert wrong_parts <= opened.culprits <= {i for i in bad if sent[i] != GOOD[i]}
    assert not set(opened.used) & wrong_parts


def test_without_enough_good_shares_the_bad_ones_are_named() -> None:
    sent = {1: GOOD[1], 2: STALE[1], 4: b"", 5: GOOD[5]}
    with pytest.raises(RefusedError) as refused:
        open_capsule(REQUEST, GENERATION, sent)
    assert refused.value.reason is Reason.NOT_ENOUGH_SHARES
    assert refused.value.culprits == {"custodian/2", "custodian/4"}


@pytest.mark.parametrize("place", [1, 5])
def test_bad_shares_are_named_whether_they_were_tried_first_or_not(place: int) -> None:
    sent = GOOD | {place: GOOD[2]}
    assert open_capsule(REQUEST, GENERATION, sent).culprits == {place}


@pytest.mark.parametrize("index", [0, 6, -1, 2**32 + 1])
def test_a_share_of_nobody_is_refused(index: int) -> None:
    with pytest.raises(MalformedError):
        open_capsule(REQUEST, GENERATION, GOOD | {index: GOOD[1]})


def test_shares_of_another_generation_are_not_combined() -> None:
    _, other, _ = committee(seed=1)
    with pytest.raises(RefusedError) as refused:
        open_capsule(REQUEST, other, GOOD)
    assert refused.value.reason is Reason.GENERATION_MISMATCH
    # Shares of another distribution, under the right name, are garbage.
    strange = {i: SCHEME.share(REQUEST, x, i, bytes(32)) for i, x in committee(seed=1)[2].items()}
    with pytest.raises(RefusedError) as refused:
        open_capsule(REQUEST, GENERATION, strange)
    assert refused.value.reason is Reason.NOT_ENOUGH_SHARES
    assert len(refused.value.culprits) == 5


def test_an_invalid_capsule_blames_no_custodian() -> None:
    request = replace(REQUEST, capsule=flip(CAPSULE, 0, 1))
    with pytest.raises(RefusedError) as refused:
        open_capsule(request, GENERATION, GOOD)
    assert refused.value.reason is Reason.CAPSULE_INVALID


def dishonest_capsule() -> bytes:
    """Valid to everybody who has no secret, with coins that are not those of its seed."""
    r, s, bound = Scalar(1234), Scalar(5678), CTX.encode()
    u, u_bar, c = EDWARDS25519.base_mul(r).encode(), (r * CTX.gamma).encode(), bytes(32)
    e = hash_to_scalar(
        Tag.TDH2_E, bound, LABEL, c, u, u_bar, EDWARDS25519.base_mul(s).encode(), (s * CTX.gamma).encode()
    )
    return c + u + u_bar + e.encode() + (s + r * e).encode()


def test_a_capsule_with_dishonest_coins_blames_its_sender() -> None:
    capsule = dishonest_capsule()
    SCHEME.verify(CTX, LABEL, capsule)
    request = asked(capsule, LABEL)
    with pytest.raises(DeviationError) as deviated:
        open_capsule(request, GENERATION, answers(request))
    assert deviated.value.reason is Reason.CAPSULE_MALFORMED
    assert deviated.value.culprits == {"sender"}


def test_nothing_that_fails_shows_a_secret() -> None:
    calls: list[Callable[[], object]] = [
        lambda: open_capsule(REQUEST, GENERATION, {}),
        lambda: open_capsule(replace(REQUEST, capsule=b""), GENERATION, GOOD),
    ]
    for call in calls:
        with pytest.raises(EscrowError) as failed:
            call()
        assert repr(SEED.expose())[2:-1] not in str(failed.value)
