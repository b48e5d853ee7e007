"""The entropy of one step: everything random inside a step derives from 32 bytes drawn once outside it.

A step that is run again with the same coins repeats itself byte for byte, so no retry can use a nonce with
other content. Not a generator for keys that outlive a broken one: those are hedged by whoever makes them.
"""

from typing import final

from escrow.crypto.group import Scalar
from escrow.crypto.kdf import hkdf_expand
from escrow.encoding import u64
from escrow.tags import T, Tag


@final
class Coins:
    """A stream per use. Drawing for one use never shifts what another use gets."""

    __slots__ = ("_drawn", "_seed")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != 32:
            raise AssertionError("the coins of a step are 32 bytes")
        self._seed = seed
        self._drawn: dict[str, int] = {}

    def __repr__(self) -> str:
        return "Coins(<hidden>)"

    def take(self, use: str, length: int) -> bytes:
        """``length`` bytes (at most 8160), independent of all others that were or will be taken."""
        count = self._drawn.get(use, 0)
        self._drawn[use] = count + 1
        return hkdf_expand(self._seed, T(Tag.COINS, use.encode(), u64(count)), length)

    def scalar(self, use: str, kind: type[Scalar] = Scalar) -> Scalar:
        """A scalar of this kind that is not zero."""
        while (scalar := kind.from_wide(self.take(use, 64))).is_zero:
            pass
        return scalar

    def child(self, use: str) -> "Coins":
        """Coins of their own for a part of the step."""
        return Coins(self.take(use, 32))
