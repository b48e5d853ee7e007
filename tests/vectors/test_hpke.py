"""draft-connolly-cfrg-xwing-kem and draft-ietf-hpke-pq, the suite this project uses."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.bindings._rust import openssl

from escrow.crypto import aead, hpke
from escrow.crypto.hpke_seeded import key_schedule
from escrow.crypto.xwing import XWingKey, check_ciphertext, check_public, encapsulate

OUR_SUITE = (0, 0x647A, 1, 3)


def _our_vectors(shared: Path) -> list[dict[str, Any]]:
    vectors = json.loads((shared / "vectors/hpke-pq/test-vectors.json").read_text())
    return [v for v in vectors if (v["mode"], v["kem_id"], v["kdf_id"], v["aead_id"]) == OUR_SUITE]


def test_x_wing_keys_and_encapsulations_are_the_published_ones(shared: Path) -> None:
    vectors = json.loads((shared / "vectors/xwing/test-vectors.json").read_text())
    assert len(vectors) == 3
    for vector in vectors:
        public = hpke.RecipientKey.from_seed(bytes.fromhex(vector["seed"])).public
        secret, ciphertext = encapsulate(public, bytes.fromhex(vector["eseed"]))
        assert public.hex() == vector["pk"]
        assert secret.hex() == vector["ss"]
        assert ciphertext.hex() == vector["ct"]


def test_x_wing_secrets_are_the_published_ones(shared: Path) -> None:
    for vector in json.loads((shared / "vectors/xwing/test-vectors.json").read_text()):
        key, ciphertext = XWingKey.from_seed(bytes.fromhex(vector["seed"])), bytes.fromhex(vector["ct"])
        check_public(key.public)
        check_ciphertext(ciphertext)
        assert key.public.hex() == vector["pk"]
        assert key.decapsulate(ciphertext).hex() == vector["ss"]


def test_the_seeded_sender_computes_the_published_key_schedule(shared: Path) -> None:
    (vector,) = _our_vectors(shared)
    public = hpke.RecipientKey.from_seed(bytes.fromhex(vector["skRm"])).public
    secret, enc = encapsulate(public, bytes.fromhex(vector["ikmE"]))
    key, nonce = key_schedule(secret, bytes.fromhex(vector["info"]))
    first = vector["encryptions"][0]
    assert public.hex() == vector["pkRm"]
    assert (secret.hex(), enc.hex()) == (vector["shared_secret"], vector["enc"])
    assert (key.hex(), nonce.hex()) == (vector["key"], vector["base_nonce"])
    assert aead.open_(key, nonce, bytes.fromhex(first["ct"]), bytes.fromhex(first["aad"])).hex() == first["pt"]


def test_the_recipient_opens_the_published_messages(shared: Path) -> None:
    # The published messages carry associated data, which only the library's private function takes.
    (vector,) = _our_vectors(shared)
    key, first = hpke.RecipientKey.from_seed(bytes.fromhex(vector["skRm"])), vector["encryptions"][0]
    sealed = bytes.fromhex(vector["enc"] + first["ct"])
    info, ad = bytes.fromhex(vector["info"]), bytes.fromhex(first["aad"])
    assert openssl.hpke._decrypt_with_aad(hpke._SUITE, sealed, key._key, info, ad).hex() == first["pt"]
