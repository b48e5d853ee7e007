import pickle
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.crypto import kem
from escrow.crypto.dh import DhKey
from escrow.errors import MalformedError
from escrow.secret import Secret
from tests.core.crypto.draws import flip, seeds

# The u-coordinates of small order on curve25519 and its twist, and their spellings beyond p.
LOW_ORDER = [
    0,
    1,
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
    2**255 - 20,
    2**255 - 19,
    2**255 - 18,
]
KEM_KEY = kem.MlKemKey.from_seed(b"d" * 64)


def stream(length: int, _draws: "count[int]" = count()) -> bytes:  # noqa: B008 - each draw is another one
    return next(_draws).to_bytes(length, "big")


# -- X25519 -------------------------------------------------------------------------------------------


def test_the_vector_of_rfc_7748_holds() -> None:
    alice = DhKey.from_seed(bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
    bob = DhKey.from_seed(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
    assert bob.public.hex() == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert alice.exchange(bob.public).hex() == bob.exchange(alice.public).hex() == shared


@given(seeds, seeds)
def test_both_sides_agree(left: bytes, right: bytes) -> None:
    a, b = DhKey.from_seed(left), DhKey.from_seed(right)
    assert a.exchange(b.public) == b.exchange(a.public)


@given(seeds, st.one_of(st.sampled_from(LOW_ORDER).map(lambda u: u.to_bytes(32, "little")), seeds))
def test_every_key_is_used_as_another_library_uses_it(seed: bytes, peer: bytes) -> None:
    """Also one beyond p, with its highest bit set, or on the twist."""
    key, other = DhKey.from_seed(seed), X25519PrivateKey.from_private_bytes(seed)
    assert key.public == other.public_key().public_bytes_raw()
    try:
        expected = other.exchange(X25519PublicKey.from_public_bytes(peer))
    except ValueError:
        with pytest.raises(MalformedError):
            key.exchange(peer)
    else:
        assert key.exchange(peer) == expected


def test_a_key_survives_its_store_and_hides_itself() -> None:
    key = DhKey.from_seed(b"a" * 32)
    assert DhKey.from_pair(key.pair) == key
    assert DhKey.from_pair(key.pair).public == key.public
    assert DhKey.from_seed(b"b" * 32) != key
    assert key != key.pair
    assert "a" * 32 not in repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        hash(key)


@pytest.mark.parametrize("u", LOW_ORDER)
def test_a_key_of_low_order_is_refused(u: int) -> None:
    with pytest.raises(MalformedError):
        DhKey.from_seed(b"a" * 32).exchange(u.to_bytes(32, "little"))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(MalformedError):
        DhKey.from_seed(bytes(length))
    with pytest.raises(MalformedError):
        DhKey.from_pair(Secret(bytes(32 + length)))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_x25519_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(MalformedError):
        DhKey.from_seed(b"a" * 32).exchange(b"\x09".ljust(length, b"\x00")[:length])


# -- ML-KEM-1024 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("sender", [kem.SystemKem(), kem.SeededKem(stream)], ids=["system", "seeded"])
def test_both_senders_agree_with_the_recipient(sender: kem.Kem) -> None:
    assert len(KEM_KEY.public) == kem.PUBLIC_SIZE
    ciphertext, secret = sender.encapsulate(KEM_KEY.public)
    assert len(ciphertext) == kem.CIPHERTEXT_SIZE
    assert KEM_KEY.decapsulate(ciphertext) == secret
    assert sender.encapsulate(KEM_KEY.public) != (ciphertext, secret)


def test_a_seeded_sender_repeats_itself() -> None:
    assert kem.SeededKem(bytes).encapsulate(KEM_KEY.public) == kem.SeededKem(bytes).encapsulate(KEM_KEY.public)


@pytest.mark.parametrize("sender", [kem.SystemKem(), kem.SeededKem(bytes)], ids=["system", "seeded"])
@pytest.mark.parametrize(
    "public",
    [b"", KEM_KEY.public[:-1], KEM_KEY.public + b"\x00", b"\xff" * kem.PUBLIC_SIZE],
    ids=["empty", "short", "long", "beyond the modulus"],
)
def test_an_invalid_kem_key_is_refused(sender: kem.Kem, public: bytes) -> None:
    with pytest.raises(MalformedError):
        sender.encapsulate(public)


@settings(max_examples=20)
@given(st.integers(0, 8 * kem.CIPHERTEXT_SIZE - 1))
def test_a_changed_ciphertext_yields_another_secret_and_no_error(bit: int) -> None:
    ciphertext, secret = kem.SystemKem().encapsulate(KEM_KEY.public)
    assert KEM_KEY.decapsulate(flip(ciphertext, bit)) != secret


@pytest.mark.parametrize("length", [0, 1567, 1569])
def test_a_ciphertext_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(MalformedError):
        KEM_KEY.decapsulate(bytes(length))
