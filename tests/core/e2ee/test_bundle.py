import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.kem import MlKemKey
from escrow.e2ee.bundle import (
    Bundle,
    Prekey,
    PrekeySecrets,
    StaticBundle,
    decode_supported,
    encode_supported,
    make_one_time,
    make_prekeys,
)
from escrow.e2ee.keys import Identity, IdentityKeys, Purpose
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.roles.state import pack, unpack
from tests.core.e2ee.people import NOW, SUPPORTED, coins, person

choices = st.sets(st.tuples(st.integers(0, 255), st.binary(min_size=32, max_size=32)), max_size=5)


def refused(bundle: Bundle, key: bytes, now: int = NOW) -> bool:
    with pytest.raises(RefusedError) as caught:
        bundle.verify(key, now)
    return caught.value.reason is Reason.BUNDLE_INVALID


def signed(me: IdentityKeys, body: bytes) -> bytes:
    return body + me.signing_key.sign(body)


def test_a_bundle_verifies_with_and_without_one_time_keys() -> None:
    bob = person("bob")
    bundles = [bob.verified(ec=ec, kem=kem) for ec in (True, False) for kem in (True, False)]
    assert {bundle.identity for bundle in bundles} == {bob.identity}
    assert {bundle.supported for bundle in bundles} == {SUPPORTED}
    assert len({bundle.bundle_hash for bundle in bundles}) == 4
    assert bob.verified(kem=False).kem.purpose is Purpose.KEM_LAST_RESORT


def test_every_flipped_byte_of_every_part_is_refused() -> None:
    bob = person("bob")
    key, whole = bob.identity.signing, bob.bundle()
    for name in ("static", "ec", "kem"):
        part = getattr(whole, name)
        for place in range(len(part)):
            mutated = part[:place] + bytes([part[place] ^ 1 << place % 8]) + part[place + 1 :]
            parts = {"static": whole.static, "ec": whole.ec, "kem": whole.kem, name: mutated}
            assert refused(Bundle(**parts), key)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 150])
def test_a_part_that_is_cut_short_is_refused(length: int) -> None:
    bob = person("bob")
    assert refused(Bundle(bob.published.static[:length]), bob.identity.signing)
    assert refused(Bundle(bob.published.static, bob.published.ec[0][:length]), bob.identity.signing)


def test_a_key_for_one_purpose_is_not_taken_for_another() -> None:
    bob = person("bob")
    key, static, ec, kem = bob.identity.signing, bob.published.static, bob.published.ec[0], bob.published.kem[0]
    assert refused(Bundle(static, kem, ec), key)
    assert refused(Bundle(static, ec, ec), key)
    assert refused(Bundle(ec), key)
    parsed = StaticBundle.decode(static[:-64])
    one_time = Prekey.decode(kem[:-64], Purpose.KEM_ONE_TIME)
    for swapped in (
        StaticBundle(parsed.identity, parsed.signed, one_time, parsed.supported),
        StaticBundle(parsed.identity, parsed.kem, parsed.signed, parsed.supported),
        StaticBundle(parsed.identity, Prekey.decode(ec[:-64], Purpose.ONE_TIME_PREKEY), parsed.kem, parsed.supported),
    ):
        assert refused(Bundle(signed(bob.keys, swapped.encode())), key)
    last_resort = signed(bob.keys, parsed.kem.encode())
    assert refused(Bundle(static, None, last_resort), key)
    assert refused(Bundle(static, signed(bob.keys, parsed.signed.encode())), key)


def test_a_bundle_of_another_device_is_refused() -> None:
    bob, mallory = person("bob"), person("mallory")
    assert refused(mallory.bundle(), bob.identity.signing)
    assert refused(Bundle(bob.published.static, mallory.published.ec[0]), bob.identity.signing)
    posing = StaticBundle.decode(bob.published.static[:-64])
    assert refused(Bundle(signed(mallory.keys, posing.encode())), mallory.identity.signing)


