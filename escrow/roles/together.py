"""How a role does many things of which none depends on another: here one after the other, in a service on all cores.

Jobs are pure, like the role. Whatever order they are done in, their results come in that of the jobs, and so does the
first error: nobody can tell from a step's outcome how many hands it had.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

R = TypeVar("R")


class Together(Protocol):
    """Does jobs that are independent of each other."""

    def __call__(self, jobs: Sequence[Callable[[], R]]) -> list[R]:
        """The results in order; raises what the first job raised that failed, in that order."""
        ...


def one_by_one(jobs: Sequence[Callable[[], R]]) -> list[R]:
    """With one pair of hands."""
    return [job() for job in jobs]
