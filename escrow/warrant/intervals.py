"""Finite unions of half-open intervals of whole numbers, in normal form: sorted, disjoint, merged, none empty.

Two values are equal exactly when they contain the same points. Times, epochs: the caller knows.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Intervals:
    """``spans`` is the normal form; make one with ``of``."""

    spans: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, spans: Iterable[tuple[int, int]]) -> Self:
        """The union of ``[start, end)``; empty ones vanish, touching ones become one."""
        merged: list[tuple[int, int]] = []
        for start, end in sorted(span for span in spans if span[0] < span[1]):
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        return cls(tuple(merged))

    def __bool__(self) -> bool:
        return bool(self.spans)

    def __contains__(self, point: int) -> bool:
        return any(start <= point < end for start, end in self.spans)

    def __and__(self, other: "Intervals") -> "Intervals":
        return Intervals.of(
            (max(start, other_start), min(end, other_end))
            for start, end in self.spans
            for other_start, other_end in other.spans
        )

    def __le__(self, other: "Intervals") -> bool:
        return self & other == self
