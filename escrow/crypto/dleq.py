"""Proof that two points have the same discrete logarithm: log_G(h) = log_base2(share) (Chaum-Pedersen).

A proof is e (32 bytes) ‖ z (32 bytes). It holds for one ``context`` only, which must contain everything the
caller means by it: suite, keys, ciphertext, index, request. Source: Chaum and Pedersen, CRYPTO'92; the
challenge hashes the whole statement, as RFC 9497 section 2.2 does.
"""

from escrow.crypto.group import SIZE, Point, Scalar, hash_to_scalar
from escrow.encoding import expect
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import Tag

PROOF_SIZE = 2 * SIZE


def prove(x: Scalar, base2: Point, h: Point, share: Point, context: tuple[bytes, ...], coins: bytes) -> bytes:
    """64 bytes that show h = xG and share = x·base2.

    The nonce hashes the secret, fresh coins (32 bytes) and the statement together: a cloned generator never
    uses it for two statements, and a fault in one computation finds no second one to compare with.
    """
    statement = (*context, h.encode(), base2.encode(), share.encode())
    fresh = expect(coins, 32, "the coins of a proof")
    k = hash_to_scalar(Tag.DLEQ_NONCE, x.encode(), fresh, *statement)
    e = hash_to_scalar(Tag.DLEQ, *statement, h.group.base_mul(k).encode(), (k * base2).encode())
    return e.encode() + (k + e * x).encode()


def verify(
    h: Point,
    base2: Point,
    share: Point,
    proof: bytes,
    context: tuple[bytes, ...],
    *,
    reason: Reason = Reason.SHARE_INVALID,
) -> None:
    """Return if the proof holds; raise ``RefusedError(reason)`` for whatever is wrong with it."""
    try:
        e, z = Scalar.decode(proof[:SIZE]), Scalar.decode(proof[SIZE:])
        first = (h.group.base_mul(z) - e * h).encode()
        second = (z * base2 - e * share).encode()
        statement = (*context, h.encode(), base2.encode(), share.encode())
    except MalformedError as error:
        raise RefusedError(reason, error.detail) from None
    if hash_to_scalar(Tag.DLEQ, *statement, first, second) != e:
        raise RefusedError(reason, "the proof does not hold for this statement")
