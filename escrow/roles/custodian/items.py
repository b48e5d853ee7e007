"""CUST-9: is an item what its device signed and the relay accepted, and was it logged before anybody asked for it?

After one release the agency knows a message key and could make up bodies for it. So nothing counts but what the
device has signed, and nothing that was logged after our first intent to open its capsule.
"""

from dataclasses import dataclass

from escrow.capsule.body import body_id
from escrow.capsule.receipt import Receipt, ingest_leaf, verify_receipt
from escrow.capsule.schemes import CommitteeContext, scheme_of
from escrow.capsule.submission import SignedContent
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import DeviceNo
from escrow.roles.follower import Follower
from escrow.roles.ledger import LoggedRoot
from escrow.roles.machine import Draft, Read
from escrow.tlog.merkle import leaf_hash, verify_inclusion
from escrow.warrant.item import Item


@dataclass(frozen=True, slots=True)
class ItemCheck:
    """The check of one item after the other, on the log that ``view`` shows."""

    follower: Follower
    view: Read | Draft
    context: CommitteeContext

    def check(self, item: Item, first_intent: int | None) -> None:
        """Raise the reason of the first thing that is wrong.

        ``first_intent``: how long our log was when we first intended to open this item's unit, if we ever did.
        ``SUBMISSION_INVALID``, ``RECEIPT_INVALID``, ``INGEST_NOT_LOGGED``, ``PRECEDENCE``, ``CAPSULE_INVALID``.
        """
        self.check_origin(item, first_intent)
        self.check_capsule(item)

    def check_origin(self, item: Item, first_intent: int | None) -> None:
        """All of that but what the capsule says of itself."""
        # SPEC CUST-9: what is not genuine, or was logged after our first intent to open it, is refused.
        submission = self._submission(item)
        receipt = self._receipt(item, submission)
        root = self._logged_root(item, receipt)
        self._check_device(item, submission, root)
        if first_intent is not None and root.index >= first_intent:
            raise RefusedError(Reason.PRECEDENCE)

    def check_capsule(self, item: Item) -> None:
        """Raise ``CAPSULE_INVALID`` unless the capsule is one of this committee's. Looks at nothing but the item."""
        scheme_of(self.context.suite).verify(self.context, item.label, item.capsule)

    def _submission(self, item: Item) -> SignedContent:
        header = item.header
        if (header.label_hash, header.cap_hash) != item.capsule_id or header.index >= item.terms.n_max:
            raise RefusedError(Reason.SUBMISSION_INVALID, "the body is not of this chain")
        return SignedContent(*item.capsule_id, header.index, body_id(item.body), item.env_root)

    def _receipt(self, item: Item, submission: SignedContent) -> Receipt:
        relay = self.follower.genesis.relay.public
        receipt, _ = verify_receipt(item.receipt, item.path, item.frame, item.relay_sig, relay)
        label = item.terms
        said = receipt.submit_hash, receipt.conv_tag, receipt.sender_account, receipt.sender_device, receipt.epoch
        if said != (submission.hash, label.conv_tag, label.sender_account, label.sender_device, label.epoch):
            raise RefusedError(Reason.RECEIPT_INVALID, "a receipt for something else")
        return receipt

    def _logged_root(self, item: Item, receipt: Receipt) -> LoggedRoot:
        root = self.follower.root_covering(self.view, self.follower.genesis.relay.public, receipt.ingest_seq)
        if root is None or (item.root_index, item.root_size) != (root.index, root.size):
            raise RefusedError(Reason.INGEST_NOT_LOGGED)
        try:
            leaf = leaf_hash(ingest_leaf(item.receipt))
            verify_inclusion(leaf, receipt.ingest_seq, root.size, item.ingest_path, root.root)
        except EscrowError as error:
            raise RefusedError(Reason.INGEST_NOT_LOGGED, error.detail) from None
        if not root.after_ms < receipt.ingest_time <= root.time_ms:
            raise RefusedError(Reason.RECEIPT_INVALID, "a receipt that was dated back or ahead")
        return root

    def _check_device(self, item: Item, submission: SignedContent, root: LoggedRoot) -> None:
        label = item.terms
        devices = self.follower.device_list(self.view, label.sender_account, before=root.index)
        if devices is None:
            raise RefusedError(Reason.SUBMISSION_INVALID, "the sender's devices are not in the log")
        try:
            submission.verify(devices.device(DeviceNo(label.sender_device)).signing, item.device_sig)
        except (MalformedError, RefusedError) as error:
            raise RefusedError(Reason.SUBMISSION_INVALID, error.detail) from None
