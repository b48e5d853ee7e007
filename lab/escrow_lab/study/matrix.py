"""The compromise matrix of a regime: every subset of its parties tries to read, and what it reads it has decrypted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from escrow_lab.regime import Order, Regime, Sealed

MOST_PARTIES = 10
"""Of so many parties all 1024 subsets are tried."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Who is corrupt, and of how many sample messages the words were found: the target's in scope, and all others."""

    corrupt: tuple[str, ...]
    in_scope: int
    of_in_scope: int
    others: int
    of_others: int

    @property
    def reads(self) -> bool:
        """Whether anything was."""
        return bool(self.in_scope or self.others)


def cells(regime: Regime, sample: Sequence[Sealed], words: Sequence[str], order: Order) -> Iterator[Cell]:
    """One cell for each subset, the smallest first. A wrong word is a bug, not an exposure: ``AssertionError``."""
    if len(regime.PARTIES) > MOST_PARTIES:
        raise AssertionError("too many parties for all of their subsets")
    covered = [order.covers(sealed) for sealed in sample]
    for size in range(len(regime.PARTIES) + 1):
        for corrupt in combinations(regime.PARTIES, size):
            opener = regime.give(frozenset(corrupt))
            found = [opener(sealed) for sealed in sample]
            if any(text not in (None, said) for text, said in zip(found, words, strict=True)):
                raise AssertionError(f"{corrupt} read what nobody has written")
            read = [text is not None for text in found]
            in_scope = sum(one and inside for one, inside in zip(read, covered, strict=True))
            yield Cell(corrupt, in_scope, sum(covered), sum(read) - in_scope, len(sample) - sum(covered))


def smallest(found: Sequence[Cell]) -> list[Cell]:
    """The cells that read something, and none of whose parties could be left out."""
    reading = [cell for cell in found if cell.reads]
    return [one for one in reading if not any(set(other.corrupt) < set(one.corrupt) for other in reading)]
