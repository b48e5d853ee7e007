"""COCKTAIL-DKG, Ed25519 suite: the four published runs, reproduced from their static keys.

The vectors do not publish the dealers' polynomials. They are interpolated from the decrypted shares here, which is
a stronger check than reading them: proofs and ciphertexts must come out byte for byte from what was recovered.
"""

import hashlib
import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from escrow.committee import cocktail
from escrow.committee.cocktail import Commitment, Context, Route
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import Polynomial, interpolate_scalars, verify_share
from escrow.errors import EscrowError


@pytest.fixture(params=range(4))
def vector(request: pytest.FixtureRequest, shared: Path) -> dict[str, Any]:
    file = shared / "vectors" / "cctv-cocktail-dkg" / "cocktail-dkg-ed25519-sha512.json"
    found: dict[str, Any] = json.loads(file.read_text())["vectors"][request.param]
    return found


def _hex(values: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in values]


def _dealings(vector: dict[str, Any]) -> list[Commitment]:
    return [
        Commitment(
            tuple(_hex(said["vss_commitment"])),
            bytes.fromhex(said["pop"]),
            bytes.fromhex(said["ephemeral_public_key"]),
        )
        for said in vector["round1"]
    ]


def _coefficients(shares: dict[int, Scalar], t: int) -> tuple[Scalar, ...]:
    """Peel off the constant term, divide by x, repeat."""
    values, found = {i: shares[i] for i in list(shares)[:t]}, []
    while values:
        found.append(interpolate_scalars(values))
        values = {i: (value - found[-1]) * Scalar(i).invert() for i, value in list(values.items())[:-1]}
    return tuple(found)


def test_a_published_run_is_reproduced(vector: dict[str, Any]) -> None:
    n, t = vector["n"], vector["t"]
    secrets = [Scalar.decode(key) for key in _hex(vector["config"]["static_secret_keys"])]
    statics = _hex(vector["config"]["static_public_keys"])
    assert [EDWARDS25519.base_mul(secret).encode() for secret in secrets] == statics
    context = Context.of(EDWARDS25519, bytes.fromhex(vector["session_tag"]), statics)
    assert context.value.hex() == vector["context"]

    dealings, payloads = _dealings(vector), vector.get("payloads", [""] * n)
    shares: dict[tuple[int, int], Scalar] = {}
    for i, j in product(range(n), range(n)):
        ciphertext = bytes.fromhex(vector["round1"][i]["encrypted_shares"][j])
        route = Route(EDWARDS25519, dealings[i].ephemeral, statics[i], statics[j])
        pair = route.from_recipient(secrets[j])
        share, payload = cocktail.decrypt_share(context, route, pair, ciphertext)
        assert payload.hex() == payloads[i]
        verify_share(dealings[i].decoded(EDWARDS25519), j + 1, share)
        assert cocktail.encrypt_share(context, route, pair, share, payload) == ciphertext
        shares[i, j] = share

    for i, dealt in enumerate(dealings):
        cocktail.verify_commitment(context, dealt)
        assert Commitment.decode(dealt.encode(), t) == dealt
        coefficients = _coefficients({j + 1: shares[i, j] for j in range(n)}, t)
        assert all(Polynomial(coefficients).evaluate(j + 1) == shares[i, j] for j in range(n))
        again = cocktail.commit(context, Polynomial(coefficients), Scalar(1))
        assert again.points == dealt.points
        message = context.value + b"".join(dealt.points) + dealt.ephemeral
        assert cocktail.schnorr_sign(EDWARDS25519, coefficients[0], message) == dealt.proof

    joint = cocktail.joint_commitments(EDWARDS25519, dealings)
    assert joint[0].encode().hex() == vector["group_public_key"]
    for j, said in enumerate(vector["round2"]):
        total = Scalar(0)
        for i in range(n):
            total = total + shares[i, j]
        assert total.encode().hex() == said["secret_share"]
        assert cocktail.verification_share(joint, j + 1).encode().hex() == said["verification_share"]
        assert EDWARDS25519.base_mul(total).encode().hex() == said["verification_share"]

    extension = bytes.fromhex(vector["extension"])
    assert cocktail.transcript_hash(context, statics, dealings, extension).hex() == vector["round3"]["transcript_hash"]


def test_the_extension_of_the_payload_run_is_the_hash_of_the_payloads(shared: Path) -> None:
    file = shared / "vectors" / "cctv-cocktail-dkg" / "cocktail-dkg-ed25519-sha512.json"
    (vector,) = (one for one in json.loads(file.read_text())["vectors"] if "payloads" in one)
    payloads = _hex(vector["payloads"])
    parts = [part for payload in payloads for part in (len(payload).to_bytes(8, "little"), payload)]
    hashed = hashlib.sha512(b"".join((len(payloads).to_bytes(8, "little"), *parts))).hexdigest()
    assert hashed == vector["extension"]


def test_a_proof_of_possession_holds_in_its_context_and_for_its_dealer_only(vector: dict[str, Any]) -> None:
    context = Context(EDWARDS25519, bytes.fromhex(vector["context"]))
    first, second, *_ = _dealings(vector)
    swapped = Commitment(first.points, second.proof, first.ephemeral)
    other_key = Commitment(first.points, first.proof, second.ephemeral)
    for where, dealt in (
        (context, swapped),
        (context, other_key),
        (replace(context, value=context.value[::-1]), first),
    ):
        with pytest.raises(EscrowError):
            cocktail.verify_commitment(where, dealt)


def test_the_interpolation_of_this_file_finds_the_polynomial() -> None:
    polynomial = Polynomial((Scalar(5), Scalar(7), Scalar(11)))
    assert _coefficients({i: polynomial.evaluate(i) for i in (1, 2, 4)}, 3) == polynomial.coefficients
