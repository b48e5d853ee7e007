"""RFC 9497 over our ristretto255: hashing to the group, keys, and the proofs of equal logarithms, all as published.

The RFC's proof is about a batch and hashes its challenge in its own way, so the equation is checked here over the
product's group layer. Only its suite ristretto255-SHA512 is in a group of ours.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from escrow.crypto.expand import expand_message_xmd
from escrow.crypto.group import Point, Scalar, scalar_from_wide
from escrow.crypto.ristretto255 import RISTRETTO255

VERIFIABLE = (1, 2)
"""The modes with a proof: VOPRF and POPRF."""

un = bytes.fromhex


class Proof(NamedTuple):
    """c and s of: log_base(key) = log of each element of ``outputs`` to that of ``inputs``."""

    context: bytes
    key: Point
    inputs: list[Point]
    outputs: list[Point]
    c: Scalar
    s: Scalar


def framed(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def hashed(data: bytes, domain: bytes) -> Scalar:
    return scalar_from_wide(expand_message_xmd(data, domain, 64))


def holds(proof: Proof) -> bool:
    """Section 2.2.2 of the RFC."""
    domain = b"HashToScalar-" + proof.context
    seed = hashlib.sha512(framed(proof.key.encode(), b"Seed-" + proof.context)).digest()
    m = z = RISTRETTO255.identity
    for i, (before, after) in enumerate(zip(proof.inputs, proof.outputs, strict=True)):
        named = framed(seed) + i.to_bytes(2, "big") + framed(before.encode(), after.encode())
        weight = hashed(named + b"Composite", domain)
        m, z = m + weight * before, z + weight * after
    first = RISTRETTO255.base_mul(proof.s) + proof.c * proof.key
    second = proof.s * m + proof.c * z
    points = (proof.key, m, z, first, second)
    return hashed(framed(*(point.encode() for point in points)) + b"Challenge", domain) == proof.c


@pytest.fixture(name="suites")
def _suites(shared: Path) -> dict[int, Any]:
    published = json.loads((shared / "vectors/rfc9497-oprf/allVectors.json").read_text())
    return {suite["mode"]: suite for suite in published if suite["identifier"] == "ristretto255-SHA512"}


def points(data: str) -> list[Point]:
    return [RISTRETTO255.decode(un(one)) for one in data.split(",")]


def proofs(suite: dict[str, Any]) -> list[Proof]:
    context = un(suite["groupDST"]).removeprefix(b"HashToGroup-")
    found = []
    for one in suite["vectors"]:
        key, inputs, outputs = RISTRETTO255.decode(un(suite["pkSm"])), *map(points, _elements(one))
        if "Info" in one:  # a key that is tweaked by public information answers in reverse
            info = hashed(b"Info" + framed(un(one["Info"])), b"HashToScalar-" + context)
            key, inputs, outputs = RISTRETTO255.base_mul(info) + key, outputs, inputs
        c, s = (Scalar.decode(half) for half in _halves(un(one["Proof"]["proof"])))
        found.append(Proof(context, key, inputs, outputs, c, s))
    return found


def _elements(one: dict[str, Any]) -> tuple[str, str]:
    return one["BlindedElement"], one["EvaluationElement"]


def _halves(data: bytes) -> tuple[bytes, bytes]:
    return data[:32], data[32:]


def test_published_inputs_hash_to_the_published_elements_and_are_multiplied_so(
    suites: dict[int, Any],
) -> None:
    assert suites.keys() == {0, 1, 2}
    for mode, suite in suites.items():
        key = Scalar.decode(un(suite["skSm"]))
        assert mode == 0 or RISTRETTO255.base_mul(key).encode() == un(suite["pkSm"])
        for one in suite["vectors"]:
            parts = (one[name].split(",") for name in ("Input", "Blind", "BlindedElement", "EvaluationElement"))
            for text, blind, blinded, evaluated in zip(*parts, strict=True):
                element = Scalar.decode(un(blind)) * RISTRETTO255.hash(un(text), un(suite["groupDST"]))
                assert element.encode() == un(blinded)
                if mode != 2:
                    assert (key * element).encode() == un(evaluated)


def test_published_proofs_of_equal_logarithms_hold_and_altered_ones_do_not(suites: dict[int, Any]) -> None:
    published = [proof for mode in VERIFIABLE for proof in proofs(suites[mode])]
    assert len(published) == 6
    for proof in published:
        assert holds(proof)
        assert not holds(proof._replace(c=proof.c + Scalar(1)))
        assert not holds(proof._replace(s=proof.s + Scalar(1)))
        assert not holds(proof._replace(key=proof.key + RISTRETTO255.base))
        assert not holds(proof._replace(inputs=proof.outputs, outputs=proof.inputs))
        assert not holds(proof._replace(context=proof.context + b"\x00"))
