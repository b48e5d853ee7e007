"""A group of prime order, typed: what every scheme, proof and key generation calculates with.

A ``Scalar`` is always below the order and a ``Point`` is always in the group, so that no caller has to know how
unevenly libraries check. What a library does to encodings is a ``Library``; the two that there are stand in
``edwards25519`` and ``ristretto255``, and nobody else calls them. The scheme with pairings makes its keys in a group of
another order and other widths, ``bls12381``: so a group says what its scalars are and how long its points.

Not constant time: scalars are Python integers. Not for signing keys: Ed25519 seeds are hashed and clamped, which is
another group action altogether.
"""

import hashlib
from typing import ClassVar, Final, Protocol, Self, final

from msgspec import Struct

from escrow.encoding import expect, join
from escrow.errors import MalformedError
from escrow.tags import Tag

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""L, the prime order of edwards25519 and ristretto255."""

SIZE: Final = 32
"""Bytes of an encoded scalar, and of a point of these two."""


# Structs rather than dataclasses: a capsule makes thirty of these objects, and a frozen dataclass takes five times as
# long to make as a struct.


class Scalar(Struct, frozen=True, gc=False):
    """An integer modulo ``order``; 32 bytes, little-endian. A group of another order has a subclass."""

    value: int

    order: ClassVar[int] = ORDER

    def __post_init__(self) -> None:
        if not 0 <= self.value < self.order:
            raise AssertionError("a scalar is below the order of the group")

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read 32 bytes; raise ``MalformedError`` for a second encoding of a scalar (a value >= the order)."""
        value = int.from_bytes(expect(data, SIZE, "a scalar"), "little")
        if value >= cls.order:
            raise MalformedError("a scalar is not reduced")
        return cls(value)

    @classmethod
    def from_wide(cls, wide: bytes) -> Self:
        """Reduce 64 bytes, little-endian: uniform input gives a scalar that is uniform but for 2^-128."""
        return cls(int.from_bytes(expect(wide, 64, "a wide scalar"), "little") % cls.order)

    @classmethod
    def hashed(cls, tag: Tag, *fields: bytes) -> Self:
        """H2S: SHA-512 over the tagged tuple, reduced."""
        return cls.hashed_joined(tag, join(*fields))

    @classmethod
    def hashed_joined(cls, tag: Tag, joined: bytes) -> Self:
        """The same of fields that ``join`` has joined already; what is joined piece by piece is joined."""
        return cls(int.from_bytes(hashlib.sha512(tag.head + joined).digest(), "little") % cls.order)

    def encode(self) -> bytes:
        """32 bytes, little-endian."""
        return self.value.to_bytes(SIZE, "little")

    @property
    def is_zero(self) -> bool:
        """Whether this is the scalar that annihilates every point."""
        return self.value == 0

    def invert(self) -> Self:
        """The multiplicative inverse, in variable time: for public values."""
        if self.is_zero:
            raise AssertionError("zero has no inverse")
        return type(self)(pow(self.value, -1, self.order))

    def __add__(self, other: Self) -> Self:
        return type(self)((self.value + self._same(other)) % self.order)

    def __sub__(self, other: Self) -> Self:
        return type(self)((self.value - self._same(other)) % self.order)

    def __neg__(self) -> Self:
        return type(self)(-self.value % self.order)

    def __mul__(self, other: Self) -> Self:
        if not isinstance(other, Scalar):
            return NotImplemented
        return type(self)(self.value * self._same(other) % self.order)

    def _same(self, other: "Scalar") -> int:
        if type(other) is not type(self):
            raise AssertionError("scalars of two orders have no sum")
        return other.value

    def __repr__(self) -> str:
        return "Scalar(<hidden>)"


class Library(Protocol):
    """Arithmetic on encodings of ``size`` bytes. ``add`` and ``sub`` may be given points of the group only."""

    name: str
    """The group, as RFC 9380 and RFC 9496 spell it."""
    size: int
    """Bytes of an encoded point."""
    scalar: type[Scalar]
    """Integers modulo the order of the group."""
    identity: bytes
    """The encoding of the neutral element."""

    def is_valid(self, point: bytes) -> bool:
        """Whether these bytes are the one encoding of an element that is not the identity."""
        ...

    def multiply(self, scalar: bytes, point: bytes) -> bytes:
        """Scalar times point; ``RuntimeError`` unless the point is valid. The scalar is not zero."""
        ...

    def multiply_base(self, scalar: bytes) -> bytes:
        """Scalar times the base point. The scalar is not zero."""
        ...

    def add(self, left: bytes, right: bytes) -> bytes:
        """The sum; checks nothing."""
        ...

    def sub(self, left: bytes, right: bytes) -> bytes:
        """The difference; checks nothing."""
        ...

    def hash(self, message: bytes, domain: bytes) -> bytes:
        """An element whose logarithm nobody knows, by the hash of RFC 9380 that the group has."""
        ...

    def self_test(self) -> None:
        """Raise ``RefusedError(SELF_TEST_FAILED)`` if the library does not do what is relied on."""
        ...


