"""The ghost: a silent participant whose key the operator adds to somebody's list of devices.

Senders write to every key on the recipient's list and never show how many there are. With ``transparency`` lists are
leaves of a public tree: a sender writes to no list that it does not find there, and whoever sends a message looks first
whether its own list is still its own. So a ghost outside the tree is refused, and one inside is seen by its target.
Sources: Levy and Robinson, "Principles for a More Informed Exceptional Access Debate", 2018; RFC 6962 for the tree.
"""

from escrow.crypto.coins import Coins
from escrow.encoding import join
from escrow.errors import RefusedError
from escrow.tlog.merkle import leaf_hash, path_of, root_of, verify_inclusion
from escrow_lab.letters import Key, Peopled, box, read, unbox, write
from escrow_lab.regime import Access, Message, Opener, Order, Sealed, Wish, nothing

OPERATOR = "operator"
_LETTER = 32 + 32 + 16


class Ghost(Peopled):
    """wire: letters 80 each, to the recipient, its ghost if there is one, and the sender's ghost ‖ box."""

    WISH = Wish.READ
    PARTIES = (OPERATOR,)
    PROSPECTIVE = True

    def __init__(self, seed: int, *, transparency: bool = False, logged: bool = True) -> None:
        super().__init__(seed)
        self._transparency, self._logged = transparency, logged
        self._ghost = Key.of(self.coins("ghost"))
        self._haunted: set[str] = set()
        self._leaves: list[bytes] = []
        self._places: dict[str, int] = {}
        self._letters: dict[int, int] = {}
        self.noticed: list[tuple[str, int]] = []
        """Who has found a foreign key on its list, or a list that the tree does not hold, and when."""

    def key(self, name: str) -> Key:
        """The key of a user's device, listed the first time."""
        known = super().key(name)
        if name not in self._places:
            self._enter(name, known.public.encode())
        return known

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``. In the operator's list of either end a ghost may stand."""
        coins, recipient = self.coins("message", message.number), self.key(message.recipient)
        self.key(message.sender)
        if self._transparency:
            self._look(message)
        haunted = self._haunted & {message.sender, message.recipient}
        to = [recipient.public, *(self._ghost.public for _ in haunted)]
        key = coins.take("key", 32)
        letters = b"".join(write(each, key, Coins(coins.take("letter", 32))) for each in to)
        sealed_text = box(key, message.text.encode())
        self._letters[message.number] = len(to)
        found = read(recipient, letters[:_LETTER])
        return self.store(message, letters + sealed_text, None if found is None else unbox(found, sealed_text))

    def access(self, order: Order) -> Access:
        """From now on a ghost listens to the target. Nothing from before is opened; call again to hear what came."""
        if order.target not in self._haunted and not self.noticed:
            own = self.key(order.target).public.encode()
            self._haunted.add(order.target)
            if self._logged:
                self._enter(order.target, own, self._ghost.public.encode())
        openable = {each.number: text for each in self.stored if (text := self._open(each)) is not None}
        opened = {each.number: openable[each.number] for each in self.in_scope(order) if each.number in openable}
        return Access(opened, frozenset(openable), detected=self.noticed[0][0] if self.noticed else "")

    def give(self, corrupt: frozenset[str]) -> Opener:
        """The operator holds the ghost's key, which opens what was written to it and nothing else."""
        return self._open if OPERATOR in corrupt else nothing

    def _look(self, message: Message) -> None:
        """The sender checks its own list in the tree, and then the lists that it is shown of both ends.

        Whoever was found to have a ghost tells everybody, and nobody writes to it any more.
        """
        sender, leaves = message.sender, self._leaves
        if leaves[self._places[sender]] != join(sender.encode(), self.key(sender).public.encode()):
            self._notice(sender, message)
        for name in (sender, message.recipient):
            shown, place = leaf_hash(join(*self._shown(name))), self._places[name]
            try:
                verify_inclusion(shown, place, len(leaves), path_of(leaves, place), root_of(leaves))
            except RefusedError:
                self._notice(name, message)

    def _notice(self, haunted: str, message: Message) -> None:
        self.noticed.append((message.sender, message.time))
        self._haunted.discard(haunted)
        self._enter(haunted, self.key(haunted).public.encode())

    def _shown(self, name: str) -> list[bytes]:
        """The list that the operator hands to senders."""
        ghosts = [self._ghost.public.encode()] if name in self._haunted else []
        return [name.encode(), self.key(name).public.encode(), *ghosts]

    def _enter(self, name: str, *keys: bytes) -> None:
        self._places[name] = len(self._leaves)
        self._leaves.append(join(name.encode(), *keys))

    def _open(self, sealed: Sealed) -> str | None:
        count = self._letters[sealed.number]
        letters, sealed_text = sealed.wire[: count * _LETTER], sealed.wire[count * _LETTER :]
        for place in range(1, count):
            key = read(self._ghost, letters[place * _LETTER :][:_LETTER])
            if key is not None:
                said = unbox(key, sealed_text)
                return None if said is None else said.decode()
        return None


REGIME = Ghost
