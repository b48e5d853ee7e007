"""What is special about IBE: whose key opens what, what the proof shows, and that a share needs none."""

import hashlib
from dataclasses import replace
from itertools import combinations
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.combine import open_another, open_capsule
from escrow.capsule.label import Label
from escrow.capsule.schemes import scheme_of
from escrow.capsule.schemes.ibe import CAPSULE_SIZE, SHARE_SIZE, Ibe, identity
from escrow.crypto.bls12381 import G1, G2, ORDER, BlsScalar, pair_alike
from escrow.crypto.suites import IBE, IBE_CONVERSATION
from escrow.errors import DeviationError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.core.capsule.forging import spoilt_capsule
from tests.core.capsule.vault import answers, asked, committee, flip, hashes, label

CTX, GENERATION, HELD = committee(suite=IBE)
LABEL, SEED = label(suite=IBE), Secret(b"\x42" * 32)
CAPSULE = Ibe().encapsulate(CTX, LABEL, SEED)
REQUEST = asked(CAPSULE, LABEL, suite=IBE)
GOOD = answers(REQUEST)


def told(data: bytes = LABEL, **changes: Any) -> bytes:
    return msgspec.structs.replace(Label.decode(data), **changes).encode()


def refused(capsule: bytes, about: bytes = LABEL) -> None:
    with pytest.raises(RefusedError) as caught:
        Ibe().verify(CTX, about, capsule)
    assert caught.value.reason is Reason.CAPSULE_INVALID


def test_a_capsule_and_a_share_have_their_lengths() -> None:
    assert len(CAPSULE) == CAPSULE_SIZE == 192
    assert {len(share) for share in GOOD.values()} == {SHARE_SIZE} == {48}


def test_a_known_capsule_stays_the_same_on_every_machine() -> None:
    """Frozen bytes: whoever has the seed has to come to these."""
    assert hashlib.sha256(CAPSULE).hexdigest() == KNOWN


# -- identities -----------------------------------------------------------------------------------------------------

OF_THE_IDENTITY = {
    "policy_hash": b"p" * 32,
    "committee_key_hash": b"k" * 32,
    "sender_account": b"a" * 32,
    "epoch": 8,
}
OF_THE_MESSAGE = {
    "roster_version": 9,
    "roster_root": b"r" * 32,
    "sender_device": 2,
    "chain_id": b"c" * 16,
    "chain_no": 3,
    "n_max": 7,
}


@pytest.mark.spec("IBE-1")
@pytest.mark.parametrize("suite", [IBE, IBE_CONVERSATION])
def test_a_unit_is_a_policy_committee_account_and_epoch_and_the_conversation_where_the_suite_says_so(
    suite: int,
) -> None:
    scheme, own = scheme_of(suite), told(suite=suite)
    unit = scheme.unit(own, CAPSULE)
    for field, value in OF_THE_IDENTITY.items():
        assert scheme.unit(told(own, **{field: value}), CAPSULE) != unit
    for field, value in OF_THE_MESSAGE.items():
        assert scheme.unit(told(own, **{field: value}), CAPSULE) == unit
    assert (scheme.unit(told(own, conv_tag=b"t" * 32), CAPSULE) == unit) is (suite == IBE)
    assert scheme.unit(own, b"another capsule") == unit


@pytest.mark.spec("IBE-1")
@given(hashes, st.integers(0, 2**64 - 1), hashes, st.integers(0, 2**64 - 1))
def test_no_two_accounts_and_epochs_have_one_identity(one: bytes, day: int, other: bytes, later: int) -> None:
    """As ("a", 11) and ("a1", 1) would where they are written one behind the other."""
    of = [Label.decode(told(sender_account=who, epoch=when)) for who, when in ((one, day), (other, later))]
    first, second = (identity(each, IBE, bytes(32)) for each in of)
    assert (first == second) is ((one, day) == (other, later))


def test_one_key_opens_every_capsule_of_its_identity_and_no_other() -> None:
    key = open_capsule(REQUEST, GENERATION, GOOD).key
    assert pair_alike(G1.decode(key.expose()), G2.base, G1.hash(*_hashed(LABEL)), CTX.public)
    for number in range(3):
        about, seed = told(chain_no=number, conv_tag=bytes([number]) * 32), Secret(bytes([number]) * 32)
        assert open_another(CTX, about, Ibe().encapsulate(CTX, about, seed), key) == seed
    for other in (told(epoch=8), told(sender_account=b"b" * 32)):
        with pytest.raises(DeviationError) as caught:
            open_another(CTX, other, Ibe().encapsulate(CTX, other, SEED), key)
        assert caught.value.reason is Reason.CAPSULE_MALFORMED


def _hashed(about: bytes) -> tuple[bytes, bytes]:
    return identity(Label.decode(about), IBE, CTX.committee_key_hash), b"ESCROW-V1-IBE_BLS12381G1_XMD:SHA-256_SSWU_RO_"


