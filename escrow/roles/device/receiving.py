"""What a receiver checks before anything is shown: the list of the protocol, in its order.

A refusal says who provably deviated: the relay, or the sender, or nobody. What merely has not arrived yet defers the
item and blames nobody. The ratchet moves on as soon as an envelope authenticates, and nothing else is consumed by an
item that is refused later.
"""

from dataclasses import dataclass

from escrow.capsule.body import Body, body_id, open_body
from escrow.capsule.chain import message_key
from escrow.capsule.envelope import EnvelopeContent, verify_env_path
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import Receipt, verify_receipt
from escrow.capsule.schemes import scheme_of
from escrow.capsule.submission import SignedContent
from escrow.e2ee.content import decode_text
from escrow.e2ee.keys import Identity
from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.roster import conv_tag, roster_root
from escrow.e2ee.session import open_
from escrow.errors import DeferredError, DeviationError, EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.authorised import context_of
from escrow.roles.calls import EscrowDelivery, PlainDelivery
from escrow.roles.device.conversations import SENDER, Held, adopt, confirm, held_with, lineage_of
from escrow.roles.device.directory import sender_identity
from escrow.roles.device.state import (
    ESCROW,
    PLAIN,
    Me,
    Shown,
    load_me,
    load_prekey,
    load_session,
    prekey_key,
    save_session,
)
from escrow.roles.lightview import LightView, committee_subject
from escrow.roles.machine import Draft
from escrow.secret import Secret
from escrow.tags import Tag, fields
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Genesis

RELAY_LIED = frozenset({"relay"})


@dataclass(frozen=True, slots=True)
class Checked:
    """An escrowed delivery whose public parts agree with each other, with the relay's receipt and with a signature."""

    label: Label
    header: Header
    signed: SignedContent
    receipt: Receipt
    sender: Identity
    sender_name: str


