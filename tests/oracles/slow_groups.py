"""Groups without a library: edwards25519, ristretto255, and one of 1009 elements, which can be searched to the end.

Affine coordinates and Python's integers, from RFC 9380 and RFC 9496 alone: no line of the product, nothing constant
time, some milliseconds a multiplication.
"""

import hashlib
from typing import Any, Protocol

from tests.core.crypto import edwards
from tests.core.crypto.edwards import D, P

Element = Any
"""Whatever a group calculates with."""


class SlowGroup(Protocol):
    """A cyclic group of prime order, written additively. Elements are encoded in 32 bytes."""

    name: str
    order: int
    generator: Element

    def add(self, a: Element, b: Element) -> Element: ...

    def times(self, n: int, a: Element) -> Element: ...

    def encode(self, a: Element) -> bytes:
        """``ValueError`` for the neutral element."""
        ...

    def decode(self, data: bytes) -> Element:
        """``ValueError`` unless this is the one encoding of an element that is not the neutral one."""
        ...

    def hash(self, message: bytes, domain: bytes) -> Element: ...


class Edwards:
    """The subgroup of prime order of edwards25519 (RFC 8032), hashing by Elligator 2 (RFC 9380 section 6.7.1)."""

    name = "edwards25519"
    order = edwards.L
    generator = edwards.GENERATOR
    add = staticmethod(edwards.add)
    times = staticmethod(edwards.times)

    def encode(self, a: edwards.Affine) -> bytes:
        if a == edwards.NEUTRAL:
            raise ValueError("the neutral element")
        return edwards.encode(a)

    def decode(self, data: bytes) -> edwards.Affine:
        try:
            point = edwards.decode(data)
        except StopIteration:
            raise ValueError("no root has this sign") from None
        if edwards.encode(point) != data or point == edwards.NEUTRAL:
            raise ValueError("another encoding than the one there is")
        if edwards.times(edwards.L, point) != edwards.NEUTRAL:
            raise ValueError("outside of the subgroup")
        return point

    def hash(self, message: bytes, domain: bytes) -> edwards.Affine:
        uniform = expand(message, domain, 96)
        first, second = (_elligator(int.from_bytes(half, "big") % P) for half in (uniform[:48], uniform[48:]))
        return edwards.times(8, edwards.add(first, second))


class Ristretto:
    """RFC 9496: elements are points of edwards25519, of which eight count as one; the encoding tells no difference."""

    name = "ristretto255"
    order = edwards.L
    generator = edwards.GENERATOR
    add = staticmethod(edwards.add)
    times = staticmethod(edwards.times)

    def encode(self, a: edwards.Affine) -> bytes:
        """Section 4.3.2, with z = 1."""
        x, y = a
        u1, u2 = (1 + y) * (1 - y) % P, x * y % P
        _, inverse = _root_of_ratio(1, u1 * u2 * u2)
        den1, den2 = inverse * u1 % P, inverse * u2 % P
        z_inverse = den1 * den2 * u2 % P
        if u2 * z_inverse % P & 1:
            x, y, den = y * _I % P, x * _I % P, den1 * _INVERSE_ROOT_A_MINUS_D % P
        else:
            den = den2
        if x * z_inverse % P & 1:
            y = -y % P
        if not (s := _positive(den * (1 - y))):
            raise ValueError("the neutral element")
        return s.to_bytes(32, "little")

    def decode(self, data: bytes) -> edwards.Affine:
        """Section 4.3.1."""
        s = int.from_bytes(data, "little")
        if s >= P or s & 1 or s == 0:
            raise ValueError("not the encoding of an element, or of the neutral one")
        u1, u2 = (1 - s * s) % P, (1 + s * s) % P
        v = (-D * u1 * u1 - u2 * u2) % P
        square, inverse = _root_of_ratio(1, v * u2 * u2)
        x = _positive(2 * s * inverse * u2)
        y = u1 * inverse * inverse * u2 * v % P
        if not square or x * y % P & 1 or y == 0:
            raise ValueError("not the encoding of an element")
        return x, y

    def hash(self, message: bytes, domain: bytes) -> edwards.Affine:
        """RFC 9380 appendix B, over section 4.3.4."""
        uniform = expand(message, domain, 64)
        halves = (int.from_bytes(half, "little") % 2**255 % P for half in (uniform[:32], uniform[32:]))
        first, second = (_ristretto_map(half) for half in halves)
        return edwards.add(first, second)


