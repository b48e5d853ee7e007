"""RFC 9380: expand_message_xmd with SHA-512, and edwards25519_XMD:SHA-512_ELL2_RO_."""

import json
from pathlib import Path

from escrow.crypto.elligator import hash_to_curve
from escrow.crypto.expand import expand_message_xmd


def test_the_published_points_come_out(shared: Path) -> None:
    suite = json.loads((shared / "vectors/rfc9380-h2c/edwards25519_XMD-SHA-512_ELL2_RO_.json").read_text())
    assert len(suite["vectors"]) == 5
    for vector in suite["vectors"]:
        x, y = int(vector["P"]["x"], 16), int(vector["P"]["y"], 16)
        point = hash_to_curve(vector["msg"].encode(), suite["dst"].encode())
        assert point == (y | (x & 1) << 255).to_bytes(32, "little")


def test_the_published_expansions_come_out(shared: Path) -> None:
    suite = json.loads((shared / "vectors/rfc9380-h2c/expand_message_xmd_SHA512_38.json").read_text())
    assert len(suite["tests"]) == 10
    for vector in suite["tests"]:
        length = int(vector["len_in_bytes"], 16)
        assert (
            expand_message_xmd(vector["msg"].encode(), suite["DST"].encode(), length).hex() == vector["uniform_bytes"]
        )
