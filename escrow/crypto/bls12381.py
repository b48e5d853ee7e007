"""BLS12-381, over arkworks by ``py_arkworks_bls12381``: the extra ``ibe``. Two groups of one order, and their pairing.

Committees make their keys in ``G2``, a ``Group`` like the others but with points of 96 bytes. Elements of the first
group, ``G1``, are what identities hash to and what custodians make of them; they are kept as the library's objects,
since every reading of 48 bytes is a square root. Results of the pairing are bytes to hash, and nothing else.

The library reads the identity, and a second spelling of it; its unchecked functions read points outside the group. Only
this module calls it, which knows. Never for signatures: a custodian's answer *is* a BLS signature on the identity, and
nothing but the domain in which identities are hashed keeps the two apart.

Sources: draft-irtf-cfrg-pairing-friendly-curves, section 4.2.1; RFC 9380, section 8.8; the compressed encoding is
ZCash's. Not constant time.
"""

from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import accumulate, repeat
from operator import add
from typing import ClassVar, Final, Self, final

from msgspec import Struct
from py_arkworks_bls12381 import GT, G1Point, G2Point
from py_arkworks_bls12381 import Scalar as Raw

from escrow.crypto.group import Group, Point, Scalar
from escrow.crypto.sharing import lagrange_at_zero
from escrow.encoding import expect
from escrow.errors import MalformedError, Reason, RefusedError

ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""r, the prime order of both groups."""

G1_SIZE: Final = 48
G2_SIZE: Final = 96

_HALF: Final = ORDER // 2


@final
class BlsScalar(Scalar, frozen=True, gc=False):
    """An integer modulo r; 32 bytes, little-endian."""

    order: ClassVar[int] = ORDER


@final
class _Arkworks:
    name = "BLS12381G2"
    size = G2_SIZE
    scalar: type[Scalar] = BlsScalar
    identity = G2Point.identity().to_compressed_bytes()

    def is_valid(self, point: bytes) -> bool:
        return _valid_g2(point) is not None

    def multiply(self, scalar: bytes, point: bytes) -> bytes:
        element = _valid_g2(point)
        if element is None:
            raise RuntimeError("not a point of the group")
        return (element * Raw.from_le_bytes(scalar)).to_compressed_bytes()

    def multiply_base(self, scalar: bytes) -> bytes:
        value, total = int.from_bytes(scalar, "little"), G2Point.identity()
        for multiples in _multiples_of_base():
            if digit := value & _DIGIT:
                total = total + multiples[digit]
            value >>= _WINDOW
        return total.to_compressed_bytes()

    def add(self, left: bytes, right: bytes) -> bytes:
        return (_own_g2(left) + _own_g2(right)).to_compressed_bytes()

    def sub(self, left: bytes, right: bytes) -> bytes:
        return (_own_g2(left) - _own_g2(right)).to_compressed_bytes()

    def hash(self, message: bytes, domain: bytes) -> bytes:
        # RFC 9380 section 8.8.2: BLS12381G2_XMD:SHA-256_SSWU_RO_
        return G2Point.hash_to_curve(message, domain).to_compressed_bytes()

    def self_test(self) -> None:
        """The pairing is bilinear, and what is no element, or another spelling of one, is refused."""
        two, six = BlsScalar(2), BlsScalar(6)
        element = G1.hash(b"self-test", b"ESCROW-V1-SELF-TEST_BLS12381G1_XMD:SHA-256_SSWU_RO_")
        if not pair_alike(two * element, G2.base_mul(BlsScalar(3)), six * element, G2.base):
            raise RefusedError(Reason.SELF_TEST_FAILED, "the pairing is not bilinear")
        if any(self.is_valid(bytes([first]) + bytes(G2_SIZE - 1)) for first in (0xC0, 0xE0)):
            raise RefusedError(Reason.SELF_TEST_FAILED, "BLS12-381 decoding")


_WINDOW: Final = 6
"""Bits of a scalar for which one multiple of the base point is looked up."""
_DIGIT: Final = (1 << _WINDOW) - 1


@cache
def _multiples_of_base() -> tuple[tuple[G2Point, ...], ...]:
    """By window, then by digit: 43 additions are a fifth of a multiplication, for which the library has no table."""
    rows, first = [], G2Point()
    for _ in range(-(-ORDER.bit_length() // _WINDOW)):
        row = tuple(accumulate(repeat(first, _DIGIT), add, initial=G2Point.identity()))
        rows.append(row)
        first = row[-1] + first
    return tuple(rows)


G2: Final = Group(_Arkworks())
"""The group in which committees of ``ibe`` have their key, and custodians their verification shares."""


@final
class G1(Struct, frozen=True):
    """An element of the first group. Made by hashing, decoding and arithmetic only."""

    _element: G1Point

    @classmethod
    def hash(cls, message: bytes, domain: bytes) -> Self:
        """An element whose logarithm nobody knows: ``BLS12381G1_XMD:SHA-256_SSWU_RO_`` of RFC 9380."""
        return cls(G1Point.hash_to_curve(message, domain))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read 48 bytes; raise ``MalformedError`` unless canonical, in the group, not the identity."""
        try:
            element = G1Point.from_compressed_bytes(expect(data, G1_SIZE, "a point of G1"))
        except ValueError:
            raise MalformedError("not a point of G1") from None
        if element.to_compressed_bytes() != data or element == G1Point.identity():
            raise MalformedError("the identity, or a second spelling of a point")
        return cls(element)

    @classmethod
    def combine(cls, shares: Mapping[int, bytes]) -> Self:
        """Interpolate at 0 what parties have said, by index; ``MalformedError`` unless the result is of the group.

        The shares are read without a look at the group each is in, half of what reading costs; the result is looked at
        instead. So this says nothing about single shares: whoever uses the result checks it.
        """
        try:
            read = G1Point.from_compressed_bytes_unchecked
            points = [read(expect(share, G1_SIZE, "a share")) for share in shares.values()]
        except ValueError:
            raise MalformedError("not a point of the curve") from None
        signs, weights = _weights(tuple(shares))
        total = G1Point.multiexp_unchecked([-p if less else p for p, less in zip(points, signs, strict=True)], weights)
        if not total.is_in_subgroup() or total == G1Point.identity():
            raise MalformedError("what was combined is not in the group")
        return cls(total)

    def encode(self) -> bytes:
        """48 bytes; raise ``MalformedError`` for the identity."""
        if self._element == G1Point.identity():
            raise MalformedError("the identity is not encoded")
        return self._element.to_compressed_bytes()

    def __rmul__(self, scalar: Scalar) -> "G1":
        if type(scalar) is not BlsScalar:
            raise AssertionError("a scalar of another group multiplies nothing here")
        return G1(self._element * Raw.from_le_bytes(scalar.encode()))

    def __repr__(self) -> str:
        # Identity keys are elements, too.
        return "G1(<hidden>)"