def test_an_identity_key_is_no_signature_in_the_domain_of_signatures() -> None:
    key, (named, _) = open_capsule(REQUEST, GENERATION, GOOD).key, _hashed(LABEL)
    signed = G1.hash(named, b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_")
    assert not pair_alike(G1.decode(key.expose()), G2.base, signed, CTX.public)


@pytest.mark.spec("IBE-7")
def test_another_capsule_of_the_unit_that_holds_no_seed_blames_its_sender() -> None:
    key, about = open_capsule(REQUEST, GENERATION, GOOD).key, told(chain_no=5)
    bad = spoilt_capsule(CTX, about)
    Ibe().verify(CTX, about, bad)
    with pytest.raises(DeviationError) as caught:
        open_another(CTX, about, bad, key)
    assert caught.value.reason is Reason.CAPSULE_MALFORMED
    assert caught.value.culprits == {"sender"}
    with pytest.raises(RefusedError, match="CAPSULE_INVALID"):
        open_another(CTX, about, flip(bad, 100, 1), key)


# -- the proof ------------------------------------------------------------------------------------------------------

BAD_U = {
    "the identity": b"\xc0" + bytes(95),
    "its other spelling": b"\xe0" + bytes(95),
    "zero": bytes(96),
    "noise": b"\x9a" + b"\xff" * 95,
}


@pytest.mark.spec("IBE-2")
@pytest.mark.parametrize("what", BAD_U)
def test_a_u_that_is_no_element_is_refused(what: str) -> None:
    """With the identity for U the mask would be the same for everybody, whoever's identity it is."""
    refused(BAD_U[what] + CAPSULE[96:])


@pytest.mark.spec("IBE-2")
@settings(max_examples=20)
@given(st.integers(0, CAPSULE_SIZE - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_by_everybody(at: int, by: int) -> None:
    refused(flip(CAPSULE, at, by))


@pytest.mark.spec("IBE-2")
@pytest.mark.parametrize("place", [128, 160])
def test_no_scalar_of_the_proof_has_a_second_spelling(place: int) -> None:
    value = int.from_bytes(CAPSULE[place : place + 32], "little") + ORDER
    for wrong in (value, ORDER, 2**256 - 1):
        if wrong < 2**256:
            refused(CAPSULE[:place] + wrong.to_bytes(32, "little") + CAPSULE[place + 32 :])


@pytest.mark.spec("IBE-2")
def test_parts_of_two_capsules_and_another_label_are_refused() -> None:
    other = Ibe().encapsulate(CTX, LABEL, Secret(bytes(32)))
    for cut in (96, 128, 160):
        refused(CAPSULE[:cut] + other[cut:])
    for change in ({"chain_no": 1}, {"conv_tag": b"t" * 32}, {"epoch": 8}):
        refused(CAPSULE, told(**change))
    refused(CAPSULE, b"no label")


@pytest.mark.spec("IBE-3")
@settings(max_examples=10)
@given(hashes, st.integers(0, 100), st.integers(101, 200))
def test_two_capsules_of_one_seed_do_not_add_up_to_its_coins(seed: bytes, one: int, other: int) -> None:
    made = [Ibe().encapsulate(CTX, told(chain_no=number), Secret(seed)) for number in (one, other)]
    (u1, c1, z1), (u2, c2, z2) = (
        (each[:96], BlsScalar.decode(each[128:160]), BlsScalar.decode(each[160:])) for each in made
    )
    r = (z1 - z2) * (c1 - c2).invert()
    assert u1 != u2
    assert G2.base_mul(r).encode() not in (u1, u2)


# -- shares ---------------------------------------------------------------------------------------------------------


def test_every_set_of_threshold_shares_opens_and_fewer_do_not() -> None:
    for some in combinations(GOOD, 3):
        assert open_capsule(REQUEST, GENERATION, {i: GOOD[i] for i in some}).seed == SEED
    for few in combinations(GOOD, 2):
        assert Ibe().recover(CTX, LABEL, CAPSULE, {i: GOOD[i] for i in few}) != SEED


def test_a_share_is_of_the_identity_and_of_no_capsule() -> None:
    about = told(chain_no=77)
    elsewhere = replace(REQUEST, label=about, capsule=Ibe().encapsulate(CTX, about, Secret(bytes(32))))
    assert answers(elsewhere) == GOOD
    later = replace(REQUEST, label=told(epoch=8))
    assert not set(answers(later).values()) & set(GOOD.values())
    with pytest.raises(RefusedError, match="SHARE_INVALID"):
        Ibe().verify_share(later, GENERATION.verification_of(1), 1, GOOD[1])


@pytest.mark.parametrize("bad", [b"\xc0" + bytes(47), b"\xe0" + bytes(47), bytes(48), b"\xff" * 48, b""])
def test_what_is_no_element_is_no_share_and_no_key(bad: bytes) -> None:
    with pytest.raises(RefusedError, match="SHARE_INVALID"):
        Ibe().verify_share(REQUEST, GENERATION.verification_of(1), 1, bad)
    with pytest.raises(MalformedError):
        Ibe().open(CTX, LABEL, CAPSULE, Secret(bad))
    assert open_capsule(REQUEST, GENERATION, GOOD | {1: bad}).culprits == {1}


def test_a_capsule_with_dishonest_coins_blames_its_sender() -> None:
    bad = spoilt_capsule(CTX, LABEL)
    request = replace(REQUEST, capsule=bad)
    with pytest.raises(DeviationError) as caught:
        open_capsule(request, GENERATION, answers(request))
    assert caught.value.reason is Reason.CAPSULE_MALFORMED
    assert caught.value.culprits == {"sender"}


def test_a_label_that_is_none_is_nobodys() -> None:
    for about in (b"", b"label", LABEL[:-1]):
        with pytest.raises(MalformedError):
            Ibe().encapsulate(CTX, about, SEED)
        with pytest.raises(MalformedError):
            Ibe().unit(about, CAPSULE)


KNOWN = "4e3301fb6f3983827d26b47c168c0502e652bb149952bfdfbc67d2dd076d6e64"
