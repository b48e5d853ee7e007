"""Client-side scanning: the device compares each picture with a list, and enough matches open the matches.

Every message has a picture, which stands for its text. The device hashes it (PDQ, the extra ``pdq``), and adds a share
of its account's key, sealed so that only whoever holds the matching entry of the list opens it. With ``threshold``
shares the operator has the account's key, and with it the words of the matches, and of nothing else.
Sources: PDQ, Facebook 2019 (distance 31, quality 49); the threshold follows Apple's "CSAM Detection", 2021, without its
private set intersection: here the list lies open on the device, which is better for the user than what was proposed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pdqhash

from escrow.crypto.group import SIZE, Scalar
from escrow.crypto.kdf import hkdf_expand
from escrow.crypto.sharing import interpolate_scalars, random_polynomial
from escrow.encoding import u16
from escrow.errors import MalformedError, Reason
from escrow_lab.letters import Peopled, box, read, unbox, write
from escrow_lab.regime import Access, Message, Opener, Order, Sealed, Wish, nothing

OPERATOR: Final = "operator"
DISTANCE, QUALITY = 31, 49
"""Two hashes of 256 bits match up to this distance, if the picture is good enough to have one."""
_SIDE, _GRID = 128, 12
_VOUCHER = 2 + SIZE + 16 + 2
_MOST: Final = 1 << 15

Picture = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Bits = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed picture: its hash, and the key that opens vouchers of its matches."""

    bits: Bits
    key: bytes


class ClientScan(Peopled):
    """wire: voucher 52 ‖ size u16 ‖ letter to the recipient ‖ box for the operator. ``listed``: texts on the list."""

    WISH = Wish.REMOVE
    PARTIES = (OPERATOR,)

    def __init__(self, seed: int, *, threshold: int = 3, listed: str = "contraband") -> None:
        super().__init__(seed)
        if not 1 <= threshold <= 1000:
            raise MalformedError("client-scan: a threshold from 1 to 1000", Reason.USAGE)
        self._threshold = threshold
        texts = [text for text in listed.split("|") if text]
        self._list = [
            Entry(_hashed(self.picture(text))[0], self.coins("entry", place).take("key", 32))
            for place, text in enumerate(texts)
        ]

    def picture(self, text: str) -> Picture:
        """The picture that stands for a text: soft blotches, always the same for the same text."""
        drawn = np.random.default_rng(list(text.encode()) or [0])
        coarse = drawn.integers(0, 256, (_GRID, _GRID)).astype(np.float64)
        at = np.linspace(0, _GRID - 1, _SIDE)
        rows = np.array([np.interp(at, np.arange(_GRID), row) for row in coarse])
        soft = np.array([np.interp(at, np.arange(_GRID), column) for column in rows.T]).T
        return np.repeat(soft.astype(np.uint8)[:, :, None], 3, axis=2)

    def seal(self, message: Message) -> Sealed:
        """See ``Regime.seal``. What is sent is the picture compressed anew: noise that no exact hash survives."""
        coins, words = self.coins("message", message.number), message.text.encode()
        noise = np.random.default_rng(message.number).integers(-4, 5, (_SIDE, _SIDE, 3))
        sent = np.clip(self.picture(message.text).astype(np.int64) + noise, 0, 255).astype(np.uint8)
        match = self.match(sent)
        x, account = message.number % _MOST + 1, self._account(message.sender)
        # What is sent without a match looks the same and opens for nobody.
        key = coins.take("dummy", 32) if match is None else match.key
        share = random_polynomial(self._dealt(message.sender), self._threshold, account).evaluate(x)
        voucher = u16(x) + box(_fresh(key, x, message.sender), share.encode())
        letter = write(self.key(message.recipient).public, words, coins)
        evidence = box(_sealing(account, message.number), words)
        wire = voucher + u16(len(letter)) + letter + evidence
        return self.store(message, wire, read(self.key(message.recipient), letter))

    def match(self, picture: Picture) -> Entry | None:
        """The entry of the list that a picture matches."""
        bits, quality = _hashed(picture)
        if quality < QUALITY:
            return None
        near = (entry for entry in self._list if int(np.count_nonzero(entry.bits != bits)) <= DISTANCE)
        return next(near, None)

    def access(self, order: Order) -> Access:
        """The operator needs no order: whatever reached the threshold lies open, and is taken down where asked for."""
        openable = {each.number: text for each in self.stored if (text := self._open(each)) is not None}
        opened = {each.number: openable[each.number] for each in self.in_scope(order) if each.number in openable}
        return Access(opened, frozenset(openable))

    def give(self, corrupt: frozenset[str]) -> Opener:
        """Whoever writes the list reads what is on it."""
        return self._open if OPERATOR in corrupt else nothing

    def _open(self, sealed: Sealed) -> str | None:
        shares = [found for each in self.stored if each.sender == sealed.sender and (found := self._share(each))]
        if self._share(sealed) is None or len(dict(shares)) < self._threshold:
            return None
        account = interpolate_scalars(dict(list(dict(shares).items())[: self._threshold]))
        size = int.from_bytes(sealed.wire[_VOUCHER - 2 : _VOUCHER], "big")
        said = unbox(_sealing(account, sealed.number), sealed.wire[_VOUCHER + size :])
        return None if said is None else said.decode()

    def _share(self, sealed: Sealed) -> tuple[int, Scalar] | None:
        x, voucher = int.from_bytes(sealed.wire[:2], "big"), sealed.wire[2 : _VOUCHER - 2]
        for entry in self._list:
            found = unbox(_fresh(entry.key, x, sealed.sender), voucher)
            if found is not None:
                return x, Scalar.decode(found)
        return None

    def _account(self, name: str) -> Scalar:
        return self.coins("account", name).scalar("key")

    def _dealt(self, name: str) -> bytes:
        return self.coins("account", name).take("polynomial", 32)


def _hashed(picture: Picture) -> tuple[Bits, int]:
    bits, quality = pdqhash.compute(picture)
    return bits, int(quality)


def _fresh(key: bytes, x: int, name: str) -> bytes:
    return hkdf_expand(key, b"doublelock lab voucher" + u16(x) + name.encode(), 32)


def _sealing(account: Scalar, number: int) -> bytes:
    return hkdf_expand(account.encode(), b"doublelock lab evidence" + number.to_bytes(8, "big"), 32)


REGIME = ClientScan
