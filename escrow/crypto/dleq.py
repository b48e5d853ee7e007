"""Proof that two points have the same discrete logarithm: log_G(h) = log_base2(share) (Chaum-Pedersen).

A proof is e (32 bytes) ‖ z (32 bytes). It holds for one ``context`` only, which must contain everything the
caller means by it: suite, keys, ciphertext, index, request. Source: Chaum and Pedersen, CRYPTO'92; the
challenge hashes the whole statement, as RFC 9497 section 2.2 does.
"""

from escrow.crypto.group import SIZE, Group, Point, Scalar
from escrow.encoding import expect, join
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import Tag

PROOF_SIZE = 2 * SIZE


def prove(x: Scalar, base2: Point, h: Point, share: Point, context: tuple[bytes, ...], coins: bytes) -> bytes:
    """64 bytes that show h = xG and share = x·base2.

    The nonce hashes the secret, fresh coins (32 bytes) and the statement together: a cloned generator never
    uses it for two statements, and a fault in one computation finds no second one to compare with.
    """
    statement = join(*context, h.encode(), base2.encode(), share.encode())
    fresh = expect(coins, 32, "the coins of a proof")
    hashed = type(x).hashed_joined
    k = hashed(Tag.DLEQ_NONCE, join(x.encode(), fresh) + statement)
    e = hashed(Tag.DLEQ, statement + join(h.group.base_mul(k).encode(), (k * base2).encode()))
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
        statement = (h.encode(), base2.encode(), share.encode())
    except MalformedError as error:
        raise RefusedError(reason, error.detail) from None
    verify_encoded(h.group, *statement, proof, context, reason=reason)


def verify_encoded(
    group: Group,
    h: bytes,
    base2: bytes,
    share: bytes,
    proof: bytes,
    context: tuple[bytes, ...],
    *,
    reason: Reason = Reason.SHARE_INVALID,
) -> None:
    """The same about points that nobody has read yet, for half the price of reading them first."""
    try:
        e, z = group.scalar.decode(proof[:SIZE]), group.scalar.decode(proof[SIZE:])
        # Each of the three is multiplied once, and that is what checks it: nothing unchecked is ever added.
        (_, eh), (_, zu), (_, es) = (group.decode_times(data, by) for data, by in ((h, e), (base2, z), (share, e)))
        first, second = (group.base_mul(z) - eh).encode(), (zu - es).encode()
    except MalformedError as error:
        raise RefusedError(reason, error.detail) from None
    if group.scalar.hashed_joined(Tag.DLEQ, join(*context, h, base2, share, first, second)) != e:
        raise RefusedError(reason, "the proof does not hold for this statement")
