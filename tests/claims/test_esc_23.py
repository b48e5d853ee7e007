"""ESC-23: the two groups give one verdict on every capsule and share; neither takes what the other has made."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.schemes import CommitteeContext, scheme_of
from escrow.crypto.group import ORDER, SIZE, Scalar
from escrow.crypto.suites import SUITES, TDH2_EDWARDS25519, TDH2_RISTRETTO255, group_of
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds
from tests.core.capsule.vault import asked, committee, flip, label

pytestmark = pytest.mark.claim("ESC-23")

BACKENDS = TDH2_EDWARDS25519, TDH2_RISTRETTO255


def verdict(ctx: CommitteeContext, about: bytes, capsule: bytes) -> str:
    try:
        scheme_of(ctx.suite).verify(ctx, about, capsule)
    except EscrowError as error:
        return error.reason.name
    return "accepted"


def share_verdict(suite: int, capsule: bytes, index: int, owner: int, at: int | None) -> str:
    _, generation, held = committee(suite=suite)
    request, scheme = asked(capsule, label(suite=suite), suite=suite), scheme_of(suite)
    share = scheme.share(request, held[index], index, bytes(32))
    try:
        scheme.verify_share(
            request, generation.verification_of(owner), owner, share if at is None else flip(share, at, 1)
        )
    except EscrowError as error:
        return error.reason.name
    return "accepted"


def changed(capsule: bytes, how: int, at: int) -> bytes:
    """The same change for both: a bit, a field, a second spelling, a length."""
    field = at % 5 * SIZE
    old = capsule[field : field + SIZE]
    fields = (
        old,
        bytes(SIZE),
        b"\xff" * SIZE,
        capsule[:SIZE],
        (1).to_bytes(SIZE, "little"),
        old[:-1] + bytes([old[-1] ^ 0x80]),
        ((int.from_bytes(old, "little") + ORDER) % 2**256).to_bytes(SIZE, "little"),
    )
    if how < len(fields):
        return capsule[:field] + fields[how] + capsule[field + SIZE :]
    return flip(capsule, at % len(capsule), 1) if how == len(fields) else capsule[: at % 160]


@given(seeds, st.integers(0, 8), st.integers(0, 10_000))
def test_both_groups_give_one_verdict_on_a_capsule(census: Census, seed: bytes, how: int, at: int) -> None:
    verdicts = set()
    for suite in BACKENDS:
        ctx, about = committee(suite=suite)[0], label(suite=suite)
        made = scheme_of(suite).encapsulate(ctx, about, Secret(seed))
        capsule = changed(made, how, at)
        verdicts.add((verdict(ctx, about, capsule), capsule == made))
    ((said, untouched),) = verdicts
    assert said == ("accepted" if untouched else Reason.CAPSULE_INVALID.name)
    census("accepted" if untouched else "refused")


@effort(0.3)
@given(seeds, st.integers(1, 5), st.integers(0, 1), st.none() | st.integers(0, 95))
def test_both_groups_give_one_verdict_on_a_share(
    census: Census, seed: bytes, index: int, further: int, at: int | None
) -> None:
    verdicts, owner = set(), (index - 1 + further) % 5 + 1
    for suite in BACKENDS:
        ctx, about = committee(suite=suite)[0], label(suite=suite)
        capsule = scheme_of(suite).encapsulate(ctx, about, Secret(seed))
        verdicts.add(share_verdict(suite, capsule, index, owner, at))
    (said,) = verdicts
    assert said == ("accepted" if at is None and index == owner else Reason.SHARE_INVALID.name)
    census("share accepted" if said == "accepted" else "share refused")


@effort(0.3)
@given(seeds, st.sampled_from([(a, b) for a in SUITES.values() for b in SUITES.values() if a != b]))
def test_no_suite_takes_what_another_has_made(census: Census, seed: bytes, two: tuple[int, int]) -> None:
    mine, theirs = two
    ctx, other = committee(suite=mine)[0], committee(suite=theirs)[0]
    for about in (label(suite=mine), label(suite=theirs)):
        scheme = scheme_of(theirs)
        capsule = scheme.encapsulate(other, about, Secret((seed * 2)[: scheme.seed_size]))
        for asking in (ctx, replace(ctx, committee_key_hash=other.committee_key_hash)):
            with pytest.raises(RefusedError) as refused:
                scheme_of(mine).verify(asking, about, capsule)
            assert refused.value.reason is Reason.CAPSULE_INVALID
        census("refused")


NO_POINTS = bytes(SIZE), b"\xff" * SIZE, (1).to_bytes(SIZE, "little"), (2**255 - 19).to_bytes(SIZE, "little")
"""Zero, no number below the field's, one (identity here, negative there), the field's size."""


@pytest.mark.parametrize("data", NO_POINTS, ids=bytes.hex)
def test_both_groups_read_no_point_where_there_is_none(census: Census, data: bytes) -> None:
    for suite in BACKENDS:
        with pytest.raises(MalformedError):
            group_of(suite).decode(data)
        census("refused")
        made = group_of(suite).base_mul(Scalar(7))
        assert group_of(suite).decode(made.encode()) == made
        census("accepted")
