"""What a stolen device opens: forward secrecy and healing as a number, found by decrypting.

A thief takes all that a device stores, once, and has a recording of all that ever passed the relay. From then on he
only listens. He is no device: he checks neither receipt nor signature nor label, remembers every key and tries it on
everything, in the past and in what is still to come. What he has are keys: that a device also keeps messages for its
user to read again is not counted here.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from escrow.capsule.body import Body, body_id, open_body
from escrow.capsule.chain import advance, first_chain_key, message_key
from escrow.capsule.envelope import EnvelopeContent, env_root
from escrow.capsule.header import Header
from escrow.e2ee import sender_keys
from escrow.e2ee.plain import Plain
from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.ratchet import RatchetState
from escrow.e2ee.sender_keys import Distribution, Place, ReceiverKey, SenderKey, accept, chain_id_of
from escrow.e2ee.session import Respond, Session, open_
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Party
from escrow.roles.callers import device_of
from escrow.roles.calls import Call, DeviceEnvelope, EscrowDelivery, PlainDelivery, Submission, Submit
from escrow.roles.device.chains import receiving_chains, sending_chains
from escrow.roles.device.state import ESCROW, PLAIN, Deferred, load_me, load_prekey
from escrow.roles.device.voices import SPOKEN, all_voices, is_spoken
from escrow.roles.machine import Read
from escrow.roles.state import unpack
from escrow.secret import Secret
from escrow.world.network import Network

S = TypeVar("S")
Device = tuple[bytes, int]
"""(account 32, number)."""
_EVER = 0
"""The thief's clock stands still: no key that he has grows old."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A submission and the device that it came from."""

    sender: Device
    item: Submission

    @property
    def name(self) -> bytes:
        """32 bytes that name the message: its body id; where there is no escrow, the root over its envelopes."""
        if self.item.escrow is not None:
            return body_id(self.item.escrow.body)
        return env_root([(one.account, one.device, one.envelope) for one in self.envelopes])

    @property
    def mode(self) -> int:
        """The mode of the sessions that its envelopes are of."""
        return PLAIN if self.item.escrow is None else ESCROW

    @property
    def envelopes(self) -> tuple[DeviceEnvelope, ...]:
        """What it has for each device."""
        said = self.item.escrow or self.item.plain
        return () if said is None else said.envelopes


class Wiretap:
    """Listens before the relay from now on. ``posted`` is what devices have submitted, in order, repetitions once."""

    def __init__(self, network: Network) -> None:
        self._heard: dict[bytes, Posted] = {}
        before = network.on_call

        def on_call(origin: Party, to: Party, call: Call) -> Call:
            call = before(origin, to, call)
            if isinstance(call, Submit):
                for one in (Posted(device_of(origin), item) for item in call.items):
                    self._heard.setdefault(one.name, one)
            return call

        network.on_call = on_call

    @property
    def posted(self) -> tuple[Posted, ...]:
        """All of it."""
        return tuple(self._heard.values())

    @property
    def newest(self) -> Posted:
        """What was submitted last; ``StopIteration`` before the first."""
        return next(reversed(self._heard.values()))


def exposed(stolen: Read, recording: Iterable[Posted]) -> frozenset[bytes]:
    """The names of those messages in ``recording``, in the order of their sending, that the state ``stolen`` opens."""
    thief, heard = _listening(stolen, recording)
    return frozenset(one.name for one in heard if thief.reads(one))


def overheard(stolen: Read, recording: Iterable[Posted]) -> frozenset[bytes]:
    """The names of those whose envelope it opens: what he would read if the session carried the words themselves."""
    thief, heard = _listening(stolen, recording)
    return frozenset(one.name for one in heard if thief.hears(one))


def _listening(stolen: Read, recording: Iterable[Posted]) -> "tuple[_Thief, tuple[Posted, ...]]":
    thief, heard = _Thief(stolen), tuple(recording)
    for one in heard:
        thief.listen(one)
    return thief, heard


def chain_of(one: Posted) -> bytes:
    """The hash of the label of the chain that an escrowed message is in, 32 bytes; empty for any other."""
    escrow = one.item.escrow
    return b"" if escrow is None else Header.decode(Body.decode(escrow.body).header).label_hash


def open_chains(stolen: Read) -> frozenset[bytes]:
    """The label hashes of the chains that a device could still send or read under."""
    sending = {chain.label_hash for chain in sending_chains(stolen)}
    return frozenset(sending | {chain.label_hash for chain in receiving_chains(stolen)})


