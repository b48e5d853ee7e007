"""The prime-order subgroup of edwards25519, over libsodium by PyNaCl.

libsodium checks unevenly: a multiplication checks its point, an addition checks nothing, and scalars are read as 255
bits without reduction. Only ``group`` calls this, which knows.

Sources: RFC 8032 section 5.1; libsodium ``crypto_core_ed25519``; CVE-2025-69277.
"""

from collections.abc import Callable
from typing import Final, final

from nacl.bindings import (
    crypto_core_ed25519_add,
    crypto_core_ed25519_is_valid_point,
    crypto_core_ed25519_sub,
    crypto_scalarmult_ed25519_base_noclamp,
    crypto_scalarmult_ed25519_noclamp,
)

from escrow.crypto.elligator import hash_to_curve
from escrow.crypto.group import SIZE, Group, Scalar
from escrow.errors import Reason, RefusedError


@final
class _Libsodium:
    name = "edwards25519"
    size = SIZE
    scalar = Scalar
    identity = bytes([1]) + bytes(31)
    is_valid = staticmethod(crypto_core_ed25519_is_valid_point)
    multiply = staticmethod(crypto_scalarmult_ed25519_noclamp)
    multiply_base = staticmethod(crypto_scalarmult_ed25519_base_noclamp)
    add = staticmethod(crypto_core_ed25519_add)
    sub = staticmethod(crypto_core_ed25519_sub)
    hash = staticmethod(hash_to_curve)

    def self_test(self) -> None:
        self_test()


EDWARDS25519: Final = Group(_Libsodium())


def self_test(
    is_valid: Callable[[bytes], bool] = crypto_core_ed25519_is_valid_point,
    multiply: Callable[[bytes, bytes], bytes] = crypto_scalarmult_ed25519_noclamp,
) -> None:
    """Raise ``RefusedError`` if libsodium accepts the point of CVE-2025-69277 or clamps scalars.

    To be run once by a process before it touches a key. The library's functions are arguments so that
    a test can hand in broken ones.
    """
    base = EDWARDS25519.base.encode()
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
