"""TDH2: a capsule opens to its seed under its label and key, and every attack on it is refused."""

import hashlib
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.schemes import CommitteeContext, ShareRequest, scheme_of
from escrow.capsule.schemes.tdh2 import CAPSULE_SIZE, SHARE_SIZE, gamma
from escrow.committee.parts import PublicKey
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import ORDER, Scalar, hash_to_scalar
from escrow.crypto.sharing import Polynomial, interpolate_scalars
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.secret import Secret
from escrow.tags import T, Tag
from tests.core.capsule.vault import SCHEME, answers, asked, committee, flip, label, moved, seeds
from tests.core.committee.council import documents, settled
from tests.core.crypto.edwards import GENERATOR, TORSION, add, decode, encode, times

CTX, GENERATION, HELD = committee()
LABEL = label()
SEED = Secret(b"\x42" * 32)
CAPSULE = SCHEME.encapsulate(CTX, LABEL, SEED)
REQUEST = asked(CAPSULE, LABEL)
ANSWERS = answers(REQUEST)


def invalid(capsule: bytes, about: bytes = LABEL, ctx: CommitteeContext = CTX) -> None:
    with pytest.raises(RefusedError) as refused:
        SCHEME.verify(ctx, about, capsule)
    assert refused.value.reason is Reason.CAPSULE_INVALID


def bad_share(request: ShareRequest, index: int, share: bytes, owner: int | None = None) -> None:
    with pytest.raises(RefusedError) as refused:
        SCHEME.verify_share(request, GENERATION.verification_of(owner or index), index, share)
    assert refused.value.reason is Reason.SHARE_INVALID


@settings(max_examples=25)
@given(seeds, st.binary(max_size=400), st.permutations(range(1, 6)))
def test_any_threshold_of_shares_recovers_the_seed(seed: Secret, about: bytes, order: list[int]) -> None:
    capsule = SCHEME.encapsulate(CTX, about, seed)
    assert len(capsule) == CAPSULE_SIZE == 160
    SCHEME.verify(CTX, about, capsule)
    request = asked(capsule, about)
    some = {i: SCHEME.share(request, HELD[i], i, bytes(32)) for i in order[:3]}
    for i, share in some.items():
        assert len(share) == SHARE_SIZE
        SCHEME.verify_share(request, GENERATION.verification_of(i), i, share)
    assert SCHEME.recover(CTX, about, capsule, some) == seed


def test_the_same_seed_gives_the_same_capsule_and_no_other_input_does() -> None:
    other_ctx, *_ = committee(seed=1)
    again = SCHEME.encapsulate(CTX, LABEL, Secret(SEED.expose()))
    others = [
        SCHEME.encapsulate(CTX, label(8), SEED),
        SCHEME.encapsulate(other_ctx, LABEL, SEED),
        SCHEME.encapsulate(replace(CTX, suite=2), LABEL, SEED),
        SCHEME.encapsulate(CTX, LABEL, Secret(bytes(32))),
    ]
    assert again == CAPSULE
    # Another u each time: with one r under two labels, two equations in (r, s) would give r away.
    assert len({capsule[32:64] for capsule in (CAPSULE, *others)}) == 5


def test_a_known_capsule_stays_the_same_on_every_machine() -> None:
    """Frozen bytes of a committee that needs no run."""
    public = EDWARDS25519.base_mul(Scalar(123456789))
    ctx = CommitteeContext(1, bytes(32), 1, PublicKey((public, gamma(bytes(32), public)), ()))
    capsule = SCHEME.encapsulate(ctx, b"label", Secret(bytes(range(32))))
    assert hashlib.sha256(capsule).hexdigest() == "f22b3990b8292cc517f9293827c700a6bb87bc0ca39ec1af3e71d96c8c344b35"