class _Thief:
    """Someone with a device's state: what was said to it he hears as it would, what it says as its peers would."""

    def __init__(self, stolen: Read) -> None:
        self._stolen = stolen
        self._me = load_me(stolen)
        self._ears: dict[tuple[Device, Device, int], list[Session]] = {}
        self._opened: dict[bytes, bytes] = {}
        self._starts: dict[bytes, tuple[int, Secret]] = {}
        self._skipped: dict[tuple[bytes, int], Secret] = {}
        for session in _all(stolen, b"session/", Session):
            peer = session.peer.account, session.peer.device
            self._ears[peer, self._device, session.mode] = [session]
            self._ears[self._device, peer, session.mode] = [_as_the_peer_hears_it(session)]
        for deferred in _all(stolen, b"deferred/", Deferred):
            kept: EscrowDelivery | PlainDelivery | None = deferred.delivery.escrow or deferred.delivery.plain
            if kept is not None and deferred.opened:
                self._opened[kept.envelope] = deferred.opened
        self._voices: dict[bytes, list[ReceiverKey]] = {}
        for voice in all_voices(stolen):
            self._voices.setdefault(voice.chain_id, []).append(_heard(voice))
        for sending in sending_chains(stolen):
            self._learn(sending.label_hash, sending.index, sending.key)
        for receiving in receiving_chains(stolen):
            self._learn(receiving.label_hash, receiving.index, receiving.key)
            for each in receiving.skipped:
                self._skipped[receiving.label_hash, each.index] = each.key

    @property
    def _device(self) -> Device:
        return self._me.keys.account, self._me.keys.device

    # -- sessions -----------------------------------------------------------------------------

    def listen(self, one: Posted) -> None:
        """Open what can be opened of a message's envelopes, and keep the seed that may be in it."""
        for letter in one.envelopes:
            to = letter.account, letter.device
            if self._device not in (one.sender, to):
                continue
            opened = self._opened.get(letter.envelope) or self._open(one.sender, to, one.mode, letter.envelope)
            if opened is not None:
                self._opened[letter.envelope] = opened
                self._learn_from(one, opened)

    def _learn_from(self, one: Posted, opened: bytes) -> None:
        """Keep the seed, or the sender key, that is told in an envelope."""
        if one.mode == ESCROW:
            content = EnvelopeContent.decode(opened)
            if content.seed is not None:
                self._learn(content.label_hash, 0, first_chain_key(content.seed, content.label_hash))
            return
        said = Plain.decode(opened)
        if said.voice:
            account, device = one.sender
            told = Distribution.decode(said.voice)
            place = Place(said.conversation, said.version, AccountId(account), DeviceNo(device))
            self._voices.setdefault(told.chain_id, []).append(accept(told, place))

    def _open(self, sender: Device, to: Device, mode: int, envelope: bytes) -> bytes | None:
        if is_spoken(envelope):
            return self._hear(envelope.removeprefix(SPOKEN))
        ears = self._ears.setdefault((sender, to, mode), [])
        answer: Respond = self._answer if to == self._device else _no_prekeys
        for place, session in enumerate([*ears, None]):
            try:
                following, opened, _ = open_(session, envelope, b"", answer, _EVER)
            except EscrowError:
                continue
            ears[place : place + 1] = [following]
            return opened
        return None

    def _hear(self, message: bytes) -> bytes | None:
        for voice in self._voices.get(chain_id_of(message), ()):
            with suppress(EscrowError):
                return sender_keys.open_(voice, message, _EVER)[1]
        return None

    def _answer(self, initial: bytes) -> tuple[SessionSecret, Used]:
        """Begin a session as the device would: the prekeys were in its store, too."""
        return respond(self._me.keys, lambda purpose, place: load_prekey(self._stolen, purpose, place), initial)

    # -- chains -------------------------------------------------------------------------------

    def _learn(self, label_hash: bytes, index: int, key: Secret) -> None:
        """Keep the earliest key of a chain: all later ones follow from it. Finished chains have none."""
        known = self._starts.get(label_hash)
        if len(key) and (known is None or index < known[0]):
            self._starts[label_hash] = index, key

    def hears(self, one: Posted) -> bool:
        """Whether an envelope lies open."""
        return any(letter.envelope in self._opened for letter in one.envelopes)

    def reads(self, one: Posted) -> bool:
        """Whether the words lie open."""
        if one.item.escrow is None:
            return self.hears(one)
        body = one.item.escrow.body
        header = Header.decode(Body.decode(body).header)
        return any(_fits(key, body) for key in self._keys(header.label_hash, header.index))

    def _keys(self, label_hash: bytes, index: int) -> Iterator[Secret]:
        skipped = self._skipped.get((label_hash, index))
        if skipped is not None:
            yield skipped
        start, key = self._starts.get(label_hash, (index + 1, Secret(b"")))
        if start <= index:
            for place in range(start, index):
                key, _ = advance(key, label_hash, place)
            yield message_key(key, label_hash, index)


def _as_the_peer_hears_it(session: Session) -> Session:
    """The session in which the peer reads what the device sends, as far as the device's own state gives it."""
    links = tuple(replace(link, ratchet=_turned_round(link.ratchet), initial=b"") for link in session.links)
    return replace(session, links=links)


def _turned_round(state: RatchetState) -> RatchetState:
    """The sending chain as a receiving one. Its next turn takes a new key that is not in the state."""
    remote = b"" if state.own is None else state.own.public
    return replace(
        state, own=None, remote=remote, sending=None, receiving=state.sending, received=state.sent, skipped=()
    )


def _heard(voice: SenderKey | ReceiverKey) -> ReceiverKey:
    """A key as those have it who hear it."""
    if isinstance(voice, ReceiverKey):
        return voice
    return ReceiverKey(voice.ad, voice.chain_id, voice.iteration, voice.chain, voice.distribution.public, ())


def _no_prekeys(_initial: bytes) -> tuple[SessionSecret, Used]:
    raise RefusedError(Reason.PREKEY_UNKNOWN, "the peer's prekeys were not stolen")


def _fits(key: Secret, body: bytes) -> bool:
    try:
        open_body(key, body)
    except EscrowError:
        return False
    return True


def _all(stolen: Read, prefix: bytes, kind: type[S]) -> Iterator[S]:
    return (unpack(data, kind) for _, data in stolen.scan(prefix))
