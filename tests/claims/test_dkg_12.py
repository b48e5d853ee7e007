"""DKG-12: no point outside the subgroup, and no scalar outside its range, gets past a parser."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.cocktail import Commitment, Context, verify_commitment
from escrow.crypto import sign
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import ORDER, SIZE, Point, Scalar
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import SCHEME, capsule, label, numbers, request, seeds, share
from tests.core.crypto.draws import nonzero, points
from tests.core.crypto.edwards import NOT_CANONICAL, TORSION, add, decode, encode

pytestmark = pytest.mark.claim("DKG-12")


@effort(2)
@given(points, st.sampled_from(TORSION), st.sampled_from((*NOT_CANONICAL, *map(encode, TORSION))))
def test_only_the_subgroup_decodes(census: Census, point: Point, torsion: tuple[int, int], odd: bytes) -> None:
    assert EDWARDS25519.decode(point.encode()) == point
    census("accepted")
    mixed = encode(add(decode(point.encode()), torsion))
    bad = {odd} | ({mixed} - {point.encode()})
    for each in bad:
        for read in (EDWARDS25519.decode, lambda data: EDWARDS25519.decode_times(data, Scalar(5)), sign.check_public):
            with pytest.raises(MalformedError):
                read(each)
            census("refused")


@given(nonzero, st.integers(0, 14))
def test_a_scalar_has_one_encoding(census: Census, scalar: Scalar, times: int) -> None:
    assert Scalar.decode(scalar.encode()) == scalar
    shifted = scalar.value + (times + 1) * ORDER
    with pytest.raises(MalformedError):
        Scalar.decode(shifted.to_bytes(SIZE, "little"))
    census("refused")


@effort(0.3)
@given(numbers, seeds, st.sampled_from(TORSION[1:]))
def test_torsion_in_a_capsule_a_share_or_a_dealing_is_refused(
    census: Census, number: int, seed: bytes, torsion: tuple[int, int]
) -> None:
    held = committee()
    made = capsule(held, number, seed)
    asked = request(held, number, made)
    answer = share(asked, held.shares[1], 1)
    for place in (1, 2):
        with pytest.raises(RefusedError) as refused:
            SCHEME.verify(held.ctx, label(held, number), with_torsion(made, place, torsion))
        assert refused.value.reason is Reason.CAPSULE_INVALID
    with pytest.raises(RefusedError):
        SCHEME.verify_share(asked, held.generation.verification_of(1), 1, with_torsion(answer, 0, torsion))
    dealt = Commitment((with_torsion(made[SIZE : 2 * SIZE], 0, torsion),), bytes(64), made[SIZE : 2 * SIZE])
    with pytest.raises(EscrowError):
        verify_commitment(Context(EDWARDS25519, bytes(64)), dealt)
    census("refused")


def with_torsion(data: bytes, place: int, torsion: tuple[int, int]) -> bytes:
    start, end = place * SIZE, (place + 1) * SIZE
    return data[:start] + encode(add(decode(data[start:end]), torsion)) + data[end:]
