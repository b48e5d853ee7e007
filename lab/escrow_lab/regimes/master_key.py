"""The naive baseline: every message is also written to one key, and whoever asks for one message is lent that key."""

from typing import Final

from escrow.crypto.coins import Coins
from escrow_lab.letters import Key, Peopled, box, read, unbox, write
from escrow_lab.regime import Access, Message, Opener, Order, Sealed, Wish, nothing

HOLDER: Final = "holder of the master key"
_LETTER: Final = 32 + 32 + 16


class MasterKey(Peopled):
    """wire: letter to the recipient 80 ‖ letter to the master key 80 ‖ box. Both letters hold the box's key."""

    WISH = Wish.READ
    PARTIES = (HOLDER,)

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._master = Key.of(self.coins("master"))

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``."""
        coins = self.coins("message", message.number)
        key, recipient = coins.take("key", 32), self.key(message.recipient)
        letters = [write(each.public, key, Coins(coins.take("letter", 32))) for each in (recipient, self._master)]
        wire = b"".join(letters) + box(key, message.text.encode())
        found = read(recipient, wire[:_LETTER])
        return self.store(message, wire, None if found is None else unbox(found, wire[2 * _LETTER :]))

    def access(self, order: Order) -> Access:
        """The holder lends its key, so everything lies open to whoever asked for something."""
        opened = {sealed.number: self._open(sealed) for sealed in self.stored}
        wanted = {sealed.number: opened[sealed.number] or "" for sealed in self.in_scope(order)}
        return Access(wanted, frozenset(number for number, text in opened.items() if text is not None))

    def give(self, corrupt: frozenset[str]) -> Opener:
        """The key alone suffices."""
        return self._open if HOLDER in corrupt else nothing

    def _open(self, sealed: Sealed) -> str | None:
        key = read(self._master, sealed.wire[_LETTER : 2 * _LETTER])
        said = None if key is None else unbox(key, sealed.wire[2 * _LETTER :])
        return None if said is None else said.decode()


REGIME = MasterKey