def test_the_capsule_is_what_an_independent_computation_gives() -> None:
    """Over the slow affine group of the tests, from the formulas of the paper alone."""
    m = SEED.expose()
    ctx = T(Tag.CTX, b"\x00\x01", CTX.committee_key_hash, CTX.public.encode(), CTX.gamma.encode())
    r = hash_to_scalar(Tag.TDH2_R, ctx, LABEL, m).value
    s = hash_to_scalar(Tag.TDH2_S, ctx, LABEL, m).value
    bar, public = decode(CTX.gamma.encode()), decode(CTX.public.encode())
    u, u_bar, shared = (encode(times(r, point)) for point in (GENERATOR, bar, public))
    w, w_bar = (encode(times(s, point)) for point in (GENERATOR, bar))
    mask = hashlib.sha512(T(Tag.TDH2_KEM, ctx, LABEL, u, shared)).digest()
    c = bytes(a ^ b for a, b in zip(m, mask, strict=False))
    digest = hashlib.sha512(T(Tag.TDH2_E, ctx, LABEL, c, u, u_bar, w, w_bar)).digest()
    e = int.from_bytes(digest, "little") % ORDER
    f = (s + r * e) % ORDER
    assert c + u + u_bar + e.to_bytes(32, "little") + f.to_bytes(32, "little") == CAPSULE


@given(st.integers(0, 159), st.integers(1, 255))
def test_every_changed_byte_of_a_capsule_is_refused(at: int, by: int) -> None:
    invalid(flip(CAPSULE, at, by))


@given(st.integers(0, len(LABEL) - 1), st.integers(1, 255))
def test_a_capsule_verifies_under_no_other_label(at: int, by: int) -> None:
    invalid(CAPSULE, flip(LABEL, at, by))


def test_a_capsule_of_another_length_is_refused() -> None:
    for capsule in (b"", CAPSULE[:-1], CAPSULE + b"\x00"):
        invalid(capsule)


def test_parts_of_two_capsules_do_not_make_a_third() -> None:
    other = SCHEME.encapsulate(CTX, LABEL, Secret(bytes(32)))
    for cut in range(32, 160, 32):
        invalid(CAPSULE[:cut] + other[cut:])
    for picks in product((CAPSULE, other), repeat=5):
        capsule = b"".join(pick[at : at + 32] for pick, at in zip(picks, range(0, 160, 32), strict=True))
        if capsule not in (CAPSULE, other):
            invalid(capsule)


def test_a_capsule_belongs_to_one_committee_and_suite() -> None:
    other, *_ = committee(seed=1)
    changes = [
        other,
        replace(CTX, suite=2),
        replace(CTX, committee_key_hash=bytes(32)),
        replace(CTX, key=replace(CTX.key, points=(other.public, CTX.gamma))),
        replace(CTX, key=replace(CTX.key, points=(CTX.public, other.gamma))),
    ]
    for ctx in changes:
        invalid(CAPSULE, ctx=ctx)


def test_a_capsule_made_for_another_second_generator_is_refused() -> None:
    """Whoever knew log Ḡ could prove what he does not know; so Ḡ is derived, and this one is not it."""
    evil = replace(CTX, key=replace(CTX.key, points=(CTX.public, EDWARDS25519.base_mul(Scalar(5)))))
    invalid(SCHEME.encapsulate(evil, LABEL, SEED))


@pytest.mark.parametrize("torsion", TORSION[1:])
@pytest.mark.parametrize("at", [32, 64])
def test_a_torsioned_point_is_refused(torsion: tuple[int, int], at: int) -> None:
    twisted = encode(add(decode(CAPSULE[at : at + 32]), torsion))
    invalid(CAPSULE[:at] + twisted + CAPSULE[at + 32 :])


@pytest.mark.parametrize("at", [96, 128])
def test_scalars_that_are_not_reduced_are_refused(at: int) -> None:
    value = int.from_bytes(CAPSULE[at : at + 32], "little")
    for other in (value + ORDER, value | 1 << 255, ORDER, 2**256 - 1, 0):
        invalid(CAPSULE[:at] + other.to_bytes(32, "little") + CAPSULE[at + 32 :])


