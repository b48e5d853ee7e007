"""Values that Signal has published, in the tests of libsignal-protocol-java (ChainKeyTest, RatchetingSessionTest).

They show that the oracle of the key agreement is one, and that our derivations are Signal's as far as the two go
together. Before our root key, and after our message key, the info of the derivations is another.
"""

import pytest

from escrow.crypto.dh import DhKey
from escrow.crypto.kdf import hkdf_expand, hkdf_extract
from escrow.e2ee.symmetric import advance, advance_saying
from tests.oracles.agreement import x3dh_inputs

CHAIN = "8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f"
NEXT_CHAIN = "28e8f8fee54b801eef7c5cfb2f17f32c7b334485bbb70fac6ec10342a246d15d"
CIPHER_KEY = "bf51e9d75e0e31031051f82a2491ffc084fa298b7793bd9db620056febf45217"
MAC_KEY = "c6c77d6a73a354337a56435e34607dfe48e3ace14e77314dc6abc172e7a7030b"

BOB_IDENTITY = "4875cc69ddf8ea0719ec947d61081135868d5fd801f02c0225e516df2156605e"
BOB_IDENTITY_PUBLIC = "f1f43874f6966956c2dd473f8fa15adeb71d1cb991b2341692324cefb1c5e626"
BOB_SIGNED = "583900131fb727998b7803fe6ac22cc591f342e4e42a8c8d5d78194209b8d253"
BOB_SIGNED_PUBLIC = "ac248a8f263be6863576eb0362e28c828f0107a3379d34bab1586bf8c770cd67"
ALICE_IDENTITY = "b4a8455660ada65b401007f615e654041746432e3339c6875149bceefcb42b4a"
ALICE_BASE = "472d1fb1a9862c3af6beaca8920277e2b26f4a79213ec7c906aeb35e03cf8950"
SENDER_CHAIN = "9797caca53c989bbe229a40ca7727010eb2604fc14945d77958a0aeda088b44d"


def test_a_chain_goes_on_as_that_of_signal() -> None:
    following, key = advance(bytes.fromhex(CHAIN))
    assert following.hex() == NEXT_CHAIN
    # Signal makes three keys of it; ours is the key of the AEAD.
    keys = hkdf_expand(hkdf_extract(bytes(32), key), b"WhisperMessageKeys", 80)
    assert (keys[:32].hex(), keys[32:64].hex()) == (CIPHER_KEY, MAC_KEY)
    assert advance_saying(bytes.fromhex(CHAIN), bytes(32), b"", b"")[:2] == (following, key)


@pytest.mark.parametrize(("seed", "public"), [(BOB_IDENTITY, BOB_IDENTITY_PUBLIC), (BOB_SIGNED, BOB_SIGNED_PUBLIC)])
def test_a_private_key_has_the_public_key_that_signal_gives_it(seed: str, public: str) -> None:
    assert DhKey.from_seed(bytes.fromhex(seed)).public.hex() == public


def test_an_agreement_goes_into_the_derivation_as_that_of_signal() -> None:
    material = x3dh_inputs(
        bytes.fromhex(BOB_IDENTITY), bytes.fromhex(BOB_SIGNED), bytes.fromhex(ALICE_IDENTITY), bytes.fromhex(ALICE_BASE)
    )
    derived = hkdf_expand(hkdf_extract(bytes(32), material), b"WhisperText", 64)
    assert derived[32:].hex() == SENDER_CHAIN