@dataclass(frozen=True, slots=True)
class Receiver:
    """Checks deliveries. ``unseal`` and ``show`` are apart because the ratchet's step outlives a later refusal."""

    genesis: Genesis
    view: LightView

    # -- steps 1 to 4: what anybody could check ---------------------------------------------------

    def check_public(self, draft: Draft, item: EscrowDelivery, now: Millis) -> Checked:
        """Parse; receipt; what was signed for; who signed. Raises with the reason of the first failure."""
        me = load_me(draft)
        label, body = Label.decode(item.label), Body.decode(item.body)
        header = Header.decode(body.header)
        receipt = self._receipt(item, now)
        capped = cap_hash(label.suite, item.capsule)
        signed = SignedContent(label_hash(item.label), capped, header.index, body_id(item.body), item.env_root)
        try:
            verify_env_path((me.keys.account, me.keys.device, item.envelope), item.env_path, item.env_root)
        except EscrowError as error:
            raise DeviationError(Reason.RELAY_SUBSTITUTED, error.detail, culprits=RELAY_LIED) from error
        if receipt.submit_hash != signed.hash:
            raise DeviationError(Reason.RELAY_SUBSTITUTED, culprits=RELAY_LIED)
        sender, name = sender_identity(draft, self.view, AccountId(label.sender_account), label.sender_device)
        try:
            signed.verify(sender.signing, item.device_sig)
        except RefusedError as error:
            raise DeviationError(Reason.SIGNATURE_INVALID, culprits=RELAY_LIED) from error
        return Checked(label, header, signed, receipt, sender, name)

    def _receipt(self, item: EscrowDelivery, now: Millis) -> Receipt:
        try:
            receipt, _ = verify_receipt(item.receipt, item.path, item.frame, item.relay_sig, self.genesis.relay.public)
        except EscrowError as error:
            raise DeviationError(Reason.RECEIPT_INVALID, error.detail, culprits=RELAY_LIED) from error
        if receipt.ingest_time > now + self.genesis.skew_ms:
            raise DeferredError(Reason.CLOCK_AHEAD)
        return receipt

    # -- step 5: the session ----------------------------------------------------------------------

    def unseal(self, draft: Draft, sender: Identity, mode: int, envelope: bytes, now: Millis) -> bytes:
        """The envelope's plaintext; the session has moved on and used prekeys are erased.

        ``ENVELOPE_INVALID`` and its kin defer: the sender may be asked again, and nobody is to blame.
        """
        me = load_me(draft)

        def answer(initial: bytes) -> tuple[SessionSecret, Used]:
            secret, used = respond(me.keys, lambda purpose, place: load_prekey(draft, purpose, place), initial)
            if secret.peer != sender:
                raise RefusedError(Reason.SENDER_MISMATCH, "the session is another device's")
            if (secret.mode, secret.lineage) != (mode, lineage_of(self.genesis, mode)):
                raise DeviationError(Reason.MODE_MISMATCH, culprits=SENDER)
            return secret, used

        session = load_session(draft, sender.account, sender.device, mode)
        try:
            following, plaintext, used = open_(session, envelope, b"", answer, now)
        except RefusedError as error:
            raise DeferredError(Reason.ENVELOPE_INVALID, error.reason.name) from error
        save_session(draft, following)
        for purpose, place in used or ():
            draft.delete(prekey_key(purpose, place))
        return plaintext

    # -- steps 6 to 11: what it says --------------------------------------------------------------

    def show(self, draft: Draft, item: EscrowDelivery, checked: Checked, opened: bytes) -> Shown:
        """Compare envelope, label and capsule with what was signed; decrypt; return what may be shown."""
        me, signed = load_me(draft), checked.signed
        content = _content(opened)
        if content.mode != ESCROW:
            raise DeviationError(Reason.MODE_MISMATCH, culprits=SENDER)
        says = (content.label_hash, content.cap_hash, content.index, content.body_id)
        if says != (signed.label_hash, signed.cap_hash, signed.index, signed.body_id):
            raise DeviationError(Reason.SENDER_INCONSISTENT, culprits=SENDER)
        if (checked.header.label_hash, checked.header.cap_hash) != says[:2]:
            raise DeviationError(Reason.HEADER_MISMATCH, culprits=SENDER)
        held = self._conversation(draft, me, checked, content)
        self._check_label(draft, checked, held)
        if content.index != 0 or content.seed is None:
            raise DeviationError(Reason.INDEX_RANGE, culprits=SENDER)
        self._check_capsule(draft, item, checked.label, content.seed)
        text = self._open(draft, item, checked, content)
        confirm(draft, held)
        name, time = checked.sender_name, checked.receipt.ingest_time
        return Shown(checked.sender.account, name, ESCROW, text, time, signed.body_id)

    def show_plain(self, draft: Draft, sender: Identity, name: str, opened: bytes, now: Millis) -> Shown:
        """The content of an un-escrowed session message; the session alone proves who wrote it."""
        try:
            mid, padded, *genesis = fields(Tag.PLAIN, opened, 16, None, None, optional=1)
            text = decode_text(padded)
        except MalformedError as error:
            raise DeviationError(Reason.CONTENT_INVALID, error.detail, culprits=SENDER) from error
        me = load_me(draft)
        if genesis:
            confirm(draft, adopt(draft, self.genesis, me, sender, PLAIN, genesis[0]))
        else:
            for held in held_with(draft, sender.account, PLAIN):
                confirm(draft, held)
        return Shown(sender.account, name, PLAIN, text, now, mid)

    def _conversation(self, draft: Draft, me: Me, checked: Checked, content: EnvelopeContent) -> Held:
        """The conversation whose tag the label carries, taken over first if the envelope begins it."""
        if content.genesis is not None:
            adopt(draft, self.genesis, me, checked.sender, ESCROW, content.genesis)
        policy, label = self.genesis.policy, checked.label
        for held in held_with(draft, checked.sender.account, ESCROW):
            if conv_tag(held.conversation.secret, policy.hash, label.epoch) == label.conv_tag:
                return held
        raise DeviationError(Reason.CONV_TAG, culprits=SENDER)

    def _check_label(self, draft: Draft, checked: Checked, held: Held) -> None:
        policy, label, receipt = self.genesis.policy, checked.label, checked.receipt
        conversation = held.conversation
        if checked.sender.account not in conversation.members:
            raise DeviationError(Reason.SENDER_MISMATCH, culprits=SENDER)
        if label.roster_version > conversation.version:
            raise DeferredError(Reason.ROSTER_UNKNOWN)
        root = roster_root(conversation.secret, policy.hash, label.epoch, conversation.version, conversation.members)
        if (label.roster_version, label.roster_root) != (conversation.version, root):
            raise DeviationError(Reason.ROSTER_ROOT, culprits=SENDER)
        if label.policy_hash != policy.hash or label.n_max != policy.n_max:
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
        start, end = policy.epoch_start(label.epoch), policy.epoch_end(label.epoch)
        in_time = start <= receipt.ingest_time < end + self.genesis.grace_ms
        same = (receipt.epoch, receipt.conv_tag, receipt.sender_account, receipt.sender_device) == (
            label.epoch, label.conv_tag, label.sender_account, label.sender_device)  # fmt: skip
        if not in_time or not same:
            raise DeviationError(Reason.EPOCH_STALE, culprits=RELAY_LIED)

    def _check_capsule(self, draft: Draft, item: EscrowDelivery, label: Label, seed: Secret) -> None:
        """Make the capsule again from the seed: what the custodians could open is what we were sent, byte for byte."""
        key = self.view.committee_key(draft, self.genesis.policy.period_of(label.epoch))
        if key is None:
            raise AssertionError("the label's committee key was checked before")
        again = scheme_of(label.suite).encapsulate(context_of(self.genesis, key), item.label, seed)
        if again != item.capsule:
            raise DeviationError(Reason.CAPSULE_MISMATCH, culprits=SENDER)

    def _open(self, draft: Draft, item: EscrowDelivery, checked: Checked, content: EnvelopeContent) -> str:
        label = checked.label
        seen = b"seen/" + label.sender_account + label.sender_device.to_bytes(4, "big") + label.chain_id
        if draft.get(seen) is not None:
            raise RefusedError(Reason.INDEX_REUSED)
        if checked.header.content_class is not ContentClass.CONTENT:
            raise RefusedError(Reason.RETRY_UNSOLICITED)
        if content.seed is None:
            raise AssertionError("a message at index 0 has a seed")
        try:
            text = decode_text(open_body(message_key(content.seed, checked.signed.label_hash, 0), item.body))
        except EscrowError as error:
            raise DeviationError(error.reason, error.detail, culprits=SENDER) from error
        draft.put(seen, b"")
        return text


def _content(opened: bytes) -> EnvelopeContent:
    try:
        return EnvelopeContent.decode(opened)
    except MalformedError as error:
        raise DeviationError(Reason.SENDER_INCONSISTENT, error.detail, culprits=SENDER) from error


def sender_of(item: PlainDelivery) -> tuple[AccountId, int]:
    """Whom the relay names as the sender of an un-escrowed message; the session will tell."""
    return AccountId(item.sender_account), item.sender_device
