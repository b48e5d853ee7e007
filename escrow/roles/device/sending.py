"""From what a user says to a submission: the sender's checks, in order, and the bytes that are written down first.

Nothing is sent before it is stored: the exact submission lies in the outbox, ratchets, chain and hedge have moved on,
and the seed and the message key exist nowhere any more. A lost answer is met with the same bytes; a refusal for
being late with a new chain. So no key is ever used for two contents.
"""

import hashlib
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.chain import message_id, use_hedge
from escrow.capsule.envelope import EnvelopeContent, env_root
from escrow.capsule.header import Header
from escrow.capsule.submission import SignedContent
from escrow.committee.documents import CommitteeKey
from escrow.crypto.coins import Coins
from escrow.e2ee.content import Content, Retry, class_of, encode_content
from escrow.e2ee.keys import Identity
from escrow.e2ee.plain import Plain
from escrow.e2ee.session import Session, seal
from escrow.errors import DeferredError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.calls import DeviceEnvelope, EscrowSend, PlainSend, Submission, Submit
from escrow.roles.device import voices
from escrow.roles.device.addressing import members_of
from escrow.roles.device.chains import SendingChain, advance, audience_of, open_chain
from escrow.roles.device.conversations import Held, held_group, with_peer
from escrow.roles.device.directory import RELAY
from escrow.roles.device.groups import is_group
from escrow.roles.device.opening import begin_chain, terms_of
from escrow.roles.device.recipients import just, recipients_of, sessions_with
from escrow.roles.device.retrying import remember
from escrow.roles.device.state import ESCROW, Me, Queued, Sent, load_me, save_me, save_session
from escrow.roles.lightview import LightView, committee_subject
from escrow.roles.machine import Draft
from escrow.roles.state import pack
from escrow.secret import Secret
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Genesis
from escrow.warrant.policy import PAIR


class Letter(Struct, frozen=True):
    """A message on its way: who is concerned, this device excepted, who of them gets it, and what there is for it."""

    message: Queued
    content: Content
    me: Me
    members: Sequence[AccountId]
    recipients: Sequence[Identity]
    targets: Sequence[Identity]
    now: Millis
    coins: Coins


