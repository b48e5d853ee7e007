"""Hashing to edwards25519: RFC 9380, suite ``edwards25519_XMD:SHA-512_ELL2_RO_``, in pure Python.

For second generators, whose discrete logarithm nobody must know. Inputs are public: nothing here is
constant time. libsodium's own map is another function, without published vectors, and is not used.
"""

from typing import Final

from escrow.crypto.expand import expand_message_xmd

_P: Final = 2**255 - 19
_D: Final = -121665 * pow(121666, -1, _P) % _P
_J: Final = 486662
_SQRT_MINUS_1: Final = pow(2, (_P - 1) // 4, _P)
_FIELD_BYTES: Final = 48


def hash_to_curve(message: bytes, dst: bytes) -> bytes:
    """The encoding of a point of the subgroup, from ``message`` in the domain ``dst`` (at most 255 bytes)."""
    uniform = expand_message_xmd(message, dst, 2 * _FIELD_BYTES)
    u0, u1 = (int.from_bytes(uniform[at : at + _FIELD_BYTES], "big") % _P for at in (0, _FIELD_BYTES))
    point = _add(map_to_curve(u0), map_to_curve(u1))
    for _ in range(3):  # times the cofactor, 8
        point = _add(point, point)
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def map_to_curve(u: int) -> tuple[int, int]:
    """Elligator 2 (section 6.7.1, Z = 2) to curve25519, carried over to affine edwards25519 (appendix D.1)."""
    # 1 + 2u² is never 0, because -1 is a square modulo p and 2 is not; one of the two candidates has a root.
    s, sign = -_J * _invert(1 + 2 * u * u) % _P, 1
    if not _is_square(_montgomery(s)):
        s, sign = (-s - _J) % _P, 0
    t = _root(_montgomery(s), sign)
    if t == 0:  # s = t = 0, the one pole of the rational map: no point of the curve has s = -1
        return 0, 1
    return _SCALE * s * _invert(t) % _P, (s - 1) * _invert(s + 1) % _P


def _montgomery(s: int) -> int:
    """The right-hand side of t² = s³ + Js² + s."""
    return s * (s * s + _J * s + 1) % _P


def _is_square(value: int) -> bool:
    return pow(value, (_P - 1) // 2, _P) in (0, 1)


def _root(square: int, parity: int) -> int:
    """The root of a square modulo p = 5 (mod 8) that has this parity."""
    root = pow(square, (_P + 3) // 8, _P)
    if root * root % _P != square:
        root = root * _SQRT_MINUS_1 % _P
    return root if root & 1 == parity else -root % _P


def _invert(value: int) -> int:
    return pow(value, _P - 2, _P)


def _add(left: tuple[int, int], right: tuple[int, int]) -> tuple[int, int]:
    """The complete addition law of -x² + y² = 1 + dx²y² (RFC 8032 section 5.1.4, in affine form)."""
    (x1, y1), (x2, y2) = left, right
    cross = _D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * _invert(1 + cross) % _P
    y = (y1 * y2 + x1 * x2) * _invert(1 - cross) % _P
    return x, y


_SCALE: Final = _root(-(_J + 2) % _P, 0)
"""The even root of -486664, the factor between the two curves' coordinates."""
