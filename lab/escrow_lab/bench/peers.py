"""Other people's sessions, behind one interface: vodozemac (Matrix, Rust) and DoubleRatchet (Python), if installed.

They come with the extra ``bench``. Neither has a post-quantum key agreement, so there is no peer for that.
"""

import json
from importlib.util import find_spec
from os import urandom
from typing import Protocol

from escrow.world.loop import complete

PEERS = ("vodozemac", "doubleratchet")


class Talk(Protocol):
    """Two sides that have heard each other. ``stored`` sides are read from bytes and written back at each use."""

    def one_way(self, plaintext: bytes) -> object:
        """The first encrypts, the second decrypts."""
        ...

    def stored_one_way(self, plaintext: bytes) -> object:
        """The same, with both states read and written."""
        ...

    def round_trip(self, plaintext: bytes) -> object:
        """One message each way, so that the ratchet turns twice."""
        ...


def installed(name: str) -> bool:
    """Whether a peer can be measured."""
    return find_spec(name) is not None


def talk_of(name: str) -> Talk:
    """A fresh pair of sides of an installed peer."""
    return Vodozemac() if name == "vodozemac" else Syndace()


class Vodozemac:
    """Olm, by the Matrix project; a pickle is how its sessions are stored."""

    _PICKLE_KEY = bytes(32)

    def __init__(self) -> None:
        from vodozemac import Account

        alice, bob = Account(), Account()
        bob.generate_one_time_keys(1)
        (key,) = bob.one_time_keys.values()
        self.alice = alice.create_outbound_session(bob.curve25519_key, key)
        first = self.alice.encrypt(b"hello").to_pre_key()
        assert first is not None
        self.bob, _ = bob.create_inbound_session(alice.curve25519_key, first)
        self.alice.decrypt(self.bob.encrypt(b"answer"))
        self._stored = [side.pickle(self._PICKLE_KEY) for side in (self.alice, self.bob)]

    def one_way(self, plaintext: bytes) -> object:
        """See ``Talk``."""
        return self.bob.decrypt(self.alice.encrypt(plaintext))

    def stored_one_way(self, plaintext: bytes) -> object:
        """See ``Talk``."""
        from vodozemac import Session

        alice = Session.from_pickle(self._stored[0], self._PICKLE_KEY)
        message = alice.encrypt(plaintext)
        bob = Session.from_pickle(self._stored[1], self._PICKLE_KEY)
        heard = bob.decrypt(message)
        self._stored = [side.pickle(self._PICKLE_KEY) for side in (alice, bob)]
        return heard

    def round_trip(self, plaintext: bytes) -> object:
        """See ``Talk``."""
        self.bob.decrypt(self.alice.encrypt(plaintext))
        return self.alice.decrypt(self.bob.encrypt(plaintext))


class Syndace:
    """DoubleRatchet, as its own documentation recommends to configure it. Its coroutines wait for nothing."""

    _AD = b"associated data"

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        from escrow_lab.bench.syndace import CONFIGURATION, Ratchet

        secret, prekey = urandom(32), X25519PrivateKey.generate()
        public = prekey.public_key().public_bytes_raw()
        self._kind, self._configuration = Ratchet, CONFIGURATION
        self.alice, first = complete(
            Ratchet.encrypt_initial_message(
                shared_secret=secret,
                recipient_ratchet_pub=public,
                message=b"hello",
                associated_data=self._AD,
                **CONFIGURATION,
            )
        )
        self.bob, _ = complete(
            Ratchet.decrypt_initial_message(
                shared_secret=secret,
                own_ratchet_priv=prekey.private_bytes_raw(),
                message=first,
                associated_data=self._AD,
                **CONFIGURATION,
            )
        )
        complete(self.alice.decrypt_message(complete(self.bob.encrypt_message(b"answer", self._AD)), self._AD))
        self._stored = [json.dumps(side.json) for side in (self.alice, self.bob)]

    def one_way(self, plaintext: bytes) -> object:
        """See ``Talk``."""
        message = complete(self.alice.encrypt_message(plaintext, self._AD))
        return complete(self.bob.decrypt_message(message, self._AD))

    def stored_one_way(self, plaintext: bytes) -> object:
        """See ``Talk``."""
        alice, bob = (self._kind.from_json(json.loads(side), **self._configuration) for side in self._stored)
        heard = complete(bob.decrypt_message(complete(alice.encrypt_message(plaintext, self._AD)), self._AD))
        self._stored = [json.dumps(side.json) for side in (alice, bob)]
        return heard

    def round_trip(self, plaintext: bytes) -> object:
        """See ``Talk``."""
        complete(self.bob.decrypt_message(complete(self.alice.encrypt_message(plaintext, self._AD)), self._AD))
        return complete(self.alice.decrypt_message(complete(self.bob.encrypt_message(plaintext, self._AD)), self._AD))


class Megolm:
    """Megolm, vodozemac's group session: one sender, one receiver of many."""

    def __init__(self) -> None:
        from vodozemac import GroupSession, InboundGroupSession

        self.sender = GroupSession()
        self.receiver = InboundGroupSession(self.sender.session_key)

    def one_way(self, plaintext: bytes) -> object:
        """One send, one receive."""
        return self.receiver.decrypt(self.sender.encrypt(plaintext)).plaintext
