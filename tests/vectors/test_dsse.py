"""The example of the DSSE specification (v1.0.2): encoding and envelope are ours, its ECDSA signature is not."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from escrow.warrant import dsse


@pytest.fixture(name="vector", scope="module")
def _vector(shared: Path) -> dict[str, Any]:
    return dict(json.loads((shared / "vectors" / "dsse" / "dsse_protocol_vector.json").read_text()))


def test_the_published_pre_authentication_encoding(vector: dict[str, Any]) -> None:
    assert dsse.pae(vector["payloadType"], vector["payload"].encode()) == vector["pae"].encode()


def test_the_published_envelope_holds_what_was_signed(vector: dict[str, Any]) -> None:
    envelope = dsse.Envelope.parse(json.dumps(vector["envelope"]).encode())
    assert (envelope.payload_type, envelope.payload) == (vector["payloadType"], vector["payload"].encode())
    raw = envelope.signatures[0].sig
    assert raw == base64.b64decode(vector["ecdsa_p256"]["sig_rfc6979_raw_rs_b64"])
    numbers = ec.EllipticCurvePublicNumbers(vector["ecdsa_p256"]["x"], vector["ecdsa_p256"]["y"], ec.SECP256R1())
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    numbers.public_key().verify(der, dsse.pae(envelope.payload_type, envelope.payload), ec.ECDSA(SHA256()))
