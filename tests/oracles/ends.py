"""The two ends of a session that the tests let talk: ours, and one made of two libraries of other authors.

Both say and hear whole envelopes. Coins are what our end uses; the other one has its own.
"""

import struct
from typing import Protocol

from escrow.e2ee import session
from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.session import Session
from escrow.errors import EscrowError
from tests.core.e2ee.people import KEM, NOW, Person, coins
from tests.oracles import agreement
from tests.oracles.layout import pinned
from tests.oracles.ratchet import Peer, RefusalError

Choice = tuple[int, bytes]


class End(Protocol):
    """One end of a session."""

    def say(self, text: bytes, ad: bytes, coins: bytes) -> bytes: ...

    def hear(self, envelope: bytes, ad: bytes) -> bytes: ...


class Ours:
    """What the product does."""

    def __init__(self, me: Person, begun: Session | None = None) -> None:
        self._me = me
        self._session = begun

    @classmethod
    def begin(cls, me: Person, other: Person, choice: Choice, *, ec: bool, kem: bool) -> "Ours":
        bundle = other.verified(ec=ec, kem=kem)
        return cls(me, session.open_session(me.keys, bundle, *choice, KEM, coins(me.account, "begin"), NOW))

    def say(self, text: bytes, ad: bytes, coins: bytes) -> bytes:
        assert self._session is not None
        self._session, envelope = session.seal(self._session, text, ad, coins, NOW)
        return envelope

    def hear(self, envelope: bytes, ad: bytes) -> bytes:
        try:
            self._session, text, _ = session.open_(self._session, envelope, ad, self._respond, NOW)
        except EscrowError as no:
            raise RefusalError from no
        return text

    def _respond(self, initial: bytes) -> tuple[SessionSecret, Used]:
        return respond(self._me.keys, self._me.secrets.find, initial)


class Theirs:
    """X3DH and DoubleRatchet, in the envelopes of a session."""

    def __init__(self, me: Person, choice: Choice) -> None:
        self._me = me
        self._choice = choice
        self._initial = b""
        self._answered = True
        self.peer: Peer | None = None

    @classmethod
    def begin(cls, me: Person, other: Person, choice: Choice, *, ec: bool, kem: bool) -> "Theirs":
        end = cls(me, choice)
        end._initial, agreed = agreement.initiate(me, other, choice, ec=ec, kem=kem)
        end._answered = False
        end.peer = Peer(agreed.root, agreed.ad, coins(me.account, "seed"), remote=agreed.signed)
        return end

    def say(self, text: bytes, ad: bytes, coins: bytes) -> bytes:
        assert self.peer is not None
        message = self.peer.say(text, pinned(*self._choice, ad))
        if self._answered:
            return b"\x01" + message
        return b"\x02" + struct.pack(">I", len(self._initial)) + self._initial + message

    def hear(self, envelope: bytes, ad: bytes) -> bytes:
        initial, message = _parts(envelope)
        peer = self.peer
        if peer is None:
            assert initial, "the first message begins the session"
            agreed = agreement.respond(self._me, initial)
            own = agreement.Offer(self._me, ec=False, kem=False).signed.seed
            peer = Peer(agreed.root, agreed.ad, coins(self._me.account, "seed"), own=own)
        text = peer.hear(message, pinned(*self._choice, ad))
        self.peer, self._answered = peer, True
        return text


def _parts(envelope: bytes) -> tuple[bytes, bytes]:
    if envelope[:1] == b"\x01":
        return b"", envelope[1:]
    end = 5 + struct.unpack(">I", envelope[1:5])[0]
    return envelope[5:end], envelope[end:]
