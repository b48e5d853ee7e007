"""What the relay signs for: a receipt per item, one signature per frame, a promise by when it is in the log.

Each receipt proves one place in one frame; its ``ingest_seq`` is its place in the relay's own tree, whose roots are
entries of the main log. A receipt that is not under a logged root by ``include_by`` is proof against the relay.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from msgspec import Struct

from escrow.crypto.sign import SigningKey, verify
from escrow.encoding import number, u32, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import T, Tag, fields
from escrow.tlog.merkle import leaf_hash, paths_of, root_of, verify_inclusion

MOST_IN_FRAME = 256


class Receipt(Struct, frozen=True, gc=False):
    """``ingest_time`` in ms is one per frame; the conversation tag, sender and epoch are the label's."""

    submit_hash: bytes
    conv_tag: bytes
    sender_account: bytes
    sender_device: int
    epoch: int
    ingest_seq: int
    ingest_time: int

    def encode(self) -> bytes:
        """``T("receipt", …)``, 205 bytes."""
        return T(
            Tag.RECEIPT,
            self.submit_hash,
            self.conv_tag,
            self.sender_account,
            u32(self.sender_device),
            u64(self.epoch),
            u64(self.ingest_seq),
            u64(self.ingest_time),
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; raise ``MalformedError``."""
        submit, tag, account, device, epoch, seq, time = fields(Tag.RECEIPT, data, 32, 32, 32, 4, 8, 8, 8)
        return cls(submit, tag, account, number(device), number(epoch), number(seq), number(time))


class Frame(Struct, frozen=True, gc=False):
    """What one signature covers: ``count`` receipts under ``root``, to be in the log by ``include_by`` (ms)."""

    relay: bytes
    root: bytes
    count: int
    include_by: int

    def encode(self) -> bytes:
        """``T("frame", relay 32, root 32, count u32, include_by u64)``, 131 bytes."""
        return T(Tag.FRAME, self.relay, self.root, u32(self.count), u64(self.include_by))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; raise ``MalformedError``."""
        relay, root, count, include_by = fields(Tag.FRAME, data, 32, 32, 4, 8)
        return cls(relay, root, number(count), number(include_by))


def sign_frame(receipts: Sequence[bytes], relay: SigningKey, include_by: int) -> tuple[bytes, bytes, list[bytes]]:
    """(frame, signature 64, a path per receipt: u32 place ‖ hashes) for encoded receipts."""
    frame = Frame(relay.public, root_of(receipts), len(receipts), include_by).encode()
    paths = [u32(place) + b"".join(path) for place, path in enumerate(paths_of(receipts))]
    return frame, relay.sign(frame), paths


def verify_receipt(receipt: bytes, path: bytes, frame: bytes, signature: bytes, relay: bytes) -> tuple[Receipt, Frame]:
    """The receipt and its frame, if the relay with this key signed for it at exactly that place.

    Raises ``MalformedError``, or ``RefusedError(RECEIPT_INVALID)``.
    """
    parsed, signed = Receipt.decode(receipt), Frame.decode(frame)
    if len(path) < 4 or len(path) % 32 != 4:
        raise MalformedError("a receipt path of a broken length")
    hashes = [path[at : at + 32] for at in range(4, len(path), 32)]
    try:
        verify(relay, frame, signature)
        verify_inclusion(leaf_hash(receipt), number(path[:4]), signed.count, hashes, signed.root)
    except EscrowError as error:
        raise RefusedError(Reason.RECEIPT_INVALID, error.detail) from error
    if signed.relay != relay or signed.count > MOST_IN_FRAME:
        raise RefusedError(Reason.RECEIPT_INVALID, "the frame is another relay's, or too large")
    return parsed, signed


def ingest_leaf(receipt: bytes) -> bytes:
    """The leaf data of a receipt in the relay's ingest tree."""
    return hashlib.sha256(receipt).digest()


@dataclass(frozen=True, slots=True)
class IngestRoot:
    """The relay's tree of receipts at ``time`` (ms), as it stands in the main log."""

    relay: bytes
    size: int
    root: bytes
    time: int

    def encode(self) -> bytes:
        """``T("ingest-root", relay 32, size u64, root 32, time u64)``."""
        return T(Tag.INGEST_ROOT, self.relay, u64(self.size), self.root, u64(self.time))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; raise ``MalformedError``."""
        relay, size, root, time = fields(Tag.INGEST_ROOT, data, 32, 8, 32, 8)
        return cls(relay, number(size), root, number(time))
