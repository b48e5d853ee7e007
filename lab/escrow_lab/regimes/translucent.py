"""Translucent cryptography: the authority reads each message with probability p, and no sender knows which.

The authority publishes ``of`` points and knows the logarithm of ``known`` of them; the others were hashed, so that
nobody knows any. A sender writes to its recipient, and to one of the points, by lot.
Source: Bellare and Rivest, "Translucent cryptography", J. Cryptology 12(2), 1999: fractional oblivious transfer.
"""

from escrow.crypto.coins import Coins
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.encoding import u16
from escrow.errors import MalformedError, Reason
from escrow_lab.letters import Key, Peopled, box, read, unbox, write
from escrow_lab.regime import Access, Message, Opener, Order, Sealed, Wish, nothing

AUTHORITY = "authority"
_LETTER = 32 + 32 + 16


class Translucent(Peopled):
    """wire: which point u16 ‖ letter to the recipient 80 ‖ letter to the point 80 ‖ box. p = known / of."""

    WISH = Wish.READ
    PARTIES = (AUTHORITY,)

    def __init__(self, seed: int, *, known: int = 40, of: int = 100) -> None:
        super().__init__(seed)
        if not 0 < known < of < 1 << 16:
            raise MalformedError("translucent: 0 < known < of < 65536", Reason.USAGE)
        order = list(range(of))
        shuffle = self.coins("places")
        for place in range(of - 1, 0, -1):
            other = int.from_bytes(shuffle.take("place", 8), "big") % (place + 1)
            order[place], order[other] = order[other], order[place]
        self._held = {place: Key.of(self.coins("point", place)) for place in order[:known]}
        self._points = [
            self._held[place].public
            if place in self._held
            else EDWARDS25519.hash(u16(place), b"doublelock lab translucent")
            for place in range(of)
        ]

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``."""
        coins = self.coins("message", message.number)
        place = int.from_bytes(coins.take("place", 8), "big") % len(self._points)
        key, recipient = coins.take("key", 32), self.key(message.recipient)
        to = recipient.public, self._points[place]
        letters = [write(each, key, Coins(coins.take("letter", 32))) for each in to]
        wire = u16(place) + b"".join(letters) + box(key, message.text.encode())
        found = read(recipient, wire[2:][:_LETTER])
        return self.store(message, wire, None if found is None else unbox(found, wire[2 + 2 * _LETTER :]))

    def access(self, order: Order) -> Access:
        """The authority needs no order: it opens what it can, in scope or not."""
        openable = {sealed.number: text for sealed in self.stored if (text := self._open(sealed)) is not None}
        wanted = {each.number: openable[each.number] for each in self.in_scope(order) if each.number in openable}
        return Access(wanted, frozenset(openable))

    def give(self, corrupt: frozenset[str]) -> Opener:
        """The points whose logarithm it knows."""
        return self._open if AUTHORITY in corrupt else nothing

    def _open(self, sealed: Sealed) -> str | None:
        place = int.from_bytes(sealed.wire[:2], "big")
        if place not in self._held:
            return None
        key = read(self._held[place], sealed.wire[2 + _LETTER :][:_LETTER])
        said = None if key is None else unbox(key, sealed.wire[2 + 2 * _LETTER :])
        return None if said is None else said.decode()


REGIME = Translucent
