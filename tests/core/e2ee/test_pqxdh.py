import hashlib

import pytest
from msgspec.structs import replace

from escrow.crypto.kem import MlKemKey, SeededKem
from escrow.e2ee.bundle import Bundle, Prekey, StaticBundle, VerifiedBundle, make_prekeys
from escrow.e2ee.keys import Purpose
from escrow.e2ee.pqxdh import Initial, SessionSecret, Used, initiate, respond
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from tests.core.e2ee.people import ESCROWED, KEM, NOW, PLAIN, SUPPORTED, coins, person

ALICE, BOB = person("alice"), person("bob")


def begin(
    bundle: VerifiedBundle | None = None, choice: tuple[int, bytes] = ESCROWED, seed: object = 0
) -> tuple[bytes, SessionSecret]:
    return initiate(ALICE.keys, bundle or BOB.verified(), *choice, KEM, coins("initiate", seed), NOW)


def answer(initial: bytes) -> tuple[SessionSecret, Used]:
    return respond(BOB.keys, BOB.secrets.find, initial)


def refusal(initial: bytes) -> Reason:
    with pytest.raises(EscrowError) as caught:
        answer(initial)
    return caught.value.reason


def agree(mine: SessionSecret, initial: bytes) -> bool:
    return mine.root == answer(initial)[0].root


@pytest.mark.parametrize("choice", SUPPORTED)
@pytest.mark.parametrize("ec", [True, False])
@pytest.mark.parametrize("kem", [True, False])
def test_both_sides_share_a_secret(choice: tuple[int, bytes], ec: bool, kem: bool) -> None:
    initial, mine = begin(BOB.verified(ec=ec, kem=kem), choice)
    theirs, _ = answer(initial)
    assert mine.root == theirs.root
    assert mine.ad == theirs.ad
    assert (mine.peer, theirs.peer) == (BOB.identity, ALICE.identity)
    assert (mine.mode, mine.lineage) == (theirs.mode, theirs.lineage) == choice
    assert Initial.decode(initial).encode() == initial


def test_the_used_one_time_keys_are_named_and_only_those() -> None:
    both = (False, True)
    used = {(ec, kem): answer(begin(BOB.verified(ec=ec, kem=kem))[0])[1] for ec in both for kem in both}
    assert used[False, False] == ()
    assert used[True, False] == ((Purpose.ONE_TIME_PREKEY, 1),)
    assert used[False, True] == ((Purpose.KEM_ONE_TIME, 1),)
    assert used[True, True] == ((Purpose.ONE_TIME_PREKEY, 1), (Purpose.KEM_ONE_TIME, 1))


def test_two_agreements_share_nothing() -> None:
    (_, first), (_, second) = begin(seed=1), begin(seed=2)
    assert first.root != second.root
    assert first.ad != second.ad


def test_every_flipped_byte_of_the_initial_message_gives_no_session() -> None:
    initial, mine = begin()
    for place in range(len(initial)):
        mutated = initial[:place] + bytes([initial[place] ^ 1 << place % 8]) + initial[place + 1 :]
        try:
            theirs, _ = answer(mutated)
        except (MalformedError, RefusedError):
            continue
        assert theirs.root != mine.root
        assert theirs.ad != mine.ad


@pytest.mark.parametrize("bad", [b"", b"\x00" * 100])
def test_what_is_no_initial_message_is_malformed(bad: bytes) -> None:
    assert refusal(bad) is Reason.MALFORMED
    initial, _ = begin()
    assert refusal(initial + bad[:1] + b"\x00") is Reason.MALFORMED


def test_a_replay_after_erasure_names_unknown_prekeys() -> None:
    initial, _ = begin()
    _, used = answer(initial)
    rest = BOB.secrets.without(used)
    with pytest.raises(RefusedError) as caught:
        respond(BOB.keys, rest.find, initial)
    assert caught.value.reason is Reason.PREKEY_UNKNOWN