@final
class Group(Struct, frozen=True):
    """A group of prime order with the arithmetic of a library."""

    library: Library

    @property
    def name(self) -> str:
        """As RFC 9380 and RFC 9496 spell it."""
        return self.library.name

    @property
    def size(self) -> int:
        """Bytes of an encoded point."""
        return self.library.size

    @property
    def scalar(self) -> type[Scalar]:
        """Integers modulo the order of the group."""
        return self.library.scalar

    @property
    def identity(self) -> "Point":
        """The neutral element: a result of arithmetic, never read and never written."""
        return Point(self.library, self.library.identity)

    @property
    def base(self) -> "Point":
        """G, the generator that the group's specification fixes."""
        return self.base_mul(self.scalar(1))

    def decode(self, data: bytes) -> "Point":
        """Read ``size`` bytes; raise ``MalformedError`` unless canonical, in the group, not the identity."""
        if not self.library.is_valid(expect(data, self.library.size, "a point")):
            raise MalformedError("not a point of the group")
        return Point(self.library, data)

    def decode_times(self, data: bytes, scalar: Scalar) -> "tuple[Point, Point]":
        """The point ``data`` and ``scalar`` times it, for little more than the multiplication alone.

        libsodium's multiplication makes the same checks as ``decode``, so making them before is a
        second subgroup check (60 of 190 µs). Raises ``MalformedError`` exactly when ``decode`` does.
        """
        if scalar.is_zero:
            return self.decode(data), self.identity
        try:
            product = self.library.multiply(_factor(scalar, self.library), expect(data, self.library.size, "a point"))
        except RuntimeError:
            raise MalformedError("not a point of the group") from None
        return Point(self.library, data), Point(self.library, product)

    def base_mul(self, scalar: Scalar) -> "Point":
        """``scalar`` times the base point, several times as fast as a general multiplication."""
        if not scalar.value:
            return self.identity
        return Point(self.library, self.library.multiply_base(_factor(scalar, self.library)))

    def hash(self, message: bytes, domain: bytes) -> "Point":
        """A point from ``message`` in ``domain`` (at most 255 bytes), whose logarithm nobody knows (RFC 9380)."""
        return Point(self.library, self.library.hash(message, domain))


@final
class Point(Struct, frozen=True):
    """An element of a group. Made by ``Group`` and by arithmetic only, never from raw bytes elsewhere."""

    library: Library
    _encoding: bytes

    @property
    def group(self) -> Group:
        """The group that it is an element of."""
        return Group(self.library)

    @property
    def is_identity(self) -> bool:
        """Whether this is the neutral element."""
        return self._encoding == self.library.identity

    def encode(self) -> bytes:
        """``Group.size`` bytes; raise ``MalformedError`` for the identity, which has no place in a message."""
        if self._encoding == self.library.identity:
            raise MalformedError("the identity is not encoded")
        return self._encoding

    def __add__(self, other: "Point") -> "Point":
        return Point(self.library, self.library.add(self._encoding, self._same(other)))

    def __sub__(self, other: "Point") -> "Point":
        return Point(self.library, self.library.sub(self._encoding, self._same(other)))

    def __neg__(self) -> "Point":
        return Point(self.library, self.library.sub(self.library.identity, self._encoding))

    def __rmul__(self, scalar: Scalar) -> "Point":
        # The libraries raise for both of these instead of answering with the identity.
        if not scalar.value or self._encoding == self.library.identity:
            return Point(self.library, self.library.identity)
        return Point(self.library, self.library.multiply(_factor(scalar, self.library), self._encoding))

    def _same(self, other: "Point") -> bytes:
        if other.library is not self.library:
            raise AssertionError("points of two groups have no sum")
        return other._encoding  # noqa: SLF001 - one of us

    def __repr__(self) -> str:
        # Shares and shared secrets are points too.
        return "Point(<hidden>)"


def _factor(scalar: Scalar, library: Library) -> bytes:
    if type(scalar) is not library.scalar:
        raise AssertionError("a scalar of another group multiplies nothing here")
    return scalar.encode()


def scalar_from_wide(wide: bytes) -> Scalar:
    """``Scalar.from_wide``, modulo L."""
    return Scalar.from_wide(wide)


def hash_to_scalar(tag: Tag, *fields: bytes) -> Scalar:
    """``Scalar.hashed``, modulo L."""
    return Scalar.hashed(tag, *fields)


def hash_joined(tag: Tag, joined: bytes) -> Scalar:
    """``Scalar.hashed_joined``, modulo L."""
    return Scalar.hashed_joined(tag, joined)
