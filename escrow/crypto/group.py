"""The prime-order subgroup of edwards25519, typed, over libsodium.

The only module that calls libsodium's group functions, because they check unevenly: a multiplication
checks its point, an addition checks nothing, and scalars are read as 255 bits without reduction. Here a
``Scalar`` is always below the order and a ``Point`` is always in the subgroup, so that no caller has to know.

Not constant time: scalars are Python integers. Not for signing keys: Ed25519 seeds are hashed and clamped,
which is another group action altogether.

Sources: RFC 8032 section 5.1; libsodium ``crypto_core_ed25519``; CVE-2025-69277.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, final

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)

from escrow.encoding import expect
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""L, the prime order of the subgroup."""

SIZE: Final = 32
"""Bytes of an encoded scalar or point."""


@final
@dataclass(frozen=True, slots=True, repr=False)
class Scalar:
    """An integer modulo ``ORDER``; 32 bytes, little-endian."""

    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value < ORDER:
            raise AssertionError("a scalar is below the order of the group")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read 32 bytes; raise ``MalformedError`` for a second encoding of a scalar (a value >= L)."""
        value = int.from_bytes(expect(data, SIZE, "a scalar"), "little")
        if value >= ORDER:
            raise MalformedError("a scalar is not reduced")
        return cls(value)

    def encode(self) -> bytes:
        """32 bytes, little-endian."""
        return self.value.to_bytes(SIZE, "little")

    @property
    def is_zero(self) -> bool:
        """Whether this is the scalar that annihilates every point."""
        return self.value == 0

    def invert(self) -> "Scalar":
        """The multiplicative inverse, in variable time: for public values."""
        if self.is_zero:
            raise AssertionError("zero has no inverse")
        return Scalar(pow(self.value, -1, ORDER))

    def __add__(self, other: "Scalar") -> "Scalar":
        return Scalar((self.value + other.value) % ORDER)

    def __sub__(self, other: "Scalar") -> "Scalar":
        return Scalar((self.value - other.value) % ORDER)

    def __neg__(self) -> "Scalar":
        return Scalar(-self.value % ORDER)

    def __mul__(self, other: "Scalar") -> "Scalar":
        if not isinstance(other, Scalar):
            return NotImplemented
        return Scalar(self.value * other.value % ORDER)

    def __repr__(self) -> str:
        return "Scalar(<hidden>)"


_IDENTITY: Final = bytes([1]) + bytes(31)


@final
@dataclass(frozen=True, slots=True, repr=False)
class Point:
    """An element of the subgroup. Made by ``decode`` and arithmetic only, never from raw bytes elsewhere."""

    _encoding: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read 32 bytes; raise ``MalformedError`` unless canonical, in the subgroup, not the identity."""
        if not crypto_core_ed25519_is_valid_point(expect(data, SIZE, "a point")):
            raise MalformedError("not a point of the subgroup")
        return cls(data)

    @classmethod
    def decode_times(cls, data: bytes, scalar: Scalar) -> "tuple[Self, Point]":
        """The point ``data`` and ``scalar`` times it, for little more than the multiplication alone.

        libsodium's multiplication makes the same checks as ``decode``, so making them before is a
        second subgroup check (60 of 190 µs). Raises ``MalformedError`` exactly when ``decode`` does.
        """
        if scalar.is_zero:
            return cls.decode(data), Point.identity()
        try:
            product = crypto_scalarmult_ed25519_noclamp(scalar.encode(), expect(data, SIZE, "a point"))
        except RuntimeError:
            raise MalformedError("not a point of the subgroup") from None
        return cls(data), Point(product)

    @classmethod
    def identity(cls) -> Self:
        """The neutral element: a result of arithmetic, never read and never written."""
        return cls(_IDENTITY)

    @property
    def is_identity(self) -> bool:
        """Whether this is the neutral element."""
        return self._encoding == _IDENTITY

    def encode(self) -> bytes:
        """32 bytes, as RFC 8032; raise ``MalformedError`` for the identity, which has no place in a message."""
        if self.is_identity:
            raise MalformedError("the identity is not encoded")
        return self._encoding

    def __add__(self, other: "Point") -> "Point":
        return Point(crypto_core_ed25519_add(self._encoding, other._encoding))

    def __sub__(self, other: "Point") -> "Point":
        return Point(crypto_core_ed25519_sub(self._encoding, other._encoding))

    def __neg__(self) -> "Point":
        return Point.identity() - self

    def __rmul__(self, scalar: Scalar) -> "Point":
        # libsodium raises for both of these instead of answering with the identity.
        if scalar.is_zero or self.is_identity:
            return Point.identity()
        return Point(crypto_scalarmult_ed25519_noclamp(scalar.encode(), self._encoding))

    def __repr__(self) -> str:
        # Shares and shared secrets are points too.
        return "Point(<hidden>)"


def base_mul(scalar: Scalar) -> Point:
    """``scalar`` times the base point, five times as fast as a general multiplication."""
    if scalar.is_zero:
        return Point.identity()
    return Point(crypto_scalarmult_ed25519_base_noclamp(scalar.encode()))


BASE: Final = base_mul(Scalar(1))
"""G, the base point of RFC 8032."""


def scalar_from_wide(wide: bytes) -> Scalar:
    """Reduce 64 bytes, little-endian: uniform input gives a scalar that is uniform but for 2^-128."""
    return Scalar(int.from_bytes(expect(wide, 64, "a wide scalar"), "little") % ORDER)


def hash_to_scalar(tag: Tag, *fields: bytes) -> Scalar:
    """H2S: SHA-512 over the tagged tuple, reduced."""
    return scalar_from_wide(hashlib.sha512(T(tag, *fields)).digest())


def self_test(
    is_valid: Callable[[bytes], bool] = crypto_core_ed25519_is_valid_point,
    multiply: Callable[[bytes, bytes], bytes] = crypto_scalarmult_ed25519_noclamp,
) -> None:
    """Raise ``RefusedError`` if libsodium accepts the point of CVE-2025-69277 or clamps scalars.

    To be run once by a process before it touches a key. The library's functions are arguments so that
    a test can hand in broken ones.
    """
    base = BASE.encode()
    # (x, y) + (0, -1) = (-x, -y): a point of order 2L that the broken check took for one of order L.
    y = int.from_bytes(base, "little")
    mixed = ((2**255 - 19 - y) | 1 << 255).to_bytes(SIZE, "little")
    if not is_valid(base) or is_valid(mixed):
        raise RefusedError(Reason.SELF_TEST_FAILED, "libsodium's subgroup check")
    try:
        multiply(Scalar(1).encode(), mixed)
    except RuntimeError:
        pass
    else:
        raise RefusedError(Reason.SELF_TEST_FAILED, "libsodium multiplies points outside the subgroup")
    two, three, five = (multiply(Scalar(n).encode(), base) for n in (2, 3, 5))
    if crypto_core_ed25519_add(two, three) != five:
        raise RefusedError(Reason.SELF_TEST_FAILED, "libsodium clamps scalars")
