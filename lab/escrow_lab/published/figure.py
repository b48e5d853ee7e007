"""One comparison: what was published, where, what we get, how far apart the two may be, and whether they are."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """``passed`` is None where the source gives a value and no rule follows from it: then both stand side by side."""

    figure: str
    what: str
    source: str
    published: float | str
    ours: float | str
    tolerance: str
    passed: bool | None

    @property
    def verdict(self) -> str:
        """In one word."""
        return "shown" if self.passed is None else "holds" if self.passed else "DIFFERS"


def within(ours: float, published: float, share: float) -> bool:
    """Whether ``ours`` is within that share of the published value."""
    return abs(ours - published) <= share * published
