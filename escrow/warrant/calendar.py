"""Legal time: calendar months, working days and holidays, all in UTC. Times are milliseconds, days whole numbers.

A time limit of working days ends with the last of them, at midnight, not at the hour at which it began. Which days are
holidays is data of a profile.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Self

DAY_MS: Final = 86_400_000
_FIRST: Final = date(1970, 1, 1)
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Calendar:
    """``holidays`` are days since 1970 that are no working days although no weekend."""

    holidays: frozenset[int] = frozenset()

    @classmethod
    def of(cls, holidays: Collection[str]) -> Self:
        """From dates such as ``2026-12-25``; ``ValueError``."""
        return cls(frozenset(day_number(date.fromisoformat(text)) for text in holidays))

    def is_working(self, day: int) -> bool:
        """Whether people work on that day."""
        return (_FIRST + timedelta(days=day)).weekday() < _SATURDAY and day not in self.holidays

    def working_days_after(self, start: int, count: int) -> int:
        """The end of the ``count``-th working day after the day of ``start``; with 0 the end of that day itself."""
        day = start // DAY_MS
        while count:
            day += 1
            count -= self.is_working(day)
        return (day + 1) * DAY_MS


def months_after(start: int, count: int) -> int:
    """The same day of the month ``count`` months later, at the same hour; the last day of a month that is too short."""
    day, rest = divmod(start, DAY_MS)
    begun = _FIRST + timedelta(days=day)
    years, month = divmod(begun.month - 1 + count, 12)
    first = date(begun.year + years, month + 1, 1)
    length = (date(first.year + first.month // 12, first.month % 12 + 1, 1) - first).days
    reached = first + timedelta(days=min(begun.day, length) - 1)
    return day_number(reached) * DAY_MS + rest


def day_number(day: date) -> int:
    """Days since 1970."""
    return (day - _FIRST).days
