"""The Escrowed Encryption Standard: a chip adds to each message a field that opens its key to two escrow agents.

LEAF, 128 bits: under the family key, the chip's serial number 32 ‖ the session key under the chip's key 80 ‖ a
checkword 16 over session key and IV. The other chip checks the checkword, and can check nothing else. Stand-ins for
what was secret: AES-128 for Skipjack, truncated SHA-256 for the checksum, HMAC as the stream that hides the key.
Source: FIPS 185; the attack is Blaze, "Protocol failure in the Escrowed Encryption Standard", CCS 1994.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from escrow.crypto.kdf import hmac_sha256
from escrow.encoding import join
from escrow.errors import MalformedError, Reason
from escrow_lab.letters import Peopled, box, read, tampered, unbox, write
from escrow_lab.regime import Access, Message, Opener, Order, Sealed, Wish, nothing

FAMILY, AGENTS = "family key", ("escrow agent/1", "escrow agent/2")
BLOCK: Final = 16
_IV, _LETTER, _KEY, _SERIAL = 16, 32 + 10 + 16, 10, 4
_BATCH: Final = 1 << 14
"""LEAFs that a forger draws at a time."""


class Clipper(Peopled):
    """wire: letter with the session key 58 ‖ IV 16 ‖ LEAF 16 ‖ box. ``checkword``: its bits, 8 to 16."""

    WISH = Wish.READ
    PARTIES = (FAMILY, *AGENTS)

    def __init__(self, seed: int, *, checkword: int = 16) -> None:
        super().__init__(seed)
        if not 8 <= checkword <= 16:
            raise MalformedError("clipper: a checkword has 8 to 16 bits", Reason.USAGE)
        self._bits = checkword
        self._family = Cipher(algorithms.AES(self.coins("family").take("key", 16)), modes.ECB())  # noqa: S305 - one block
        self._chips: dict[bytes, str] = {}

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``: the recipient's chip checks the LEAF before it decrypts."""
        coins = self.coins("message", message.number)
        key, iv = coins.take("session", _KEY), coins.take("iv", _IV)
        return self._sent(message, iv, self._leaf(message.sender, key, iv), key)

    def forge(self, message: Message) -> tuple[Sealed, int]:
        """What a rogue sender sends: a message with a LEAF that the other chip takes and no agent can use.

        With it, the trials that this took. A trial is what a chip does for anybody: check one LEAF.
        """
        coins = self.coins("rogue", message.number)
        key, iv = coins.take("session", _KEY), coins.take("iv", _IV)
        leaf, trials = self.search(key, iv, coins.take("guesses", 32))
        return self._sent(message, iv, leaf, key), trials

    def search(self, key: bytes, iv: bytes, guesses: bytes) -> tuple[bytes, int]:
        """Random LEAFs until one passes, and how many it took."""
        tried = 0
        for drawn in _stream(guesses):
            words = self._family.decryptor().update(drawn)
            place = self._first_good(words[14::BLOCK], words[15::BLOCK], _checkword(key, iv))
            if place >= 0:
                return drawn[place * BLOCK :][:BLOCK], tried + place + 1
            tried += _BATCH
        raise AssertionError("the stream of guesses has no end")

    def access(self, order: Order) -> Access:
        """The agents release the target's chip key, which opens whatever that chip has ever sealed."""
        opener = self.give(frozenset(self.PARTIES))
        openable = {each.number: opener(each) for each in self.stored if each.sender == order.target}
        opened = {each.number: openable[each.number] or "" for each in self.in_scope(order) if openable[each.number]}
        return Access(opened, frozenset(number for number, text in openable.items() if text is not None))

    def give(self, corrupt: frozenset[str]) -> Opener:
        """Both halves of the chips' keys, and the family key that shows whose LEAF it is."""
        return self._open if corrupt >= set(self.PARTIES) else nothing

    def _sent(self, message: Message, iv: bytes, leaf: bytes, key: bytes) -> Sealed:
        letter = write(self.key(message.recipient).public, key, self.coins("letter", message.number))
        wire = letter + iv + leaf + box(sha256(key).digest(), message.text.encode())
        return self.store(message, wire, self._receive(message.recipient, wire))

    def _receive(self, name: str, wire: bytes) -> bytes | None:
        key = read(self.key(name), wire[:_LETTER])
        iv, leaf, sealed = wire[_LETTER:][:_IV], wire[_LETTER + _IV :][:BLOCK], wire[_LETTER + _IV + BLOCK :]
        words = self._family.decryptor().update(leaf)
        if key is None or self._first_good(words[14:15], words[15:16], _checkword(key, iv)):
            return None
        return unbox(sha256(key).digest(), sealed)

    def _first_good(self, high: bytes, low: bytes, wanted: bytes) -> int:
        """The first place at which the two bytes of a checkword are the wanted ones, as far as bits are compared."""
        place, ignored = high.find(wanted[0]), 16 - self._bits
        while place >= 0 and low[place] >> ignored != wanted[1] >> ignored:
            place = high.find(wanted[0], place + 1)
        return place

    def _leaf(self, name: str, key: bytes, iv: bytes) -> bytes:
        serial = sha256(name.encode()).digest()[:_SERIAL]
        self._chips[serial] = name
        hidden = _xor(key, hmac_sha256(self._chip_key(name), iv))
        return self._family.encryptor().update(serial + hidden + _checkword(key, iv))

    def _chip_key(self, name: str) -> bytes:
        """Burnt into the chip. Each agent holds one half, which says nothing without the other."""
        halves = [self.coins(agent, name).take("half", 32) for agent in AGENTS]
        return _xor(*halves)

    def _open(self, sealed: Sealed) -> str | None:
        iv, leaf = sealed.wire[_LETTER:][:_IV], sealed.wire[_LETTER + _IV :][:BLOCK]
        words = self._family.decryptor().update(leaf)
        name = self._chips.get(words[:_SERIAL])
        if name is None:
            return None
        key = _xor(words[_SERIAL : _SERIAL + _KEY], hmac_sha256(self._chip_key(name), iv))
        said = unbox(sha256(key).digest(), sealed.wire[_LETTER + _IV + BLOCK :])
        return None if said is None else said.decode()


def with_leaf(sealed: Sealed, leaf: bytes) -> Sealed:
    """The message with another LEAF."""
    return tampered(sealed, sealed.wire[: _LETTER + _IV] + leaf + sealed.wire[_LETTER + _IV + BLOCK :])


def _checkword(key: bytes, iv: bytes) -> bytes:
    return sha256(join(b"leaf", key, iv)).digest()[:2]


def _stream(seed: bytes) -> Iterator[bytes]:
    """Batches of random LEAFs, without end."""
    cipher = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()
    while True:
        yield cipher.update(bytes(_BATCH * BLOCK))


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


REGIME = Clipper
