"""What a message says: steps 6 to 11 of the receiver's list. Envelope, label and capsule first, then the content.

Nothing is consumed by an item that is refused. A chain is pinned by its first message; a later one needs no envelope in
a group, because the pinned chain and the device's signature say whose it is.
"""

from msgspec import Struct

from escrow.capsule.chain import first_chain_key
from escrow.capsule.envelope import EnvelopeContent
from escrow.capsule.header import ContentClass
from escrow.capsule.schemes import scheme_of
from escrow.committee.documents import CommitteeKey
from escrow.e2ee.content import class_of, decode_content
from escrow.e2ee.conversation import Conversation
from escrow.e2ee.roster import roster_root
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.authorised import context_of
from escrow.roles.calls import EscrowDelivery
from escrow.roles.device.adopting import adopt
from escrow.roles.device.chains import ReceivingChain, follow, followed_chain, has_begun
from escrow.roles.device.conversations import Held, check_member, confirm, find, held_by_id, version_of
from escrow.roles.device.receipts import in_time
from escrow.roles.device.receiving import Checked
from escrow.roles.device.state import ESCROW, Shown
from escrow.roles.lightview import LightView, committee_subject
from escrow.roles.machine import Draft
from escrow.secret import Secret
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Genesis
from escrow.warrant.policy import PAIR


class Place(Struct, frozen=True):
    """Where a message belongs: a conversation, the version it was written under, and the chain that its key is of."""

    held: Held
    version: Conversation
    chain: ReceivingChain


