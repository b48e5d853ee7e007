"""Known answers of TDH2 by the slow implementation: ``python -m tests.oracles.tdh2_answers`` writes the file anew.

Everything is derived from fixed words, so the file is the same wherever it is made.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.core.crypto.edwards import TORSION, add, encode
from tests.oracles import tdh2
from tests.oracles.slow_groups import SlowGroup, group_of
from tests.oracles.tdh2 import Asked, Key

FILE = Path(__file__).resolve().parent.parent / "vectors" / "tdh2.json"
SUITES = (1, 2)
THRESHOLD, N = 3, 5
ANSWERING = (1, 3, 5)

Row = dict[str, Any]


def words(*parts: object) -> bytes:
    """32 bytes that belong to these words."""
    return hashlib.sha256("/".join(map(str, ("tdh2 known answers", *parts))).encode()).digest()


def text() -> str:
    """The file."""
    about = "TDH2 as in tests/vectors/README.md; bytes in hexadecimal, scalars and points as 32 bytes"
    return json.dumps({"about": about, "suites": [_suite(number) for number in SUITES]}, indent=1) + "\n"


def _suite(number: int) -> Row:
    group = group_of(number)
    coefficients = [
        int.from_bytes(words(number, "coefficient", power) * 2, "little") % group.order for power in range(THRESHOLD)
    ]
    y = group.times(coefficients[0], group.generator)
    proposal, key_hash, generation = (words(number, what) for what in ("proposal", "committee key", "generation"))
    key = Key(group, number, key_hash, y, tdh2.second_generator(group, proposal, y))
    shares = [tdh2.share_of(group, coefficients, index) for index in range(1, N + 1)]
    asked = _capsule(key, words(number, "label"), words(number, "seed"))
    about = Asked(generation, bytes.fromhex(asked["label"]), bytes.fromhex(asked["capsule"]), words(number, "request"))
    answers = [_share(key, about, shares[index - 1], index) for index in ANSWERING]
    return {
        "suite": number,
        "group": group.name,
        "threshold": THRESHOLD,
        "proposal_hash": proposal.hex(),
        "committee_key_hash": key_hash.hex(),
        "generation_hash": generation.hex(),
        "polynomial": [_number(value) for value in coefficients],
        "Y": group.encode(y).hex(),
        "second_generator": group.encode(key.bar).hex(),
        "ctx": key.ctx.hex(),
        "x": [_number(value) for value in shares],
        "h": [_public(group, value) for value in shares],
        "capsules": [asked, _capsule(key, b"", bytes(32))],
        "invalid_capsules": list(_invalid_capsules(key, about, asked)),
        "request_hash": about.request_hash.hex(),
        "shares": answers,
        "invalid_shares": list(_invalid_shares(key, about, shares)),
    }


def _capsule(key: Key, label: bytes, seed: bytes) -> Row:
    r, s = (key.scalar(use, key.ctx, label, seed) for use in ("r", "s"))
    capsule = tdh2.encapsulate(key, label, seed)
    return {"label": label.hex(), "seed": seed.hex(), "r": _number(r), "s": _number(s), "capsule": capsule.hex()}


def _share(key: Key, asked: Asked, x: int, index: int) -> Row:
    coins = words(key.suite, "coins", index)
    return {"index": index, "coins": coins.hex(), "share": tdh2.share(key, asked, x, index, coins).hex()}


def _invalid_capsules(key: Key, asked: Asked, good: Row) -> Iterator[Row]:
    label, capsule, order = asked.label, asked.capsule, key.group.order
    c, u, u_bar, e, f = (capsule[at : at + 32] for at in range(0, 160, 32))
    other = tdh2.encapsulate(key, label, words(key.suite, "another seed"))
    elsewhere = Key(key.group, key.suite, words(key.suite, "another committee key"), key.y, key.bar)
    mine = bytes.fromhex(good["seed"])
    yield _wrong("another label", label + b"\x00", capsule)
    yield _wrong("of another committee key", label, tdh2.encapsulate(elsewhere, label, mine))
    yield _wrong("c of another capsule", label, other[:32] + capsule[32:])
    yield _wrong("the proof of another capsule", label, capsule[:96] + other[96:])
    yield _wrong("u and ū exchanged", label, c + u_bar + u + e + f)
    yield _wrong("e is not reduced", label, c + u + u_bar + _again(e, order) + f)
    yield _wrong("f is not reduced", label, c + u + u_bar + e + _again(f, order))
    yield _wrong("e is zero", label, c + u + u_bar + bytes(32) + f)
    yield _wrong("a byte too few", label, capsule[:-1])
    yield _wrong("a byte too many", label, capsule + b"\x00")
    yield _wrong("one logarithm for u, another for ū", label, _two_logarithms(key, label, mine))
    if key.group.name == "edwards25519":
        yield _wrong(
            "u is off by the point of order 2, which a proof with an even e hides", label, _torsioned(key, label)
        )
    else:
        spelled = u[:31] + bytes([u[31] | 0x80])
        why = "u is spelled with its highest bit set, and the proof is over that"
        yield _wrong(why, label, _proved(key, label, mine, spelled))


def _invalid_shares(key: Key, asked: Asked, xs: list[int]) -> Iterator[Row]:
    good = tdh2.share(key, asked, xs[0], 1, words(key.suite, "coins", 1))
    part, e, z = good[:32], good[32:64], good[64:]
    order = key.group.order
    otherwise = Asked(asked.generation_hash, asked.label, asked.capsule, words(key.suite, "another request"))
    earlier = Asked(words(key.suite, "another generation"), asked.label, asked.capsule, asked.request_hash)
    coins = words(key.suite, "coins", 1)
    yield _bad("custodian 1's, said to be custodian 2's", 2, good)
    yield _bad("for another request", 1, tdh2.share(key, otherwise, xs[0], 1, coins))
    yield _bad("of another generation of shares", 1, tdh2.share(key, earlier, xs[0], 1, coins))
    yield _bad("with another secret than custodian 1's", 1, tdh2.share(key, asked, xs[1], 1, coins))
    yield _bad("e is not reduced", 1, part + _again(e, order) + z)
    yield _bad("z is not reduced", 1, part + e + _again(z, order))
    yield _bad("another point with the same proof", 1, asked.capsule[32:64] + e + z)
    yield _bad("a byte too few", 1, good[:-1])


def _two_logarithms(key: Key, label: bytes, seed: bytes) -> bytes:
    """u = rG, ū = (r+1)Ḡ, and what the formulas give otherwise."""
    group = key.group
    good = tdh2.encapsulate(key, label, seed)
    u_bar = group.encode(group.add(group.decode(good[64:96]), key.bar))
    return _proved(key, label, seed, good[32:64], u_bar)


def _proved(key: Key, label: bytes, seed: bytes, u: bytes, u_bar: bytes | None = None) -> bytes:
    """A capsule whose proof is computed as an honest sender would, but over these points."""
    group, good = key.group, tdh2.encapsulate(key, label, seed)
    r, s = (key.scalar(use, key.ctx, label, seed) for use in ("r", "s"))
    w, w_bar = (group.encode(group.times(s, base)) for base in (group.generator, key.bar))
    points = u + (u_bar or good[64:96])
    e = key.scalar("e", key.ctx, label, good[:32], points[:32], points[32:], w, w_bar)
    return good[:32] + points + bytes.fromhex(_number(e)) + bytes.fromhex(_number((s + r * e) % group.order))


def _torsioned(key: Key, label: bytes) -> bytes:
    two = next(point for point in TORSION if point != (0, 1) and add(point, point) == (0, 1))
    for attempt in range(100):
        seed = words(key.suite, "torsion", attempt)
        good = tdh2.encapsulate(key, label, seed)
        capsule = _proved(key, label, seed, encode(add(key.group.decode(good[32:64]), two)))
        if capsule[96] % 2 == 0:
            return capsule
    raise AssertionError("half of all challenges are even")


def _wrong(why: str, label: bytes, capsule: bytes) -> Row:
    return {"why": why, "label": label.hex(), "capsule": capsule.hex()}


def _bad(why: str, index: int, share: bytes) -> Row:
    return {"why": why, "index": index, "share": share.hex()}


def _again(scalar: bytes, order: int) -> bytes:
    """The same scalar in a second spelling."""
    return (int.from_bytes(scalar, "little") + order).to_bytes(32, "little")


def _number(value: int) -> str:
    return value.to_bytes(32, "little").hex()


def _public(group: SlowGroup, x: int) -> str:
    return group.encode(group.times(x, group.generator)).hex()


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
