"""Crumple zones: a message's key has so few unknown bits that it can be found, at a price for each message.

The short secret is the only thing that an agency must guess; the recipient is told it. The bits here are few, so that
an access can really be executed; ``escrow_lab.published`` measures what more of them cost.
Source: Wright and Varia, "Crypto Crumple Zones", EuroS&P 2018; one puzzle, without their setup phase.
"""

from hashlib import sha256

from escrow.encoding import join, u64
from escrow.errors import MalformedError, Reason
from escrow_lab.letters import Peopled, box, read, unbox, write
from escrow_lab.regime import Access, Message, Opener, Order, Sealed, Wish

_LETTER = 32 + 8 + 16


class Crumple(Peopled):
    """wire: letter with the short secret 56 ‖ salt 16 ‖ box. ``bits``: of the secret, 1 to 24."""

    WISH = Wish.READ
    PARTIES = ("anybody who pays",)

    def __init__(self, seed: int, *, bits: int = 8) -> None:
        super().__init__(seed)
        if not 1 <= bits <= 24:
            raise MalformedError("crumple: a puzzle that is to be solved here has 1 to 24 bits", Reason.USAGE)
        self._bits = bits
        self.hashes = 0
        """Guesses that were made so far, by whomever."""

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``."""
        coins = self.coins("message", message.number)
        secret = int.from_bytes(coins.take("secret", 8), "big") >> (64 - self._bits)
        salt, recipient = coins.take("salt", 16), self.key(message.recipient)
        letter = write(recipient.public, u64(secret), coins)
        wire = letter + salt + box(_key(salt, secret), message.text.encode())
        told = read(recipient, wire[:_LETTER])
        shown = None if told is None else unbox(_key(salt, int.from_bytes(told, "big")), wire[_LETTER + 16 :])
        return self.store(message, wire, shown)

    def access(self, order: Order) -> Access:
        """Every message in scope is solved by itself: each costs the same again."""
        opened = {sealed.number: self._solve(sealed) for sealed in self.in_scope(order)}
        return Access(opened, frozenset(opened))

    def give(self, corrupt: frozenset[str]) -> Opener:  # noqa: ARG002
        """Whoever pays reads whatever is paid for; there is nobody to ask."""
        return self._solve

    def _solve(self, sealed: Sealed) -> str:
        salt, sealed_text = sealed.wire[_LETTER:][:16], sealed.wire[_LETTER + 16 :]
        for guess in range(1 << self._bits):
            self.hashes += 1
            said = unbox(_key(salt, guess), sealed_text)
            if said is not None:
                return said.decode()
        raise AssertionError("one of the guesses is the secret")


def _key(salt: bytes, secret: int) -> bytes:
    return sha256(join(b"crumple", salt, u64(secret))).digest()


REGIME = Crumple
