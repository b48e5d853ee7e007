"""What a receiver checks before it looks at what a message says: steps 1 to 5 of the protocol's list, in their order.

A refusal has a reason; whom it names stands in ``blame``. What merely has not arrived yet defers the item. The ratchet
moves on as soon as an envelope authenticates; all that comes after is in ``reading``.
"""

from msgspec import Struct

from escrow.capsule.body import Body, body_id
from escrow.capsule.envelope import EnvelopePath, env_root, verify_env_path
from escrow.capsule.header import Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.receipt import Receipt
from escrow.capsule.submission import SignedContent
from escrow.e2ee.keys import Identity
from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.session import open_
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import EscrowDelivery
from escrow.roles.device.conversations import lineage_of
from escrow.roles.device.receipts import authentic, check_names
from escrow.roles.device.signers import signer
from escrow.roles.device.state import load_me, load_prekey, load_session, prekey_key, save_session
from escrow.roles.lightview import LightView
from escrow.roles.machine import Draft
from escrow.warrant.genesis import Genesis

NO_ENVELOPES = env_root(())


class Checked(Struct, frozen=True):
    """An escrowed delivery whose public parts agree with each other, with the relay's receipt and with a signature."""

    label: Label
    body: Body
    header: Header
    signed: SignedContent
    receipt: Receipt
    promised: int
    """By when (ms) the receipt is to be in the log."""
    sender: Identity
    sender_name: str


class Receiver(Struct, frozen=True):
    """Checks deliveries. ``unseal`` is apart because the ratchet's step outlives a later refusal."""

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
        if item.envelope or item.env_path:
            EnvelopePath.decode(item.env_path)
        # SPEC RCV-2: what the relay has not signed for is refused.
        receipt, frame = authentic(self.genesis, item.receipt, item.path, item.frame, item.relay_sig)
        if receipt.ingest_time > now + self.genesis.skew_ms:
            raise DeferredError(Reason.CLOCK_AHEAD)
        capped = cap_hash(label.suite, item.capsule)
        signed = SignedContent(label_hash(item.label), capped, header.index, body_id(item.body), item.env_root)
        # SPEC RCV-3: other bytes than those of the receipt are refused.
        if receipt.submit_hash != signed.hash:
            raise RefusedError(Reason.RELAY_SUBSTITUTED, "not what the relay signed for")
        if item.env_path:
            try:
                verify_env_path((me.keys.account, me.keys.device, item.envelope), item.env_path, item.env_root)
            except RefusedError as error:
                raise RefusedError(Reason.RELAY_SUBSTITUTED, "not the envelope for this device") from error
        elif item.env_root != NO_ENVELOPES:
            raise RefusedError(Reason.RELAY_SUBSTITUTED, "the envelope for this device is withheld")
        check_names(receipt, label)
        # SPEC RCV-4: what no device of the sender, logged at that time, has signed is refused.
        sender, name = signer(draft, self.view, receipt, signed, item.device_sig, since, now)
        return Checked(label, body, header, signed, receipt, frame.include_by, sender, name)

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
