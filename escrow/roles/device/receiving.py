"""What a receiver checks before anything is shown: the list of the protocol, in its order.

A refusal has a reason; whom it names stands in ``blame``. What merely has not arrived yet defers the item. The ratchet
moves on as soon as an envelope authenticates, and nothing else is consumed by an item that is refused later.
"""

from dataclasses import dataclass

from escrow.capsule.body import Body, body_id, open_body
from escrow.capsule.chain import message_key
from escrow.capsule.envelope import EnvelopeContent, EnvelopePath, verify_env_path
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import Receipt
from escrow.capsule.schemes import scheme_of
from escrow.capsule.submission import SignedContent
from escrow.committee.documents import CommitteeKey
from escrow.e2ee.content import Content, decode_content
from escrow.e2ee.keys import Identity
from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.roster import conv_tag, roster_root
from escrow.e2ee.session import open_
from escrow.encoding import u32
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.authorised import context_of
from escrow.roles.calls import EscrowDelivery
from escrow.roles.device.conversations import Held, adopt, confirm, held_with, lineage_of
from escrow.roles.device.receipts import authentic, check_names, in_time
from escrow.roles.device.signers import signer
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

    def check_public(self, draft: Draft, item: EscrowDelivery, since: int, now: Millis) -> Checked:
        """Parse; receipt; what was signed for; who signed. Raises with the reason of the first failure.

        ``since`` counts heads of the log: the first one that was asked for after the item came.
        """
        me = load_me(draft)
        # SPEC RCV-1: what is not of its one encoding is refused.
        label, body = Label.decode(item.label), Body.decode(item.body)
        header = Header.decode(body.header)
        EnvelopePath.decode(item.env_path)
        # SPEC RCV-2: what the relay has not signed for is refused.
        receipt, _ = authentic(self.genesis, item.receipt, item.path, item.frame, item.relay_sig)
        if receipt.ingest_time > now + self.genesis.skew_ms:
            raise DeferredError(Reason.CLOCK_AHEAD)
        capped = cap_hash(label.suite, item.capsule)
        signed = SignedContent(label_hash(item.label), capped, header.index, body_id(item.body), item.env_root)
        # SPEC RCV-3: other bytes than those of the receipt are refused.
        if receipt.submit_hash != signed.hash:
            raise RefusedError(Reason.RELAY_SUBSTITUTED, "not what the relay signed for")
        try:
            verify_env_path((me.keys.account, me.keys.device, item.envelope), item.env_path, item.env_root)
        except RefusedError as error:
            raise RefusedError(Reason.RELAY_SUBSTITUTED, "not the envelope for this device") from error
        check_names(receipt, label)
        # SPEC RCV-4: what no device of the sender, logged at that time, has signed is refused.
        sender, name = signer(draft, self.view, receipt, signed, item.device_sig, since, now)
        return Checked(label, header, signed, receipt, sender, name)

    # -- step 5: the session ----------------------------------------------------------------------

    def unseal(self, draft: Draft, sender: Identity, mode: int, envelope: bytes, now: Millis) -> bytes:
        """The envelope's plaintext; the session has moved on and used prekeys are erased.

        ``ENVELOPE_INVALID`` is deferred: the sender may be asked again, and nobody is to blame. An envelope that begins
        a session of another mode or lineage is refused, ``MODE_MISMATCH``.
        """
        me = load_me(draft)

        def answer(initial: bytes) -> tuple[SessionSecret, Used]:
            secret, used = respond(me.keys, lambda purpose, place: load_prekey(draft, purpose, place), initial)
            if secret.peer != sender:
                raise RefusedError(Reason.SENDER_MISMATCH, "the session is another device's")
            if (secret.mode, secret.lineage) != (mode, lineage_of(self.genesis, mode)):
                raise RefusedError(Reason.MODE_MISMATCH)
            return secret, used

        session = load_session(draft, sender.account, sender.device, mode)
        if session is not None and session.peer != sender:
            session = None  # a session with the keys before these; what comes next must begin another
        # SPEC RCV-5: what does not open may open later; another mode never does.
        try:
            following, plaintext, used = open_(session, envelope, b"", answer, now)
        except (MalformedError, RefusedError) as error:
            if error.reason is Reason.MODE_MISMATCH:
                raise
            raise DeferredError(Reason.ENVELOPE_INVALID, error.reason.name) from error
        save_session(draft, following)
        # SPEC PRK-8: a one-time key is gone with the step that used it.
        for purpose, place in used or ():
            draft.delete(prekey_key(purpose, place))
        return plaintext

    # -- steps 6 to 11: what it says --------------------------------------------------------------

    def show(self, draft: Draft, item: EscrowDelivery, checked: Checked, opened: bytes) -> Shown:
        """Compare envelope, label and capsule with what was signed; decrypt; return what may be shown."""
        me, signed = load_me(draft), checked.signed
        # SPEC RCV-6: an envelope that contradicts the signed submission is refused.
        content = _content(opened)
        if content.mode != ESCROW:
            raise RefusedError(Reason.MODE_MISMATCH)
        says = (content.label_hash, content.cap_hash, content.index, content.body_id)
        if says != (signed.label_hash, signed.cap_hash, signed.index, signed.body_id):
            raise RefusedError(Reason.SENDER_INCONSISTENT, "the envelope is about something else")
        if (checked.header.label_hash, checked.header.cap_hash) != says[:2]:
            raise RefusedError(Reason.SENDER_INCONSISTENT, "the header is about something else")
        # SPEC RCV-7: a label of another conversation, roster, committee or time is refused.
        held = self._conversation(draft, me, checked, content)
        self._check_roster(checked, held)
        key = self._check_committee(draft, checked)
        if not in_time(self.genesis, checked.receipt, checked.label):
            raise RefusedError(Reason.EPOCH_STALE)
        if content.seed is None:
            raise RefusedError(Reason.INDEX_RANGE, "a chain of this policy ends with its first message")
        self._check_capsule(item, key, content.seed)
        said = self._open(draft, item, checked, content.seed)
        confirm(draft, held)
        name, time = checked.sender_name, checked.receipt.ingest_time
        return Shown(checked.sender.account, name, ESCROW, said, time, signed.body_id)

    def show_plain(self, draft: Draft, sender: Identity, name: str, opened: bytes, now: Millis) -> Shown:
        """The content of an un-escrowed session message; the session alone proves who wrote it."""
        try:
            mid, padded, *genesis = fields(Tag.PLAIN, opened, 16, None, None, optional=1)
        except MalformedError as error:
            raise MalformedError(error.detail, Reason.CONTENT_INVALID) from error
        content = decode_content(padded)
        me = load_me(draft)
        if genesis:
            confirm(draft, adopt(draft, self.genesis, me, sender, PLAIN, genesis[0]))
        else:
            for held in held_with(draft, sender.account, PLAIN):
                confirm(draft, held)
        return Shown(sender.account, name, PLAIN, content, now, mid)

    def _conversation(self, draft: Draft, me: Me, checked: Checked, content: EnvelopeContent) -> Held:
        """The conversation whose tag the label carries, taken over first if the envelope begins it."""
        if content.genesis is not None:
            adopt(draft, self.genesis, me, checked.sender, ESCROW, content.genesis)
        label = checked.label
        for held in held_with(draft, checked.sender.account, ESCROW):
            if conv_tag(held.conversation.secret, label.policy_hash, label.epoch) == label.conv_tag:
                return held
        raise RefusedError(Reason.CONV_TAG)

    def _check_roster(self, checked: Checked, held: Held) -> None:
        label, conversation = checked.label, held.conversation
        if checked.sender.account not in conversation.members:
            raise RefusedError(Reason.SENDER_MISMATCH)
        if label.roster_version > conversation.version:
            raise DeferredError(Reason.ROSTER_UNKNOWN)
        version, members = conversation.version, conversation.members
        root = roster_root(conversation.secret, label.policy_hash, label.epoch, version, members)
        if (label.roster_version, label.roster_root) != (version, root):
            raise RefusedError(Reason.ROSTER_ROOT)

    def _check_committee(self, draft: Draft, checked: Checked) -> CommitteeKey:
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
        if label.n_max != policy.n_max:
            raise RefusedError(Reason.CHAIN_LIMIT)
        return key

    def _check_capsule(self, item: EscrowDelivery, key: CommitteeKey, seed: Secret) -> None:
        """Make the capsule again from the seed: what the custodians could open is what we were sent, byte for byte."""
        # SPEC RCV-8: a capsule that the seed does not give is refused.
        again = scheme_of(self.genesis.policy.suite).encapsulate(context_of(self.genesis, key), item.label, seed)
        if again != item.capsule:
            raise RefusedError(Reason.CAPSULE_MISMATCH)

    def _open(self, draft: Draft, item: EscrowDelivery, checked: Checked, seed: Secret) -> Content:
        label, kind = checked.label, checked.header.content_class
        seen = b"seen/" + label.sender_account + u32(label.sender_device) + label.chain_id
        # SPEC RCV-9: a chain that was seen, or a body that its key does not open, is refused.
        if draft.get(seen) is not None:
            raise RefusedError(Reason.INDEX_REUSED)
        content = decode_content(open_body(message_key(seed, checked.signed.label_hash, 0), item.body))
        # SPEC RCV-10: content of another form or class, or a repetition that nobody asked for, is refused.
        if kind is ContentClass.RETRY:
            raise RefusedError(Reason.RETRY_UNSOLICITED)
        if kind is not ContentClass.CONTENT:
            raise RefusedError(Reason.CONTENT_INVALID, "text under another class of content")
        draft.put(seen, b"")
        return content


def _content(opened: bytes) -> EnvelopeContent:
    try:
        return EnvelopeContent.decode(opened)
    except MalformedError as error:
        raise RefusedError(Reason.SENDER_INCONSISTENT, error.detail) from error
