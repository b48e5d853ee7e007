"""What a device demands of the relay's receipt, as a sender and as a receiver.

Everything here is the relay's word and signature; whether the receipt is under a logged root is an audit's business.
"""

from escrow.capsule.label import Label
from escrow.capsule.receipt import Frame, Receipt, verify_receipt
from escrow.errors import Reason, RefusedError
from escrow.warrant.genesis import Genesis


def authentic(genesis: Genesis, receipt: bytes, path: bytes, frame: bytes, signature: bytes) -> tuple[Receipt, Frame]:
    """A receipt that the relay has signed for, with the promise that goes with its time.

    Raises ``MalformedError``, or ``RefusedError(RECEIPT_INVALID)``.
    """
    parsed, signed = verify_receipt(receipt, path, frame, signature, genesis.relay.public)
    if signed.include_by != parsed.ingest_time + genesis.mmd_ms:
        raise RefusedError(Reason.RECEIPT_INVALID, "it is to be logged at another time than was agreed on")
    return parsed, signed


def check_names(receipt: Receipt, label: Label) -> None:
    """Raise ``RefusedError(RECEIPT_INVALID)`` unless the receipt names the label's conversation and sender."""
    stated = (receipt.conv_tag, receipt.sender_account, receipt.sender_device)
    if stated != (label.conv_tag, label.sender_account, label.sender_device):
        raise RefusedError(Reason.RECEIPT_INVALID, "it names another conversation or sender than the label")


def in_time(genesis: Genesis, receipt: Receipt, label: Label) -> bool:
    """Whether the item was taken in the epoch of its label, or within the grace after it."""
    start, end = genesis.policy.epoch_start(label.epoch), genesis.policy.epoch_end(label.epoch)
    return receipt.epoch == label.epoch and start <= receipt.ingest_time < end + genesis.grace_ms