class Reader(Struct, frozen=True):
    """Reads what ``Receiver`` has checked and opened."""

    genesis: Genesis
    view: LightView

    def show(self, draft: Draft, item: EscrowDelivery, checked: Checked, opened: bytes, now: Millis) -> Shown:
        """Compare envelope, label and capsule with what was signed; decrypt; return what was said.

        ``opened`` is empty where there is no envelope.
        """
        content = self._envelope(checked, opened) if opened else None
        begins = checked.header.index == 0
        place = self._begin(draft, item, checked, content) if begins else self._go_on(draft, checked, content)
        # SPEC RCV-9: a key that was used, or a body that its key does not open, is refused.
        chain, key = place.chain.take(checked.header.index, now)
        said = decode_content(checked.body.open(key))
        # SPEC RCV-10: content of another form or class than the header names is refused.
        if class_of(said) is not checked.header.content_class:
            raise RefusedError(Reason.CONTENT_INVALID, "content under another class")
        ends = self.genesis.policy.epoch_end(checked.label.epoch) + self.genesis.grace_ms
        follow(draft, checked.label, chain, ends)
        confirm(draft, place.held, checked.sender.account, checked.sender.device, place.version.version)
        who, time = (checked.sender.account, checked.sender_name, ESCROW), checked.receipt.ingest_time
        return Shown(*who, said, time, checked.signed.body_id, place.version.id, place.held.name)

    def _envelope(self, checked: Checked, opened: bytes) -> EnvelopeContent:
        # SPEC RCV-6: an envelope that contradicts the signed submission is refused.
        content, signed = _content(opened), checked.signed
        if content.mode != ESCROW:
            raise RefusedError(Reason.MODE_MISMATCH)
        says = (content.label_hash, content.cap_hash, content.index, content.body_id)
        if says != (signed.label_hash, signed.cap_hash, signed.index, signed.body_id):
            raise RefusedError(Reason.SENDER_INCONSISTENT, "the envelope is about something else")
        return content

    def _begin(self, draft: Draft, item: EscrowDelivery, checked: Checked, content: EnvelopeContent | None) -> Place:
        """The chain that this item begins, with its seed for the first key."""
        label, header = checked.label, checked.header
        # SPEC RCV-13: a chain begins with an envelope for this device, also in a group.
        if content is None or content.seed is None:
            raise RefusedError(Reason.RECIPIENTS_MISMATCH, "a chain that begins without its seed")
        if (header.label_hash, header.cap_hash) != (content.label_hash, content.cap_hash):
            raise RefusedError(Reason.SENDER_INCONSISTENT, "the header is about something else")
        if content.genesis is not None:
            adopt(draft, self.view, checked.sender, ESCROW, content.genesis, Millis(checked.receipt.ingest_time))
        # SPEC RCV-7: a label of another conversation, roster, committee or time is refused.
        held, version = find(draft, checked.sender.account, label)
        self._check_roster(checked, version)
        key = self._check_committee(draft, checked, version)
        self._check_time(checked, held)
        self._check_capsule(item, key, content.seed)
        if has_begun(draft, label):
            raise RefusedError(Reason.INDEX_REUSED)
        first = first_chain_key(content.seed, checked.signed.label_hash)
        names = checked.signed.label_hash, checked.signed.cap_hash, version.id, version.version
        return Place(held, version, ReceivingChain(*names, label.n_max, first, 0))

    def _go_on(self, draft: Draft, checked: Checked, content: EnvelopeContent | None) -> Place:
        """The chain that this item is a later message of, as its first message has pinned it."""
        if checked.header.index >= checked.label.n_max:
            raise RefusedError(Reason.INDEX_RANGE)
        if checked.header.content_class is ContentClass.RETRY:
            raise RefusedError(Reason.CHAIN_LIMIT, "a repetition is a chain of its own")
        chain = followed_chain(draft, checked.label)
        if chain is None:
            raise DeferredError(Reason.CHAIN_UNKNOWN)
        signed, header = checked.signed, checked.header
        # SPEC RCV-14: a later message is of the chain that was pinned, and names it throughout.
        pinned = (chain.label_hash, chain.cap_hash)
        if (signed.label_hash, signed.cap_hash) != pinned or (header.label_hash, header.cap_hash) != pinned:
            raise RefusedError(Reason.CHAIN_MISMATCH)
        held = held_by_id(draft, chain.conversation)
        version = version_of(draft, held, chain.version)
        if version is None:
            raise RefusedError(Reason.ROSTER_STALE)
        if content is None and len(version.members) <= PAIR:
            raise RefusedError(Reason.RECIPIENTS_MISMATCH, "a pair has an envelope for every message")
        self._check_time(checked, held)
        return Place(held, version, chain)

    def _check_roster(self, checked: Checked, version: Conversation) -> None:
        label = checked.label
        if checked.sender.account not in version.members:
            raise RefusedError(Reason.SENDER_MISMATCH)
        root = roster_root(version.secret, label.policy_hash, label.epoch, version.version, version.members)
        if label.roster_root != root:
            raise RefusedError(Reason.ROSTER_ROOT)

    def _check_committee(self, draft: Draft, checked: Checked, version: Conversation) -> CommitteeKey:
        """The key that the label names; that it has retired since does not matter."""
        policy, label = self.genesis.policy, checked.label
        if label.policy_hash != policy.hash:
            raise RefusedError(Reason.POLICY_UNAUTHORISED)
        period = policy.period_of(label.epoch)
        key = self.view.committee_key(draft, period)
        if key is None:
            self.view.want(draft, EntryType.COMMITTEE_KEY, committee_subject(self.genesis, period))
            raise DeferredError(Reason.COMMITTEE_UNKNOWN)
        if label.committee_key_hash != key.hash:
            raise RefusedError(Reason.COMMITTEE_UNAUTHORISED)
        if label.suite != policy.suite:
            raise RefusedError(Reason.SUITE_MISMATCH)
        again = checked.header.content_class is ContentClass.RETRY
        if label.n_max != (1 if again else policy.n_max_of(len(version.members))):
            raise RefusedError(Reason.CHAIN_LIMIT)
        return key

    def _check_capsule(self, item: EscrowDelivery, key: CommitteeKey, seed: Secret) -> None:
        """Make the capsule again from the seed: what the custodians could open is what we were sent, byte for byte."""
        # SPEC RCV-8: a capsule that the seed does not give is refused.
        scheme, context = scheme_of(self.genesis.policy.suite), context_of(self.genesis, key)
        fits = len(seed.expose()) == scheme.seed_size
        if not fits or scheme.encapsulate(context, item.label, seed) != item.capsule:
            raise RefusedError(Reason.CAPSULE_MISMATCH)

    def _check_time(self, checked: Checked, held: Held) -> None:
        if not in_time(self.genesis, checked.receipt, checked.label):
            raise RefusedError(Reason.EPOCH_STALE)
        check_member(held, checked.sender.account, checked.receipt.ingest_time, self.genesis.grace_ms)


def _content(opened: bytes) -> EnvelopeContent:
    try:
        return EnvelopeContent.decode(opened)
    except MalformedError as error:
        raise RefusedError(Reason.SENDER_INCONSISTENT, error.detail) from error
