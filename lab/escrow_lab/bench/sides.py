"""Ours, as a user has it: pairs of devices with a session, a group's chain, and an escrowed chain."""

import tracemalloc
from os import urandom

from escrow.capsule.body import Body, body_id, seal_body
from escrow.capsule.chain import advance
from escrow.capsule.header import ContentClass, Header
from escrow.capsule.submission import SignedContent
from escrow.crypto.kem import SystemKem
from escrow.crypto.sign import SigningKey
from escrow.e2ee import sender_keys
from escrow.e2ee.bundle import Bundle, make_prekeys
from escrow.e2ee.devices import account_id
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.pqxdh import SessionSecret, Used, initiate, respond
from escrow.e2ee.session import Session, open_, open_session, seal
from escrow.ids import AccountId, DeviceNo
from escrow.roles.device.receiving import NO_ENVELOPES
from escrow.roles.state import pack, unpack
from escrow.secret import Secret

NOW = 1_000_000_000_000
MODE, LINEAGE = 0, bytes(32)


class Device:
    """Keys of a device, and the bundle with one-time keys that others begin a session from."""

    def __init__(self) -> None:
        account = account_id(SigningKey.from_seed(urandom(32)).public)
        self.keys = IdentityKeys.make(account, DeviceNo(1), urandom(32))
        self.secrets, published = make_prekeys(urandom(32), self.keys, 1, NOW, [(MODE, LINEAGE)])
        self.bundle = Bundle(published.static, published.ec[0], published.kem[0])

    @property
    def signed_parts(self) -> tuple[bytes, ...]:
        """What is signed in the bundle: the static part and a one-time key of each kind."""
        parts = (self.bundle.static, self.bundle.ec or b"", self.bundle.kem or b"")
        return tuple(part[:-64] for part in parts)

    def respond(self, initial: bytes) -> tuple[SessionSecret, Used]:
        """The answering side of a key agreement."""
        return respond(self.keys, self.secrets.find, initial)


class Agreement:
    """Two strangers. ``agree`` is PQXDH on both sides, with the bundle's signatures."""

    def __init__(self) -> None:
        self.alice, self.bob = Device(), Device()
        self._kem = SystemKem()

    def agree(self) -> object:
        """Verify the bundle, make the first message, take it."""
        verified = self.bob.bundle.verify(self.bob.keys.signing_key.public, NOW)
        initial, _ = initiate(self.alice.keys, verified, MODE, LINEAGE, self._kem, urandom(32), NOW)
        return self.bob.respond(initial)

    def talk(self) -> "Talk":
        """A session between them in which each has heard the other."""
        verified = self.bob.bundle.verify(self.bob.keys.signing_key.public, NOW)
        alice = open_session(self.alice.keys, verified, MODE, LINEAGE, self._kem, urandom(32), NOW)
        alice, envelope = seal(alice, b"hello", b"", urandom(32), NOW)
        bob, _, _ = open_(None, envelope, b"", self.bob.respond, NOW)
        bob, envelope = seal(bob, b"answer", b"", urandom(32), NOW)
        alice, _, _ = open_(alice, envelope, b"", self.alice.respond, NOW)
        return Talk(alice, bob, self.alice, self.bob)


class Talk:
    """Two ends of a session; see ``peers.Talk``."""

    def __init__(self, alice: Session, bob: Session, alice_keys: Device, bob_keys: Device) -> None:
        self.alice, self.bob = alice, bob
        self._alice_keys, self._bob_keys = alice_keys, bob_keys
        # The first message after an answer turns the ratchet; a one-way stream goes on from there.
        self.one_way(b"turn")
        self._stored = [pack(self.alice), pack(self.bob)]

    def one_way(self, plaintext: bytes) -> object:
        """The first encrypts, the second decrypts."""
        self.alice, envelope = seal(self.alice, plaintext, b"", urandom(32), NOW)
        self.bob, heard, _ = open_(self.bob, envelope, b"", self._bob_keys.respond, NOW)
        return heard

    def stored_one_way(self, plaintext: bytes) -> object:
        """The same, with both states read from bytes and written back."""
        alice, envelope = seal(unpack(self._stored[0], Session), plaintext, b"", urandom(32), NOW)
        bob, heard, _ = open_(unpack(self._stored[1], Session), envelope, b"", self._bob_keys.respond, NOW)
        self._stored = [pack(alice), pack(bob)]
        return heard

    def round_trip(self, plaintext: bytes) -> object:
        """One message each way."""
        self.one_way(plaintext)
        self.bob, envelope = seal(self.bob, plaintext, b"", urandom(32), NOW)
        self.alice, heard, _ = open_(self.alice, envelope, b"", self._alice_keys.respond, NOW)
        return heard

    def memory(self, count: int) -> tuple[float, float]:
        """Bytes that each of ``count`` open sessions takes on average, and bytes of one in a store."""
        stored = pack(self.bob)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            sessions = [unpack(stored, Session) for _ in range(count)]
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        return (after - before) / len(sessions), float(len(stored))


class Group:
    """The sender of a group and one of its other members."""

    def __init__(self) -> None:
        place = sender_keys.Place(urandom(32), 1, AccountId(urandom(32)), DeviceNo(1))
        self.sender = sender_keys.begin(place, Secret(urandom(32)), urandom(32))
        self.member = sender_keys.accept(self.sender.distribution, place)

    def one_way(self, plaintext: bytes) -> object:
        """One send, one receive."""
        self.sender, message = sender_keys.seal(self.sender, plaintext, urandom(32))
        self.member, heard = sender_keys.open_(self.member, message, NOW)
        return heard


class Chain:
    """A group's escrowed chain beyond its first message, which is all that its later messages go through: no session.

    The chain key is never more than one step ahead of what was sent.
    """

    def __init__(self) -> None:
        self._label_hash, self._cap_hash, self._mid = urandom(32), urandom(32), urandom(16)
        self._sending = self._receiving = Secret(urandom(32))
        self._index = 0
        self._device = SigningKey.from_seed(urandom(32))

    def one_way(self, plaintext: bytes) -> object:
        """Seal under the next key of the chain and name what is to be signed; read, name and open likewise."""
        body, _ = self._send(plaintext)
        heard, _ = self._receive(body)
        return heard

    def signed_one_way(self, plaintext: bytes) -> object:
        """The same, with the signature of the sender's device and its verification."""
        body, said = self._send(plaintext)
        signature = said.sign(self._device)
        heard, said = self._receive(body)
        said.verify(self._device.public, signature)
        return heard

    def _send(self, plaintext: bytes) -> tuple[bytes, SignedContent]:
        header = Header(self._label_hash, self._cap_hash, self._index, self._mid, ContentClass.CONTENT)
        self._sending, key = advance(self._sending, self._label_hash, self._index)
        body = seal_body(key, header, plaintext)
        return body, self._said(header, body)

    def _receive(self, data: bytes) -> tuple[bytes, SignedContent]:
        body = Body.decode(data)
        header = Header.decode(body.header)
        said = self._said(header, data)
        self._receiving, key = advance(self._receiving, self._label_hash, header.index)
        heard = body.open(key)
        self._index = header.index + 1
        return heard, said

    def _said(self, header: Header, body: bytes) -> SignedContent:
        return SignedContent(header.label_hash, header.cap_hash, header.index, body_id(body), NO_ENVELOPES)
