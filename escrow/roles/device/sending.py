"""From a line of text to a submission: the sender's checks, in order, and the bytes that are written down first.

Nothing is sent before it is stored: the exact submission lies in the outbox, the ratchet and the hedge have moved on,
and the seed, chain key and message key exist nowhere any more. A lost answer is met with the same bytes; a refusal for
being late with a new chain. So no key is ever used for two contents.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.chain import message_id, message_key, new_seed, use_hedge
from escrow.capsule.envelope import EnvelopeContent, env_root
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import Label, label_hash
from escrow.capsule.schemes import scheme_of
from escrow.capsule.submission import SignedContent
from escrow.committee.documents import CommitteeKey
from escrow.crypto.coins import Coins
from escrow.e2ee.content import encode_content
from escrow.e2ee.devices import DeviceList
from escrow.e2ee.roster import conv_tag, member_salts, root_of_salts
from escrow.e2ee.session import Session, seal
from escrow.errors import DeferredError, EscrowError, Reason, RefusedError
from escrow.ids import AccountId, Millis
from escrow.roles.authorised import context_of
from escrow.roles.calls import DeviceEnvelope, EscrowSend, PlainSend, RegisterRoute, RouteMember, Submission, Submit
from escrow.roles.device.beginning import outlived
from escrow.roles.device.conversations import Held, lineage_of, with_peer
from escrow.roles.device.directory import RELAY, account_of, device_list, want_bundle
from escrow.roles.device.state import ESCROW, Me, Queued, Sent, load_me, save_me, save_session, session_with
from escrow.roles.lightview import LightView, committee_subject
from escrow.roles.machine import Draft
from escrow.roles.state import pack
from escrow.secret import Secret
from escrow.tags import T, Tag
from escrow.tlog.entry import EntryType
from escrow.warrant.genesis import Genesis


@dataclass(frozen=True, slots=True)
class Sender:
    """Turns queued messages into submissions, one by one, as far as what they need is known."""

    genesis: Genesis
    view: LightView

    def send(self, draft: Draft, message: Queued, now: Millis, coins: Coins) -> None:
        """Write the submission down.

        Raises ``DeferredError`` with what it waits for, after owing the questions about it, or for the user to confirm
        changed keys; ``RefusedError`` for what no answer can mend: an expired policy.
        """
        self._check_view(draft, now)
        peer = account_of(draft, message.to)
        key = self._committee_key(draft, now) if message.mode == ESCROW else None
        devices = None if peer is None else device_list(draft, self.view, peer, now)
        if peer is None or devices is None:
            raise DeferredError(Reason.DEVICE_UNKNOWN)
        if message.mode == ESCROW and key is None:
            raise DeferredError(Reason.COMMITTEE_UNKNOWN)
        me = load_me(draft)
        if peer == me.keys.account:
            raise RefusedError(Reason.USAGE, "a message to oneself")
        sessions = self._sessions(draft, devices, peer, message.mode, now)
        held = with_peer(draft, self.genesis, me, peer, message.mode, coins)
        if key is None:
            self._plain(draft, held, sessions, message, now, coins)
        else:
            self._escrowed(draft, me, held, key, sessions, message, now, coins)

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

    def _sessions(
        self, draft: Draft, devices: DeviceList, peer: AccountId, mode: int, now: Millis
    ) -> Mapping[int, Session]:
        """A session with every device of the peer; ``SESSION_MISSING``, deferred, while prekeys are being asked for."""
        sessions: dict[int, Session] = {}
        for device in devices.devices:
            session = session_with(draft, device.identity(peer), mode)
            if session is None:
                want_bundle(draft, peer, device.number)
            elif session.lineage != lineage_of(self.genesis, mode):
                raise RefusedError(Reason.MODE_MISMATCH, "the session is pinned to another policy")
            elif outlived(draft, session, now):
                want_bundle(draft, peer, device.number)
            else:
                sessions[device.number] = session
        if len(sessions) < len(devices.devices):
            raise DeferredError(Reason.SESSION_MISSING)
        return sessions

    def _plain(
        self,
        draft: Draft,
        held: Held,
        sessions: Mapping[int, Session],
        message: Queued,
        now: Millis,
        coins: Coins,
    ) -> None:
        optional = [] if held.genesis is None else [held.genesis]
        content = T(Tag.PLAIN, coins.take("mid", 16), encode_content(message.content), *optional)
        envelopes = _envelopes(draft, held.peer, sessions, content, now, coins)
        _submit(draft, message, None, PlainSend(envelopes), coins)

    def _escrowed(
        self,
        draft: Draft,
        me: Me,
        held: Held,
        key: CommitteeKey,
        sessions: Mapping[int, Session],
        message: Queued,
        now: Millis,
        coins: Coins,
    ) -> None:
        label = self._label(draft, me, held, key, now, coins).encode()
        named = label_hash(label)
        hedged, hedge = use_hedge(me.hedge, b"seed")
        seed = new_seed(hedged, coins.take("seed", 32), label)
        capsule = self._capsule(key, label, seed)
        padded = encode_content(message.content)
        hedged, hedge = use_hedge(hedge, b"mid")
        mid = message_id(hedged, coins.take("mid", 16), padded)
        save_me(draft, replace(me, hedge=hedge, chains=me.chains + 1))

        capped = cap_hash(self.genesis.policy.suite, capsule)
        header = Header(named, capped, 0, mid, ContentClass.CONTENT)
        body = seal_body(message_key(seed, named, 0), header, padded)
        content = EnvelopeContent(ESCROW, named, capped, 0, body_id(body), seed, held.genesis)
        envelopes = _envelopes(draft, held.peer, sessions, content.encode(), now, coins)
        root = env_root([(each.account, each.device, each.envelope) for each in envelopes])
        signed = SignedContent(named, capped, 0, body_id(body), root)
        signature = signed.sign(me.keys.signing_key)
        _submit(draft, message, signed.hash, EscrowSend(label, capsule, body, envelopes, signature), coins)

    def _label(self, draft: Draft, me: Me, held: Held, key: CommitteeKey, now: Millis, coins: Coins) -> Label:
        """The label of a new chain; tells the relay the conversation's tag if it does not know it yet."""
        policy, conversation = self.genesis.policy, held.conversation
        epoch = policy.epoch_of(now)
        tag = conv_tag(conversation.secret, policy.hash, epoch)
        salts = member_salts(conversation.secret, policy.hash, epoch, conversation.version, conversation.members)
        route = b"route/" + tag
        if draft.get(route) is None:
            draft.put(route, b"")
            members = tuple(RouteMember(account, salt) for account, salt in sorted(salts.items()))
            draft.owe(RELAY, RegisterRoute(tag, policy.hash, epoch, conversation.version, members))
        return Label(
            suite=policy.suite,
            mode=ESCROW,
            policy_hash=policy.hash,
            committee_key_hash=key.hash,
            conv_tag=tag,
            roster_version=conversation.version,
            roster_root=root_of_salts(salts),
            sender_account=me.keys.account,
            sender_device=me.keys.device,
            epoch=epoch,
            chain_id=coins.take("chain-id", 16),
            chain_no=me.chains,
            n_max=policy.n_max,
        )

    def _capsule(self, key: CommitteeKey, label: bytes, seed: Secret) -> bytes:
        scheme = scheme_of(self.genesis.policy.suite)
        context = context_of(self.genesis, key)
        capsule = scheme.encapsulate(context, label, seed)
        try:
            scheme.verify(context, label, capsule)
        except EscrowError as error:
            raise RefusedError(Reason.CAPSULE_SELF_CHECK, error.detail) from error
        return capsule


def _envelopes(
    draft: Draft, peer: AccountId, sessions: Mapping[int, Session], content: bytes, now: Millis, coins: Coins
) -> tuple[DeviceEnvelope, ...]:
    """The content, sealed for each device; the sessions move on."""
    envelopes = []
    for device, session in sorted(sessions.items()):
        following, envelope = seal(session, content, b"", coins.take("ratchet", 32), now)
        save_session(draft, following)
        envelopes.append(DeviceEnvelope(peer, device, envelope))
    return tuple(envelopes)


def _submit(
    draft: Draft, message: Queued, submit_hash: bytes | None, item: EscrowSend | PlainSend, coins: Coins
) -> None:
    """Owe the submission under a new idempotency key, and remember what it was."""
    key = coins.take("idempotency", 16)
    escrow, plain = (item, None) if isinstance(item, EscrowSend) else (None, item)
    draft.put(b"sent/" + key, pack(Sent(message, submit_hash or b"", "sent", b"", 0)))
    draft.owe(RELAY, Submit((Submission(key, escrow, plain),)))
