"""ristretto255 (RFC 9496), over the libsodium that ``rbcl`` brings along: the extra ``ristretto``.

Elements have one encoding and there is no torsion, so a multiplication costs little more than half of edwards25519's.
The identity is an encoding like any other here, and additions return silently whatever they are given: only ``group``
calls this, which knows. The libsodium in ``rbcl`` 1.1.2 takes no notice of the highest bit, so each element would have
two encodings; RFC 9496 has one, and so have we.
"""

from typing import Final, final

import rbcl

from escrow.crypto.expand import expand_message_xmd
from escrow.crypto.group import SIZE, Group, Scalar
from escrow.errors import Reason, RefusedError

_IDENTITY: Final = bytes(32)


@final
class _Rbcl:
    name = "ristretto255"
    size = SIZE
    scalar = Scalar
    identity = _IDENTITY
    multiply_base = staticmethod(rbcl.crypto_scalarmult_ristretto255_base)
    add = staticmethod(rbcl.crypto_core_ristretto255_add)
    sub = staticmethod(rbcl.crypto_core_ristretto255_sub)

    def is_valid(self, point: bytes) -> bool:
        return _one_spelling(point) and point != _IDENTITY and bool(rbcl.crypto_core_ristretto255_is_valid_point(point))

    def multiply(self, scalar: bytes, point: bytes) -> bytes:
        if point[31] >= 0x80:  # spelled a second time: once a call less in each multiplication there is
            raise RuntimeError("an encoding with its highest bit set")
        return bytes(rbcl.crypto_scalarmult_ristretto255(scalar, point))

    def hash(self, message: bytes, domain: bytes) -> bytes:
        # RFC 9380 appendix B: ristretto255_XMD:SHA-512_R255MAP_RO_
        return bytes(rbcl.crypto_core_ristretto255_from_hash(expand_message_xmd(message, domain, 64)))

    def self_test(self) -> None:
        """The base point is RFC 9496's, scalars are not clamped, and what is no element is refused."""
        two, three, five = (RISTRETTO255.base_mul(Scalar(n)) for n in (2, 3, 5))
        if two + three != five or Scalar(5) * RISTRETTO255.base != five or five.encode() != _FIVE:
            raise RefusedError(Reason.SELF_TEST_FAILED, "ristretto255 arithmetic")
        if self.is_valid(b"\xff" * 32) or self.is_valid(_IDENTITY):
            raise RefusedError(Reason.SELF_TEST_FAILED, "ristretto255 decoding")


def _one_spelling(point: bytes) -> bool:
    return point[31] < 0x80


RISTRETTO255: Final = Group(_Rbcl())

_FIVE: Final = bytes.fromhex("e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e")
"""Five times the generator, RFC 9496 appendix A.1."""
