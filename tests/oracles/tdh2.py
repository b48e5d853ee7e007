"""TDH2 once more, from its formulas alone: slow, small, over any group of ``slow_groups``, without the product.

Shoup and Gennaro, J. Cryptology 15(2), 2002, with label, key and committee hashed throughout. What is named here is
named so in ``tests/vectors/README.md``, which has the formulas.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.oracles.layout import tagged
from tests.oracles.slow_groups import Element, SlowGroup

CAPSULE, SHARE = 160, 96


class BadCapsuleError(Exception):
    """It does not verify."""


class BadShareError(Exception):
    """Its proof does not hold."""


@dataclass(frozen=True)
class Key:
    """A committee's public key, and the context that everything is hashed with."""

    group: SlowGroup
    suite: int
    committee_key_hash: bytes
    y: Element
    bar: Element
    """Ḡ"""

    @property
    def ctx(self) -> bytes:
        points = self.group.encode(self.y), self.group.encode(self.bar)
        return tagged("ctx", self.suite.to_bytes(2, "big"), self.committee_key_hash, *points)

    def scalar(self, use: str, *fields: bytes) -> int:
        return int.from_bytes(hashlib.sha512(tagged(use, *fields)).digest(), "little") % self.group.order


@dataclass(frozen=True)
class Asked:
    """What a share is made for."""

    generation_hash: bytes
    label: bytes
    capsule: bytes
    request_hash: bytes


def second_generator(group: SlowGroup, proposal_hash: bytes, y: Element) -> Element:
    """Ḡ"""
    form = {"edwards25519": "XMD:SHA-512_ELL2_RO_", "ristretto255": "XMD:SHA-512_R255MAP_RO_"}.get(group.name, "")
    domain = f"ESCROW-V1-TDH2-GAMMA_{group.name}_{form}".encode()
    return group.hash(tagged("gamma", proposal_hash, group.encode(y)), domain)


def share_of(group: SlowGroup, coefficients: Sequence[int], index: int) -> int:
    """f(index) of the polynomial whose constant term is the committee's secret."""
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * index + coefficient) % group.order
    return value


def encapsulate(key: Key, label: bytes, seed: bytes) -> bytes:
    group, ctx = key.group, key.ctx
    r, s = (key.scalar(use, ctx, label, seed) for use in ("r", "s"))
    u, u_bar = _multiples(group, r, group.generator, key.bar)
    w, w_bar = _multiples(group, s, group.generator, key.bar)
    c = _masked(key, label, u, group.times(r, key.y), seed)
    e = key.scalar("e", ctx, label, c, u, u_bar, w, w_bar)
    return c + u + u_bar + _number(e) + _number((s + r * e) % group.order)


def verify(key: Key, label: bytes, capsule: bytes) -> None:
    group = key.group
    try:
        c, u, u_bar, e, f = _cut(capsule, CAPSULE)
        challenge, response = _scalar(group, e), _scalar(group, f)
        w, w_bar = (
            group.encode(group.add(group.times(response, base), group.times(-challenge % group.order, point)))
            for base, point in ((group.generator, group.decode(u)), (key.bar, group.decode(u_bar)))
        )
    except ValueError as error:
        raise BadCapsuleError from error
    if challenge == 0 or key.scalar("e", key.ctx, label, c, u, u_bar, w, w_bar) != challenge:
        raise BadCapsuleError


def share(key: Key, asked: Asked, x: int, index: int, coins: bytes) -> bytes:
    """x·u, and the proof that x is the logarithm of h, too."""
    verify(key, asked.label, asked.capsule)
    group = key.group
    u = asked.capsule[32:64]
    h, part = group.encode(group.times(x, group.generator)), group.encode(group.times(x, group.decode(u)))
    statement = _statement(key, asked, index, h, u, part)
    k = key.scalar("dleq-nonce", _number(x), coins, *statement)
    e = key.scalar("dleq", *statement, *_multiples(group, k, group.generator, group.decode(u)))
    return part + _number(e) + _number((k + e * x) % group.order)


def verify_share(key: Key, asked: Asked, h: bytes, index: int, given: bytes) -> None:
    group, u = key.group, asked.capsule[32:64]
    try:
        part, e, z = _cut(given, SHARE)
        challenge, response = _scalar(group, e), _scalar(group, z)
        a, b = (
            group.encode(group.add(group.times(response, base), group.times(-challenge % group.order, point)))
            for base, point in ((group.generator, group.decode(h)), (group.decode(u), group.decode(part)))
        )
    except ValueError as error:
        raise BadShareError from error
    if key.scalar("dleq", *_statement(key, asked, index, h, u, part), a, b) != challenge:
        raise BadShareError


def recover(key: Key, label: bytes, capsule: bytes, shares: Mapping[int, bytes]) -> bytes:
    """The seed, if threshold good shares are given; something else otherwise."""
    group, (c, u, *_) = key.group, _cut(capsule, CAPSULE)
    terms = [group.times(weight(group, shares, index), group.decode(one[:32])) for index, one in shares.items()]
    shared = terms[0]
    for term in terms[1:]:
        shared = group.add(shared, term)
    return _masked(key, label, u, shared, c)


def weight(group: SlowGroup, indices: Mapping[int, object], index: int) -> int:
    """Lagrange's, at zero."""
    above, below = 1, 1
    for other in indices:
        if other != index:
            above, below = above * other, below * (other - index)
    return above * pow(below, -1, group.order) % group.order


def _masked(key: Key, label: bytes, u: bytes, shared: Element, data: bytes) -> bytes:
    mask = hashlib.sha512(tagged("kem", key.ctx, label, u, key.group.encode(shared))).digest()
    return bytes(a ^ b for a, b in zip(data, mask[:32], strict=True))


def _statement(key: Key, asked: Asked, index: int, h: bytes, u: bytes, part: bytes) -> tuple[bytes, ...]:
    about = asked.generation_hash, asked.label, asked.capsule, index.to_bytes(4, "big"), asked.request_hash
    return (key.ctx, *about, h, u, part)


def _multiples(group: SlowGroup, n: int, *points: Element) -> tuple[bytes, ...]:
    return tuple(group.encode(group.times(n, point)) for point in points)


def _cut(data: bytes, size: int) -> tuple[bytes, ...]:
    if len(data) != size:
        raise ValueError(f"{len(data)} bytes")
    return tuple(data[at : at + 32] for at in range(0, size, 32))


def _number(value: int) -> bytes:
    return value.to_bytes(32, "little")


def _scalar(group: SlowGroup, data: bytes) -> int:
    value = int.from_bytes(data, "little")
    if value >= group.order:
        raise ValueError("not reduced")
    return value
