"""The World's clock and entropy: a number that only grows, and bytes that one seed decides."""

from escrow.crypto.kdf import hkdf_expand
from escrow.encoding import u64
from escrow.ids import Millis
from escrow.tags import T, Tag


class VirtualClock:
    """Milliseconds that pass only when told to."""

    def __init__(self, start: int) -> None:
        self._now = start

    def __call__(self) -> Millis:
        """The present."""
        return Millis(self._now)

    def advance_to(self, when: int) -> None:
        """Move forward; a clock that goes back is a bug of the caller."""
        if when < self._now:
            raise AssertionError(f"the clock would go back from {self._now} to {when}")
        self._now = when


class SeededEntropy:
    """Bytes, 32 unless asked otherwise, different each time, the same in every run with the same seed and name."""

    def __init__(self, seed: bytes, name: str) -> None:
        self._seed = seed
        self._name = name.encode()
        self._drawn = 0

    def __call__(self) -> bytes:
        """The next 32 bytes."""
        return self.take(32)

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes, at most 8160."""
        self._drawn += 1
        return hkdf_expand(self._seed, T(Tag.COINS, self._name, u64(self._drawn)), count)
