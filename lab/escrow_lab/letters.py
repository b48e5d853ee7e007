"""Letters to a public key, and the people who read them: what the regimes that are not ours are built from.

A letter, u 32 ‖ ciphertext and tag: u = rG, and the key is derived from u and r times the recipient's point. Whoever
has no private key, because its point was hashed and nobody knows its logarithm, can be written to and reads nothing.
"""

from dataclasses import dataclass, replace
from typing import Final

from escrow.crypto import aead
from escrow.crypto.coins import Coins
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import SIZE, Point, Scalar
from escrow.crypto.kdf import hkdf_expand, hkdf_extract
from escrow.errors import EscrowError
from escrow_lab.regime import Message, Order, Regime, Sealed

_NONCE: Final = bytes(12)
"""A letter's key serves once: it has a new u."""


@dataclass(frozen=True, slots=True)
class Key:
    """A private key and its point."""

    secret: Scalar
    public: Point

    @classmethod
    def of(cls, coins: Coins) -> "Key":
        """A new one."""
        secret = coins.scalar("key")
        return cls(secret, EDWARDS25519.base_mul(secret))


def write(to: Point, said: bytes, coins: Coins) -> bytes:
    """A letter of ``said``."""
    r = coins.scalar("letter")
    u = EDWARDS25519.base_mul(r).encode()
    return u + aead.seal(_key(u, r * to), _NONCE, said, u)


def read(key: Key, letter: bytes) -> bytes | None:
    """What a letter says, if it is one to this key."""
    try:
        u, shared = EDWARDS25519.decode_times(letter[:SIZE], key.secret)
        return aead.open_(_key(u.encode(), shared), _NONCE, letter[SIZE:], u.encode())
    except EscrowError:
        return None


def box(key: bytes, said: bytes) -> bytes:
    """``said`` under a key of 32 bytes that is used once."""
    return aead.seal(key, _NONCE, said, b"")


def unbox(key: bytes, sealed: bytes) -> bytes | None:
    """What is in a box, if this is its key."""
    try:
        return aead.open_(key, _NONCE, sealed, b"")
    except EscrowError:
        return None


def _key(u: bytes, shared: Point) -> bytes:
    return hkdf_expand(hkdf_extract(u, shared.encode()), b"doublelock lab letter", 32)


class Peopled(Regime):
    """A regime whose users have one key each, made when somebody first speaks of them. Remembers what was sealed."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._keys: dict[str, Key] = {}
        self.stored: list[Sealed] = []

    def key(self, name: str) -> Key:
        """The key of a user's device."""
        if name not in self._keys:
            self._keys[name] = Key.of(self.coins("user", name))
        return self._keys[name]

    def store(self, message: Message, wire: bytes, shown: bytes | None) -> Sealed:
        """What the operator keeps; ``shown`` is what the recipient's device has made of it."""
        said = message.number, message.time, message.sender, message.recipient
        sealed = Sealed(*said, wire, shown == message.text.encode())
        self.stored.append(sealed)
        return sealed

    def in_scope(self, order: Order) -> list[Sealed]:
        """What an order covers of what was sealed so far."""
        return [sealed for sealed in self.stored if order.covers(sealed)]


def tampered(sealed: Sealed, wire: bytes) -> Sealed:
    """The same message with another wire: what an attacker has put in its place."""
    return replace(sealed, wire=wire)