@lru_cache(maxsize=256)
def _weights(indices: tuple[int, ...]) -> tuple[list[bool], list[Raw]]:
    """Those of Lagrange, as sign and size: many are small or small and negative, and short ones multiply quickly."""
    weights = [weight.value for weight in lagrange_at_zero(indices, BlsScalar)]
    return [w > _HALF for w in weights], [Raw(min(w, ORDER - w)) for w in weights]


def pairing(left: G1, right: Point) -> bytes:
    """e(left, right), 576 bytes: its twelve coefficients as arkworks orders them, 48 bytes little-endian each."""
    return bytes.fromhex(str(GT.pairing(left._element, _live(right))))  # noqa: SLF001 - one of us


def pair_alike(left: G1, over: Point, right: G1, under: Point) -> bool:
    """Whether e(left, over) = e(right, under), for less than the price of two pairings."""
    elements = [left._element, -right._element]  # noqa: SLF001 - one of us
    return GT.pairing_check(elements, [_live(over), _live(under)])


def _live(point: Point) -> G2Point:
    element = _valid_g2(point.encode())
    if element is None:
        raise AssertionError("only points of G2 are paired")
    return element


@lru_cache(maxsize=1024)  # keys, commitments and verification shares, all public, come again and again
def _valid_g2(data: bytes) -> G2Point | None:
    """The element, if these bytes are its one encoding and it is not the identity."""
    try:
        element = G2Point.from_compressed_bytes(data)
    except ValueError:
        return None
    if element.to_compressed_bytes() != data or element == G2Point.identity():
        return None
    return element


def _own_g2(data: bytes) -> G2Point:
    """What we have encoded ourselves, the identity included."""
    return G2Point.from_compressed_bytes_unchecked(data)