def test_a_custodian_is_no_oracle_for_what_does_not_verify() -> None:
    u = EDWARDS25519.base_mul(Scalar(99)).encode()
    forged = CAPSULE[:32] + u + CAPSULE[64:]
    with pytest.raises(RefusedError) as refused:
        SCHEME.share(asked(forged, LABEL), HELD[1], 1, bytes(32))
    assert refused.value.reason is Reason.CAPSULE_INVALID


def test_a_share_is_the_secret_times_u_and_says_so() -> None:
    u = EDWARDS25519.decode(CAPSULE[32:64])
    for i, share in ANSWERS.items():
        assert EDWARDS25519.decode(share[:32]) == Scalar.decode(HELD[i].expose()) * u


def test_a_share_proof_holds_for_one_request_capsule_label_generation_and_custodian() -> None:
    request, mine = REQUEST, ANSWERS
    other = SCHEME.encapsulate(CTX, label(8), SEED)
    changes = [
        replace(request, request_hash=bytes(32)),
        replace(request, generation_hash=bytes(32)),
        replace(request, label=label(8)),
        replace(request, capsule=other),
        replace(request, label=label(8), capsule=other),
        replace(request, ctx=replace(CTX, suite=2)),
        replace(request, ctx=committee(seed=1)[0]),
    ]
    for changed in changes:
        bad_share(changed, 1, mine[1])
    bad_share(request, 1, mine[2])
    bad_share(request, 2, mine[1], owner=1)
    bad_share(request, 1, mine[1], owner=2)
    bad_share(request, 1, mine[2][:32] + mine[1][32:])


@given(st.integers(0, SHARE_SIZE - 1), st.integers(1, 255))
def test_every_changed_byte_of_a_share_is_refused(at: int, by: int) -> None:
    bad_share(REQUEST, 1, flip(ANSWERS[1], at, by))


@pytest.mark.parametrize("share", [b"", bytes(96), bytes(95), b"\xff" * 96])
def test_noise_is_no_share(share: bytes) -> None:
    bad_share(REQUEST, 1, share)


def test_a_share_made_with_another_secret_is_refused() -> None:
    bad_share(REQUEST, 1, SCHEME.share(REQUEST, moved(HELD[1]), 1, bytes(32)))


def test_the_coins_hide_in_the_proof_and_nowhere_else() -> None:
    first, second = (SCHEME.share(REQUEST, HELD[1], 1, coins) for coins in (bytes(32), b"\x01" * 32))
    assert first[:32] == second[:32]
    assert first[32:] != second[32:]


@given(st.integers(0, ORDER - 1), st.integers(1, ORDER - 1), st.permutations(range(1, 6)))
def test_fewer_shares_than_the_threshold_fit_every_secret(candidate: int, slope: int, order: list[int]) -> None:
    real = Polynomial((Scalar(11), Scalar(slope), Scalar(7)))
    few = {i: real.evaluate(i) for i in order[:2]}
    # A third point of our choice makes any candidate the secret, and the two known shares do not object.
    third = order[2]
    weights = interpolate_scalars({**few, third: Scalar(0)})
    unit = interpolate_scalars({**dict.fromkeys(few, Scalar(0)), third: Scalar(1)})
    chosen = (Scalar(candidate) - weights) * unit.invert()
    assert interpolate_scalars({**few, third: chosen}) == Scalar(candidate)


def test_the_second_generator_follows_from_proposal_and_key() -> None:
    key, _ = documents(settled(5, 3))
    assert gamma(key.proposal_hash, EDWARDS25519.decode(key.public)).encode() == key.gamma
    assert gamma(bytes(32), EDWARDS25519.decode(key.public)).encode() != key.gamma
    assert gamma(key.proposal_hash, EDWARDS25519.base_mul(Scalar(2))).encode() != key.gamma


def test_there_is_no_scheme_for_other_suites() -> None:
    for suite in (0, 8, 65535):
        with pytest.raises(RefusedError) as refused:
            scheme_of(suite)
        assert refused.value.reason is Reason.SUITE_MISMATCH


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_noise_is_no_capsule(noise: bytes, about: bytes) -> None:
    with pytest.raises(EscrowError):
        SCHEME.verify(CTX, about, noise)