class Toy:
    """The subgroup of order 1009 of the integers modulo 10091, written additively as the others. It hides nothing."""

    name = "toy-1009"
    order = 1009
    modulus = 10091
    generator = pow(2, 10, 10091)

    def add(self, a: int, b: int) -> int:
        return a * b % self.modulus

    def times(self, n: int, a: int) -> int:
        return pow(a, n, self.modulus)

    def encode(self, a: int) -> bytes:
        if a == 1:
            raise ValueError("the neutral element")
        return a.to_bytes(32, "little")

    def decode(self, data: bytes) -> int:
        a = int.from_bytes(data, "little")
        if not 1 < a < self.modulus or pow(a, self.order, self.modulus) != 1:
            raise ValueError("not an element, or the neutral one")
        return a

    def hash(self, message: bytes, domain: bytes) -> int:
        return self.times(1 + int.from_bytes(expand(message, domain, 64), "big") % (self.order - 1), self.generator)


def expand(message: bytes, domain: bytes, length: int) -> bytes:
    """``expand_message_xmd`` with SHA-512 (RFC 9380 section 5.3.1)."""
    prime = domain + len(domain).to_bytes(1, "big")
    zero = hashlib.sha512(bytes(128) + message + length.to_bytes(2, "big") + bytes(1) + prime).digest()
    blocks = [hashlib.sha512(zero + b"\x01" + prime).digest()]
    while 64 * len(blocks) < length:
        mixed = int.from_bytes(zero, "big") ^ int.from_bytes(blocks[-1], "big")
        blocks.append(hashlib.sha512(mixed.to_bytes(64, "big") + bytes([len(blocks) + 1]) + prime).digest())
    return b"".join(blocks)[:length]


# -- the field --------------------------------------------------------------------------------------------------------

_I = pow(2, (P - 1) // 4, P)
"""A root of -1: the even one, as RFC 9496 has it."""


def _positive(value: int) -> int:
    return value % P if value % P & 1 == 0 else -value % P


def _root_of_ratio(u: int, v: int) -> tuple[bool, int]:
    """SQRT_RATIO_M1 of RFC 9496 section 4.2: whether u/v is a square, and the even root of it or of i·u/v."""
    ratio = u * pow(v, P - 2, P) % P
    for is_square, value in ((True, ratio), (False, ratio * _I % P)):
        root = pow(value, (P + 3) // 8, P)
        for candidate in (root, root * _I % P):
            if candidate * candidate % P == value:
                return is_square, _positive(candidate)
    raise AssertionError("one of a value and i times it is a square")


def _root(value: int) -> int:
    square, root = _root_of_ratio(value % P, 1)
    assert square
    return root


_A = 486662
_EDWARDS_OVER_MONTGOMERY = _root(-(_A + 2))
_ROOT_AD_MINUS_ONE = -_root(-D - 1) % P
"""The odd root: RFC 9496 section 4.1 fixes it."""
_INVERSE_ROOT_A_MINUS_D = _root(pow(-1 - D, P - 2, P))


def _elligator(u: int) -> edwards.Affine:
    def curve(s: int) -> int:
        return (s**3 + _A * s * s + s) % P

    s = -_A * pow(1 + 2 * u * u, P - 2, P) % P
    square, _ = _root_of_ratio(curve(s), 1)
    if not square:
        s = (-s - _A) % P
    t = _root(curve(s))
    t = -t % P if square else t
    if t == 0 or s == P - 1:
        return edwards.NEUTRAL
    return _EDWARDS_OVER_MONTGOMERY * s * pow(t, P - 2, P) % P, (s - 1) * pow(s + 1, P - 2, P) % P


def _ristretto_map(t: int) -> edwards.Affine:
    r = _I * t * t % P
    u, v = (r + 1) * (1 - D * D) % P, (-1 - r * D) * (r + D) % P
    square, s = _root_of_ratio(u, v)
    if not square:
        s = -_positive(s * t) % P
    c = -1 if square else r
    n = (c * (r - 1) * (D - 1) ** 2 - v) % P
    x = 2 * s * v * pow(n * _ROOT_AD_MINUS_ONE, P - 2, P) % P
    y = (1 - s * s) * pow(1 + s * s, P - 2, P) % P
    return x, y


def group_of(suite: int) -> SlowGroup:
    """As the specification numbers the suites of TDH2."""
    groups: dict[int, SlowGroup] = {1: Edwards(), 2: Ristretto()}
    return groups[suite]