def test_a_changed_choice_gives_no_session() -> None:
    initial, mine = begin()
    downgraded = replace(Initial.decode(initial), mode=PLAIN[0], lineage=PLAIN[1])
    assert not agree(mine, downgraded.encode())
    assert refusal(replace(downgraded, lineage=ESCROWED[1]).encode()) is Reason.MODE_MISMATCH
    assert refusal(replace(downgraded, mode=1).encode()) is Reason.MODE_MISMATCH


def test_a_choice_that_is_not_on_offer_is_refused_on_both_sides() -> None:
    with pytest.raises(RefusedError) as caught:
        begin(choice=(1, bytes(32)))
    assert caught.value.reason is Reason.MODE_MISMATCH
    widened = replace(BOB.verified(), supported=(*SUPPORTED, (2, bytes(32))))
    assert refusal(begin(widened, (2, bytes(32)))[0]) is Reason.MODE_MISMATCH


def test_a_changed_offer_or_bundle_hash_gives_no_session() -> None:
    for changed in (
        replace(BOB.verified(), supported=(ESCROWED,)),
        replace(BOB.verified(), bundle_hash=bytes(32)),
        replace(BOB.verified(), bundle_hash=BOB.verified(ec=False).bundle_hash),
        replace(BOB.verified(), identity=replace(BOB.identity, account=ALICE.account)),
        replace(BOB.verified(), identity=replace(BOB.identity, signing=ALICE.identity.signing)),
    ):
        initial, mine = begin(changed)
        assert not agree(mine, initial)


def test_a_stripped_one_time_key_gives_no_session() -> None:
    initial, mine = begin()
    assert not agree(mine, replace(Initial.decode(initial), one_time=None).encode())


def test_a_secret_encapsulated_again_under_another_kem_key_gives_no_session() -> None:
    """The re-encapsulation attack: one KEM key is known to the attacker, who moves the secret to another."""
    last_resort = BOB.verified(kem=False).kem
    initial, mine = begin(BOB.verified())
    ciphertext, _ = KEM.encapsulate(last_resort.public)
    moved = replace(
        Initial.decode(initial), kem_purpose=Purpose.KEM_LAST_RESORT, kem=last_resort.number, ciphertext=ciphertext
    )
    assert not agree(mine, moved.encode())


def test_another_identity_in_the_initial_message_gives_no_session() -> None:
    initial, mine = begin()
    mallory = person("mallory").identity
    for posing in (mallory, replace(ALICE.identity, account=mallory.account), replace(ALICE.identity, device=2)):
        assert not agree(mine, replace(Initial.decode(initial), sender=posing).encode())


def test_an_ec_key_is_not_taken_for_a_kem_key() -> None:
    initial = Initial.decode(begin()[0])
    for purpose in (Purpose.IDENTITY_DH, Purpose.SIGNED_PREKEY, Purpose.ONE_TIME_PREKEY):
        assert refusal(replace(initial, kem_purpose=purpose).encode()) is Reason.MALFORMED


def test_prekeys_of_two_bundles_are_not_mixed() -> None:
    secrets, published = make_prekeys(coins("next"), BOB.keys, 1, NOW, SUPPORTED, first_number=7)
    both = replace(BOB.secrets, keys=BOB.secrets.keys + secrets.keys)
    bundle = Bundle(published.static).verify(BOB.identity.signing, NOW)
    initial, mine = begin(bundle)
    assert respond(BOB.keys, both.find, initial)[0].root == mine.root
    mixed = replace(Initial.decode(initial), signed=1).encode()
    with pytest.raises(RefusedError) as caught:
        respond(BOB.keys, both.find, mixed)
    assert caught.value.reason is Reason.PREKEY_UNKNOWN


def test_an_equal_secret_under_another_kem_key_gives_no_session() -> None:
    """Re-encapsulation at its strongest: two KEM keys give one secret, since they are one key under two numbers. What
    is bound beside the secret keeps them apart.
    """
    first = BOB.secrets.find(Purpose.KEM_ONE_TIME, 1)
    assert first is not None
    twin = replace(first, number=2, published=hashlib.sha256(b"twin").digest())
    both = replace(BOB.secrets, keys=(*BOB.secrets.without([(Purpose.KEM_ONE_TIME, 2)]).keys, twin))
    initial, mine = begin()
    assert respond(BOB.keys, both.find, initial)[0].root == mine.root
    moved = replace(Initial.decode(initial), kem=2).encode()
    assert respond(BOB.keys, both.find, moved)[0].root != mine.root


