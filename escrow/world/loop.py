"""Running coroutines that never wait: the World needs no event loop."""

from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


def complete(job: Coroutine[Any, Any, R]) -> R:
    """Run ``job`` to its end in this thread. One that waits for anything is a bug, not a schedule."""
    try:
        job.send(None)
    except StopIteration as done:
        result: R = done.value
        return result
    job.close()
    raise RuntimeError("nothing in the World waits")
