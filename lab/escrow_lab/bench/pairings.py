"""What the scheme ``ibe`` cannot do without: the calls of arkworks that each operation needs. Needs the extra ``ibe``.

The limits read as the operations do: a day of one account has one identity, whose hash a sender computes once, while a
custodian that is asked for it computes it anew.
"""

from typing import Final

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar

from escrow_lab.bench.measure import Step

_NAME, _DOMAIN = bytes(250), b"BENCH_BLS12381G1_XMD:SHA-256_SSWU_RO_"
_SCALAR: Final = Scalar.from_le_bytes(b"\x5a" * 32)
"""As long as scalars are, for a shorter one multiplies sooner."""
_IDENTITY: Final = G1Point.hash_to_curve(_NAME, _DOMAIN)
_BASE: Final = G2Point()
_U: Final = (_BASE * _SCALAR).to_compressed_bytes()
_KEY: Final = _IDENTITY.to_compressed_bytes()


def encapsulating() -> None:
    """Two multiplications in G2, one in G1, a pairing."""
    for _ in range(2):
        (_BASE * _SCALAR).to_compressed_bytes()
    GT.pairing(_IDENTITY * _SCALAR, _BASE)


def sharing() -> None:
    """A hash to G1 and a multiplication there."""
    (G1Point.hash_to_curve(_NAME, _DOMAIN) * _SCALAR).to_compressed_bytes()


def opening(t: int) -> Step:
    """t shares read without a check, one sum of multiples, its check; a pairing with U; the capsule made again."""
    shares = [(_IDENTITY * Scalar(index)).to_compressed_bytes() for index in range(1, t + 1)]
    weights = [_SCALAR] * t

    def run() -> None:
        points = [G1Point.from_compressed_bytes_unchecked(share) for share in shares]
        G1Point.multiexp_unchecked(points, weights).is_in_subgroup()
        G1Point.from_compressed_bytes(_KEY)
        GT.pairing(_IDENTITY, G2Point.from_compressed_bytes(_U))
        encapsulating()

    return run
