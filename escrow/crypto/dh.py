"""X25519 (RFC 7748) through libsodium, which makes a key in half the time that OpenSSL takes.

It works on bytes: there is no parsed key to keep alive, and so none that outlasts whoever holds its seed.
"""

import hmac
from typing import NoReturn, final

from nacl.bindings import crypto_scalarmult, crypto_scalarmult_base
from nacl.exceptions import RuntimeError as NaclRuntimeError

from escrow.encoding import expect
from escrow.errors import MalformedError
from escrow.secret import Secret


@final
class DhKey:
    """A private key, with its public half at hand. Compared in constant time; not hashable, not picklable."""

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_seed", "public")

    def __init__(self, seed: bytes, public: bytes) -> None:
        self._seed = seed
        self.public = public

    @classmethod
    def from_seed(cls, seed: bytes) -> "DhKey":
        """The key of 32 uniform bytes."""
        return cls(seed, crypto_scalarmult_base(expect(seed, 32, "an X25519 seed")))

    @classmethod
    def from_pair(cls, pair: Secret) -> "DhKey":
        """Undo ``pair``, which must come from our own store: nothing is computed, so nothing is checked."""
        raw = expect(pair.expose(), 64, "an X25519 key pair")
        return cls(raw[:32], raw[32:])

    @property
    def pair(self) -> Secret:
        """Seed 32 ‖ public 32: what to store."""
        return Secret(self._seed + self.public)

    def exchange(self, peer: bytes) -> bytes:
        """The 32-byte shared secret; raise ``MalformedError`` for a key of low order, which would make it zero."""
        return exchange(self._seed, peer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DhKey) and hmac.compare_digest(self._seed, other._seed)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialized by accident; store its pair")


def exchange(seed: bytes, peer: bytes) -> bytes:
    """As ``DhKey.from_seed(seed).exchange(peer)``, for a key whose public half nobody needs any more."""
    if len(seed) != 32:
        raise AssertionError("an X25519 seed has 32 bytes")
    try:
        return crypto_scalarmult(seed, expect(peer, 32, "an X25519 key"))
    except NaclRuntimeError:
        raise MalformedError("an X25519 key of low order") from None