def test_an_expired_prekey_of_any_kind_is_refused() -> None:
    bob = person("bob")
    _, short = make_prekeys(coins("short"), bob.keys, 1, NOW, SUPPORTED, lifetime=10)
    key = bob.identity.signing
    Bundle(short.static, short.ec[0], short.kem[0]).verify(key, NOW + 9)
    assert refused(Bundle(short.static), key, NOW + 10)
    assert refused(Bundle(bob.published.static, short.ec[0]), key, NOW + 10)
    assert refused(Bundle(bob.published.static, None, short.kem[0]), key, NOW + 10)


@given(choices)
def test_supported_sets_have_one_encoding(supported: set[tuple[int, bytes]]) -> None:
    encoded = encode_supported(supported)
    assert decode_supported(encoded) == tuple(sorted(supported))
    if len(supported) > 1:
        with pytest.raises(MalformedError):
            decode_supported(encoded[33:] + encoded[:33])
    with pytest.raises(MalformedError):
        decode_supported(encoded + b"\x00")
    if supported:
        with pytest.raises(MalformedError):
            decode_supported(encoded + encoded[-33:])


def test_prekeys_repeat_with_their_coins_and_differ_without() -> None:
    bob = person("bob")
    first = make_prekeys(coins(1), bob.keys, 2, NOW, SUPPORTED)
    assert make_prekeys(coins(1), bob.keys, 2, NOW, reversed(SUPPORTED)) == first
    other = make_prekeys(coins(2), bob.keys, 2, NOW, SUPPORTED)
    seeds = [key.seed.expose() for secrets, _ in (first, other) for key in secrets.keys]
    assert len(set(seeds)) == len(seeds) == 12


def test_numbers_go_on_where_the_last_batch_ended() -> None:
    bob = person("bob")
    secrets, _ = make_prekeys(coins(1), bob.keys, 2, NOW, SUPPORTED)
    following, _ = make_prekeys(coins(2), bob.keys, 2, NOW, SUPPORTED, first_number=secrets.next_number)
    places = [(key.purpose, key.number) for batch in (secrets, following) for key in batch.keys]
    assert len(set(places)) == len(places)
    none, published = make_prekeys(coins(3), bob.keys, 0, NOW, SUPPORTED)
    assert none.next_number == 2
    assert published.ec == published.kem == ()


def test_a_used_secret_is_found_no_more_and_the_others_are() -> None:
    secrets = person("bob").secrets
    used = ((Purpose.ONE_TIME_PREKEY, 1), (Purpose.KEM_ONE_TIME, 2))
    rest = secrets.without(used)
    assert all(rest.find(*place) is None for place in used)
    assert len(rest.keys) == len(secrets.keys) - 2
    assert rest.find(Purpose.KEM_ONE_TIME, 1) == secrets.find(Purpose.KEM_ONE_TIME, 1) is not None


def test_one_time_keys_can_be_added_alone() -> None:
    bob = person("bob")
    (secret,), (published,) = make_one_time(coins("more"), bob.keys, Purpose.KEM_ONE_TIME, 1, 9, NOW + 10)
    verified = Bundle(bob.published.static, None, published).verify(bob.identity.signing, NOW)
    assert verified.kem == Prekey(Purpose.KEM_ONE_TIME, 9, MlKemKey.from_seed(secret.seed.expose()).public, NOW + 10)


def test_secrets_survive_their_store_and_hide_themselves() -> None:
    bob = person("bob")
    assert unpack(pack(bob.secrets), PrekeySecrets) == bob.secrets
    assert unpack(pack(bob.keys), IdentityKeys) == bob.keys
    assert bob.keys.signing.expose().hex() not in repr(bob.keys)


def test_an_identity_has_one_encoding() -> None:
    identity = person("bob").identity
    assert Identity.decode(identity.encode()) == identity
    assert len(identity.encode()) == Identity.SIZE
    for bad in (identity.encode()[:-1], identity.encode() + b"\x00"):
        with pytest.raises(MalformedError):
            Identity.decode(bad)
    confused = bytearray(identity.encode())
    confused[68] = Purpose.SIGNED_PREKEY
    with pytest.raises(MalformedError):
        Identity.decode(bytes(confused))