def test_the_kem_binds_its_key_so_that_equal_coins_give_unequal_secrets() -> None:
    """What keeps the compromise of one KEM prekey from reaching the others (Bhargavan et al. 2024)."""
    keys = [BOB.verified(kem=one).kem.public for one in (True, False)]
    secrets = {SeededKem(bytes).encapsulate(key)[1] for key in keys}
    assert len(secrets) == len(keys)


def test_a_bundle_that_was_replaced_begins_nothing_once_its_keys_are_erased() -> None:
    """A signature is stale when its key is gone: the relay may still show it, and nobody answers."""
    secrets, published = make_prekeys(coins("next"), BOB.keys, 1, NOW, SUPPORTED, first_number=7)
    stale, mine = begin(Bundle(BOB.published.static).verify(BOB.identity.signing, NOW))
    with pytest.raises(RefusedError) as caught:
        respond(BOB.keys, secrets.find, stale)
    assert caught.value.reason is Reason.PREKEY_UNKNOWN
    renumbered = replace(Initial.decode(stale), signed=7, kem=7).encode()
    assert respond(BOB.keys, secrets.find, renumbered)[0].root != mine.root
    assert published.static != BOB.published.static


LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    2**255 - 20,
    2**255 - 19,
    2**255 - 18,
]
"""The u-coordinates of small order, canonical and not (D. J. Bernstein's page on Curve25519)."""


@pytest.mark.parametrize("low", [one.to_bytes(32, "little") for one in LOW_ORDER])
def test_keys_of_low_order_are_refused_on_both_sides(low: bytes) -> None:
    for changed in (
        replace(BOB.verified(), identity=replace(BOB.identity, dh=low)),
        replace(BOB.verified(), signed=replace(BOB.verified().signed, public=low)),
        replace(BOB.verified(), one_time=Prekey(Purpose.ONE_TIME_PREKEY, 1, low, NOW + 1)),
    ):
        with pytest.raises(MalformedError):
            begin(changed)
    initial = Initial.decode(begin()[0])
    assert refusal(replace(initial, ephemeral=low).encode()) is Reason.MALFORMED
    assert refusal(replace(initial, sender=replace(initial.sender, dh=low)).encode()) is Reason.MALFORMED


def test_a_kem_key_that_is_none_is_refused() -> None:
    broken = replace(BOB.verified().kem, public=b"\xff" * 1568)
    with pytest.raises(MalformedError):
        begin(replace(BOB.verified(), kem=broken))


def test_a_bundle_that_expired_since_it_was_verified_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        initiate(ALICE.keys, BOB.verified(), *ESCROWED, KEM, coins(0), BOB.verified().signed.not_after)
    assert caught.value.reason is Reason.BUNDLE_INVALID


def test_a_one_time_key_that_expired_since_it_was_verified_is_refused() -> None:
    bundle = BOB.verified()
    assert bundle.one_time is not None
    early = replace(bundle, one_time=replace(bundle.one_time, not_after=NOW))
    with pytest.raises(RefusedError) as caught:
        initiate(ALICE.keys, early, *ESCROWED, KEM, coins(0), NOW)
    assert caught.value.reason is Reason.BUNDLE_INVALID


def test_a_relay_that_swaps_keys_it_cannot_sign_gains_nothing() -> None:
    """A bundle re-signed by another key does not verify, and one whose KEM key is the attacker's gives no session."""
    own = MlKemKey.from_seed(bytes(64))
    forged = replace(BOB.verified(), kem=replace(BOB.verified().kem, public=own.public))
    initial, mine = begin(forged)
    assert not agree(mine, initial)
    static = StaticBundle.decode(BOB.published.static[:-64])
    body = replace(static, kem=replace(static.kem, public=own.public)).encode()
    mallory = person("mallory").keys.signing_key
    with pytest.raises(RefusedError):
        Bundle(body + mallory.sign(body)).verify(BOB.identity.signing, NOW)
