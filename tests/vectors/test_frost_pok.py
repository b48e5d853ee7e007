"""FROST(Ed25519, SHA-512) key generation: the three published proofs of knowledge, shares and verification shares.

FROST hashes the proof's challenge in its own way, so the equation is checked here over the product's group layer.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from escrow.committee import cocktail
from escrow.committee.cocktail import Commitment
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar, scalar_from_wide
from escrow.crypto.sharing import verify_share


@pytest.fixture
def inputs(shared: Path) -> dict[str, Any]:
    file = shared / "vectors" / "frost-zf-ed25519" / "vectors_dkg.json"
    found: dict[str, Any] = json.loads(file.read_text())["inputs"]
    return found


def _unhex(value: str) -> bytes:
    return bytes.fromhex(value)


@pytest.mark.parametrize("who", ["1", "2", "3"])
def test_a_published_proof_of_knowledge_holds(inputs: dict[str, Any], who: str) -> None:
    said = inputs[who]
    public, proof = _unhex(said["vss_commitments"][0]), _unhex(said["proof_of_knowledge"])
    identifier = Scalar(int(who)).encode()
    challenge = hashlib.sha512(b"FROST-ED25519-SHA512-v1dkg" + identifier + public + proof[:32]).digest()
    commitment, response = EDWARDS25519.decode(proof[:32]), Scalar.decode(proof[32:])
    assert EDWARDS25519.base_mul(response) == commitment + scalar_from_wide(challenge) * EDWARDS25519.decode(public)


def test_the_published_shares_verify_and_add_up(inputs: dict[str, Any]) -> None:
    dealings = [
        Commitment(tuple(_unhex(point) for point in inputs[dealer]["vss_commitments"]), b"", b"") for dealer in "123"
    ]
    joint = cocktail.joint_commitments(EDWARDS25519, dealings)
    assert joint[0].encode().hex() == inputs["verifying_key"]
    for to in (1, 2, 3):
        assert cocktail.verification_share(joint, to).encode().hex() == inputs[str(to)]["verifying_share"]
        assert EDWARDS25519.base_mul(
            Scalar.decode(_unhex(inputs[str(to)]["signing_share"]))
        ) == cocktail.verification_share(joint, to)
        # What the file lists under a recipient is what it was sent, by dealer.
        for dealer, share in inputs[str(to)]["signing_shares"].items():
            verify_share(dealings[int(dealer) - 1].decoded(EDWARDS25519), to, Scalar.decode(_unhex(share)))