class Sender(Struct, frozen=True):
    """Turns queued messages into submissions, one by one, as far as what they need is known."""

    genesis: Genesis
    view: LightView

    def send(self, draft: Draft, message: Queued, content: Content, now: Millis, coins: Coins) -> None:
        """Write the submission down.

        Raises ``DeferredError`` with what it waits for, after owing the questions about it, or for the user to confirm
        changed keys; ``RefusedError`` for what no answer can mend: an expired policy.
        """
        self._check_view(draft, now)
        me = load_me(draft)
        members = members_of(draft, message)
        key = self._committee_key(draft, now) if message.mode == ESCROW else None
        recipients = None if members is None else recipients_of(draft, self.view, me, members, now)
        if members is None or recipients is None:
            raise DeferredError(Reason.DEVICE_UNKNOWN)
        if message.mode == ESCROW and key is None:
            raise DeferredError(Reason.COMMITTEE_UNKNOWN)
        targets = recipients if message.only is None else just(message.only, recipients)
        letter = Letter(message, content, me, members, recipients, targets, now, coins)
        if key is None:
            self._plain(draft, letter)
        else:
            self._escrowed(draft, letter, key)

    def _check_view(self, draft: Draft, now: Millis) -> None:
        """Whoever freezes the log stops us here: nothing is sealed without a fresh head that agrees with our clock."""
        trouble = self.view.trouble(draft, now)
        if trouble is not None:
            self.view.refresh(draft, now - self.genesis.fresh_ms // 2)
            raise DeferredError(trouble)

    def _committee_key(self, draft: Draft, now: Millis) -> CommitteeKey | None:
        """The authorised committee key of this moment; None while the log is being asked."""
        policy = self.genesis.policy
        period = policy.period_of(policy.epoch_of(now))
        key = self.view.committee_key(draft, period)
        if key is None:
            self.view.want(draft, EntryType.COMMITTEE_KEY, committee_subject(self.genesis, period))
        elif now >= key.retire_at:
            raise RefusedError(Reason.COMMITTEE_RETIRED)
        return key

    def _held(self, draft: Draft, letter: Letter) -> Held:
        """The conversation of the message; that of a pair begins with its first message."""
        group = held_group(draft, letter.message.to) if is_group(letter.message.to) else None
        if group is not None:
            return group
        (peer,) = set(letter.members) - {letter.me.keys.account}
        how = letter.recipients, letter.message.mode, letter.now, letter.coins
        return with_peer(draft, self.genesis, letter.me, peer, *how)

    # -- un-escrowed --------------------------------------------------------------------------

    def _plain(self, draft: Draft, letter: Letter) -> None:
        voice = self._voice(draft, letter)
        if voice is not None and voice.told:
            self._aloud(draft, letter, voice)
            return
        sessions = sessions_with(draft, self.genesis, letter.targets, letter.message.mode, letter.now)
        held = self._held(draft, letter)
        said = _plainly(held, letter, b"" if voice is None else voice.key.distribution.encode())
        envelopes: list[DeviceEnvelope] = []
        for session in sessions:
            version = held.travelling(session.peer.account, session.peer.device)
            envelopes.append(_envelope(draft, session, replace(said, roster=version or b"").encode(), letter))
        sent = Sent(letter.message, b"", "sent", b"", 0, id=said.mid, time=letter.now)
        key = _submit(draft, letter, PlainSend(tuple(envelopes)), sent)
        remember(draft, letter.content, sent.id, key, letter.targets)
        for session, each in zip(sessions, envelopes, strict=True):
            remember(draft, letter.content, hashlib.sha256(each.envelope).digest(), key, [session.peer])
        if voice is not None:
            voices.await_told(draft, key, held.conversation.id, voice)

    def _voice(self, draft: Draft, letter: Letter) -> voices.Voice | None:
        """The sender key of a message to all of a group of more than two; None for any other message."""
        held = held_group(draft, letter.message.to) if is_group(letter.message.to) else None
        if held is None or len(letter.members) <= PAIR:
            return None
        if isinstance(letter.content, Retry):
            voices.fall_silent(draft, held.conversation.id)
        if letter.message.only is not None:
            return None
        return voices.own_voice(draft, held.conversation, audience_of(letter.recipients), letter.now, letter.coins)

    def _aloud(self, draft: Draft, letter: Letter, voice: voices.Voice) -> None:
        """One envelope, the same for all."""
        held = self._held(draft, letter)
        said = _plainly(held, letter)
        envelope = voices.speak(draft, held.conversation.id, voice, said.encode(), letter.coins)
        envelopes = tuple(DeviceEnvelope(each.account, each.device, envelope) for each in letter.targets)
        sent = Sent(letter.message, b"", "sent", b"", 0, id=said.mid, time=letter.now)
        key = _submit(draft, letter, PlainSend(envelopes), sent)
        for name in (sent.id, hashlib.sha256(envelope).digest()):
            remember(draft, letter.content, name, key, letter.targets)

    # -- escrowed -----------------------------------------------------------------------------

    def _escrowed(self, draft: Draft, letter: Letter, key: CommitteeKey) -> None:
        group, again = is_group(letter.message.to), isinstance(letter.content, Retry)
        mode, audience = letter.message.mode, audience_of(letter.recipients)
        sessions = [] if group else sessions_with(draft, self.genesis, letter.targets, mode, letter.now)
        held = self._held(draft, letter)
        terms = terms_of(draft, self.genesis, letter.me, held.conversation, key, letter.now)
        chain, opening, me = open_chain(draft, held.conversation.id), (b"", b""), letter.me
        seed: Secret | None = None
        if again:
            # No seed is sent twice; and since somebody cannot follow the open chain, the next message begins another.
            chain, terms = None, replace(terms, n_max=1)
        goes_on = chain is not None and chain.serves(terms, audience)
        if group and not (goes_on and len(letter.members) > PAIR):
            sessions = sessions_with(draft, self.genesis, letter.targets, mode, letter.now)
        if chain is None or not goes_on:
            me, chain, capsule, seed = begin_chain(self.genesis, me, terms, key, audience, letter.coins)
            opening = chain.label, capsule
        body = _body(draft, me, chain, letter)
        says = EnvelopeContent(ESCROW, chain.label_hash, chain.cap_hash, chain.index, body_id(body), None, None)
        envelopes = tuple(_envelope(draft, each, _said(says, seed, held, each), letter) for each in sessions)
        root = env_root([(each.account, each.device, each.envelope) for each in envelopes])
        signed = SignedContent(chain.label_hash, chain.cap_hash, chain.index, says.body_id, root)
        signature = signed.sign(me.keys.signing_key)
        advance(draft, held.conversation.id, chain)
        item, awaited = EscrowSend(*opening, body, envelopes, signature), b"" if opening[0] else chain.label
        sent = Sent(letter.message, signed.hash, "sent", b"", 0, awaited, id=says.body_id, time=letter.now)
        remember(draft, letter.content, says.body_id, _submit(draft, letter, item, sent), letter.targets)


def _plainly(held: Held, letter: Letter, voice: bytes = b"") -> Plain:
    """What is said without escrow, and the sender key under which more will be."""
    named = held.conversation.id, held.conversation.version, letter.coins.take("mid", 16)
    return Plain(*named, encode_content(letter.content), voice=voice)


def _body(draft: Draft, me: Me, chain: SendingChain, letter: Letter) -> bytes:
    """The body at the chain's index; the hedge has moved on."""
    padded = encode_content(letter.content)
    hedged, hedge = use_hedge(me.hedge, b"mid")
    mid = message_id(hedged, letter.coins.take("mid", 16), padded)
    save_me(draft, replace(me, hedge=hedge))
    header = Header(chain.label_hash, chain.cap_hash, chain.index, mid, class_of(letter.content))
    return seal_body(chain.message_key, header, padded)


def _said(says: EnvelopeContent, seed: Secret | None, held: Held, session: Session) -> bytes:
    """What a device is told with a message: with a chain's first the seed, and the roster if it may not have it."""
    if says.index:
        return says.encode()
    version = held.travelling(session.peer.account, session.peer.device)
    parts = says.mode, says.label_hash, says.cap_hash, says.index, says.body_id
    return EnvelopeContent(*parts, seed, version).encode()


def _envelope(draft: Draft, session: Session, content: bytes, letter: Letter) -> DeviceEnvelope:
    """The content, sealed for one device; the session moves on."""
    following, envelope = seal(session, content, b"", letter.coins.take("ratchet", 32), letter.now)
    save_session(draft, following)
    return DeviceEnvelope(session.peer.account, session.peer.device, envelope)


def _submit(draft: Draft, letter: Letter, item: EscrowSend | PlainSend, sent: Sent) -> bytes:
    """Owe the submission under a new idempotency key, which is returned, and remember what it was."""
    key = letter.coins.take("idempotency", 16)
    escrow, plain = (item, None) if isinstance(item, EscrowSend) else (None, item)
    draft.put(b"sent/" + key, pack(sent))
    draft.owe(RELAY, Submit((Submission(key, escrow, plain),)))
    return key
