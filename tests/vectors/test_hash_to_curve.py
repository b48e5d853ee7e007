"""RFC 9380: expand_message_xmd with SHA-512, edwards25519_XMD:SHA-512_ELL2_RO_, and the two suites of BLS12-381."""

import json
from pathlib import Path

from escrow.crypto.bls12381 import G1, G2
from escrow.crypto.elligator import hash_to_curve
from escrow.crypto.expand import expand_message_xmd

FIELD = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB


def test_the_published_points_come_out(shared: Path) -> None:
    suite = json.loads((shared / "vectors/rfc9380-h2c/edwards25519_XMD-SHA-512_ELL2_RO_.json").read_text())
    assert len(suite["vectors"]) == 5
    for vector in suite["vectors"]:
        x, y = int(vector["P"]["x"], 16), int(vector["P"]["y"], 16)
        point = hash_to_curve(vector["msg"].encode(), suite["dst"].encode())
        assert point == (y | (x & 1) << 255).to_bytes(32, "little")


def test_the_published_points_of_the_first_group_of_bls12_381_come_out(shared: Path) -> None:
    suite = json.loads((shared / "vectors/rfc9380-h2c/BLS12381G1_XMD-SHA-256_SSWU_RO_.json").read_text())
    assert len(suite["vectors"]) == 5
    for vector in suite["vectors"]:
        x, y = (int(vector["P"][one], 16) for one in "xy")
        point = G1.hash(vector["msg"].encode(), suite["dst"].encode())
        assert point.encode() == compressed([x], y > FIELD // 2)


def test_the_published_points_of_the_second_group_of_bls12_381_come_out(shared: Path) -> None:
    suite = json.loads((shared / "vectors/rfc9380-h2c/BLS12381G2_XMD-SHA-256_SSWU_RO_.json").read_text())
    assert len(suite["vectors"]) == 5
    for vector in suite["vectors"]:
        (x0, x1), (_, y1) = ([int(part, 16) for part in vector["P"][one].split(",")] for one in "xy")
        point = G2.hash(vector["msg"].encode(), suite["dst"].encode())
        assert point.encode() == compressed([x1, x0], y1 > FIELD // 2)


def compressed(x: list[int], larger: bool) -> bytes:
    """The form of ZCash: the coordinate, big-endian, under three bits of which the third tells y from -y."""
    data = b"".join(part.to_bytes(48, "big") for part in x)
    return bytes([data[0] | 0x80 | larger << 5]) + data[1:]


def test_the_published_expansions_come_out(shared: Path) -> None:
    suite = json.loads((shared / "vectors/rfc9380-h2c/expand_message_xmd_SHA512_38.json").read_text())
    assert len(suite["tests"]) == 10
    for vector in suite["tests"]:
        length = int(vector["len_in_bytes"], 16)
        assert (
            expand_message_xmd(vector["msg"].encode(), suite["DST"].encode(), length).hex() == vector["uniform_bytes"]
        )
