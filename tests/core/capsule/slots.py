"""What a malicious sender can put into one custodian's slot of a capsule with KEM keys."""

from escrow.capsule.schemes import CommitteeContext
from escrow.capsule.schemes.pq import MASKED_SIZE, SLOT_SIZE, _Place
from escrow.crypto import aead
from escrow.crypto.group import Scalar
from escrow.crypto.xwing import encapsulate


def slot(capsule: bytes, index: int) -> bytes:
    """The slot of custodian ``index`` in a ``pq`` capsule."""
    start = MASKED_SIZE + (index - 1) * SLOT_SIZE
    return capsule[start : start + SLOT_SIZE]


def with_slot(capsule: bytes, index: int, other: bytes) -> bytes:
    start = MASKED_SIZE + (index - 1) * SLOT_SIZE
    return capsule[:start] + other + capsule[start + SLOT_SIZE :]


def forged(
    ctx: CommitteeContext, label: bytes, index: int, share: bytes | Scalar, rho: bytes = bytes(32), key: bytes = b""
) -> bytes:
    """A slot that is well made, but of another share, or for another key."""
    place, opened = _Place(ctx.encode(), label), (share if isinstance(share, bytes) else share.encode()) + rho
    secret, ciphertext = encapsulate(key or ctx.kems[index - 1], bytes(64))
    wrapping = place.wrapping_key(secret, index, ciphertext)
    return ciphertext + aead.seal(wrapping, bytes(12), opened, place.wrapped_with(index)) + place.com(index, opened)
