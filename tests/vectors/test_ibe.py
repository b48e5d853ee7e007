"""Two published uses of the same encryption on the same curve, with a key in G2 and identity keys in G1.

drand's time lock (a whole file, by way of ``age``) and its beacons, which are identity keys as everybody's may be; and
Shutter's. They hash other things than we do, so what these show is the layer below: curve, hashing, pairing, encoding.
Each has its own order of the 576 bytes of a pairing's result, and neither is ours.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from escrow.crypto import aead
from escrow.crypto.bls12381 import G1, G2, ORDER, BlsScalar, pair_alike, pairing
from escrow.crypto.group import Point
from escrow.crypto.kdf import hkdf_expand, hkdf_extract, hmac_sha256
from escrow.errors import Reason
from tests.vectors.keccak import keccak_256

G1_DOMAIN = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
G2_DOMAIN = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"


def kilic(left: G1, right: Point) -> bytes:
    """As drand has it: the whole of ours from the back."""
    return pairing(left, right)[::-1]


def blst(left: G1, right: Point) -> bytes:
    """As Shutter has it: the coefficients in another order, big-endian each."""
    ours = pairing(left, right)
    coefficients = [ours[at : at + 48][::-1] for at in range(0, 576, 48)]
    return b"".join(coefficients[6 * i + 2 * j + k] for j in range(3) for i in range(2) for k in range(2))


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


# -- drand ----------------------------------------------------------------------------------------------------------


def round_of(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(8, "big")).digest()


def tlock(shared: Path) -> tuple[Point, dict[str, Any]]:
    published = json.loads((shared / "vectors/drand-tlock/tlock_vectors.json").read_text())
    return G2.decode(bytes.fromhex(published["quicknet"]["public_key"])), published["cases"][0]


def short(tag: bytes, *parts: bytes) -> bytes:
    return hashlib.sha256(tag + b"".join(parts)).digest()[:16]


def coin(sigma: bytes, message: bytes) -> BlsScalar:
    """Hash, shift the first byte by a bit, and again until the number is below the order."""
    seed = hashlib.sha256(b"IBE-H3" + sigma + message).digest()
    for attempt in range(1, 65535):
        wide = hashlib.sha256(attempt.to_bytes(2, "little") + seed).digest()
        value = int.from_bytes(bytes([wide[0] >> 1]) + wide[1:], "big")
        if value < ORDER:
            return BlsScalar(value)
    raise AssertionError("one in two attempts succeeds")


def test_a_file_that_drand_locked_opens_with_its_round(shared: Path) -> None:
    public, case = tlock(shared)
    identity_key = G1.decode(bytes.fromhex(case["signature"]))
    assert pair_alike(identity_key, G2.base, G1.hash(round_of(case["round"]), G1_DOMAIN), public)

    armour = "".join(case["age_armored"].splitlines()[1:-1])
    header, _, payload = base64.b64decode(armour).partition(b"\n---")
    mac, body = payload.split(b"\n", 1)
    _, stanza, *lines = header.split(b"\n")
    assert stanza.split()[:3] == [b"->", b"tlock", str(case["round"]).encode()]
    locked = base64.b64decode(b"".join(lines) + b"==")
    u, v, w = locked[:96], locked[96:112], locked[112:]

    sigma = xor(v, short(b"IBE-H2", kilic(identity_key, G2.decode(u))))
    file_key = xor(w, short(b"IBE-H4", sigma))
    assert G2.base_mul(coin(sigma, file_key)).encode() == u

    mac_key = hkdf_expand(hkdf_extract(b"", file_key), b"header", 32)
    assert base64.b64decode(mac.strip() + b"==") == hmac_sha256(mac_key, header + b"\n---")
    stream = hkdf_expand(hkdf_extract(body[:16], file_key), b"payload", 32)
    nonce = bytes(11) + b"\x01"
    assert aead.open_(stream, nonce, body[16:], b"", reason=Reason.BODY_INVALID) == case["plaintext"].encode()


def test_a_beacon_holds_under_the_domain_that_it_was_made_in_and_under_no_better_one(shared: Path) -> None:
    """drand's first beacons in G1 were hashed there under the name of G2: a wrong domain stays wrong for ever."""
    beacons = json.loads((shared / "vectors/drand-tlock/drand_beacons.json").read_text())
    (beacon,) = (each for each in beacons if each["scheme"] == "bls-unchained-on-g1")
    public, key = G2.decode(bytes.fromhex(beacon["pubkey"])), G1.decode(bytes.fromhex(beacon["sig"]))
    holds = [
        pair_alike(key, G2.base, G1.hash(round_of(beacon["round"]), domain), public)
        for domain in (G2_DOMAIN, G1_DOMAIN)
    ]
    assert holds == [True, False]


def test_a_beacon_with_the_groups_exchanged_holds(shared: Path) -> None:
    beacons = json.loads((shared / "vectors/drand-tlock/drand_beacons.json").read_text())
    (beacon,) = (each for each in beacons if each["scheme"] == "pedersen-bls-unchained")
    public, signature = G1.decode(bytes.fromhex(beacon["pubkey"])), G2.decode(bytes.fromhex(beacon["sig"]))
    hashed = G2.hash(round_of(beacon["round"]), G2_DOMAIN)
    base = G1.decode(GENERATOR)
    assert pair_alike(base, signature, public, hashed)
    assert not pair_alike(base, signature, public, G2.hash(round_of(beacon["round"] + 1), G2_DOMAIN))


GENERATOR = bytes.fromhex(
    "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
)


# -- Shutter --------------------------------------------------------------------------------------------------------


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def published(shared: Path, kind: str) -> list[dict[str, Any]]:
    cases = json.loads((shared / "vectors/shutter-ibe/shlib_v0.1.19_testdata.json").read_text())
    return [case["test_data"] for case in cases if case["type"] == kind]


def shutter_point(case: dict[str, Any]) -> G1:
    return G1.hash(b"\x01" + unhex(case["epoch_id"]), b"SHUTTER_V01_BLS12381G1_XMD:SHA-256_SSWU_RO_")


def test_what_shutter_encrypts_comes_out(shared: Path) -> None:
    cases = published(shared, "encryption")
    assert len(cases) == 9
    for case in cases:
        message, sigma, expected = (unhex(case[name]) for name in ("message", "sigma", "expected"))
        r = BlsScalar(int.from_bytes(keccak_256(b"\x03" + sigma + message), "big") % ORDER)
        shared_value = blst(r * shutter_point(case), G2.decode(unhex(case["eon_public_key"])))
        masked = xor(sigma, keccak_256(b"\x02" + shared_value))
        assert expected[: 1 + 96 + 32] == b"\x03" + G2.base_mul(r).encode() + masked


def test_shutter_s_identity_keys_are_told_from_others(shared: Path) -> None:
    cases = published(shared, "verification")
    assert len(cases) == 2
    for case in cases:
        key, public = G1.decode(unhex(case["epoch_secret_key"])), G2.decode(unhex(case["eon_public_key"]))
        assert pair_alike(key, G2.base, shutter_point(case), public) is case["expected"]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"a" * 136, "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e"),
    ],
)
def test_the_hash_that_shutter_uses_is_the_one_from_before_sha_3(message: bytes, digest: str) -> None:
    assert keccak_256(message).hex() == digest
