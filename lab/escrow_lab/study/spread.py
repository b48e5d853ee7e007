"""Jobs that have nothing to do with each other: in this process, in several, or on a Dask cluster."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from escrow.errors import MalformedError, Reason, UnavailableError

A = TypeVar("A")
R = TypeVar("R")
PATIENCE = 10
"""Seconds until a cluster that does not answer is out of reach."""


def spread(job: Callable[[A], R], parts: Sequence[A], *, processes: int = 1, dask: str = "") -> list[R]:
    """The results in the order of ``parts``, wherever they were made.

    ``dask`` is the address of a scheduler whose workers have this package: ``UNAVAILABLE`` if none answers there.
    """
    if dask:
        return _on_dask(job, parts, dask)
    if processes > 1:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            return list(pool.map(job, parts))
    return [job(part) for part in parts]


def _on_dask(job: Callable[[A], R], parts: Sequence[A], address: str) -> list[R]:
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise MalformedError(f"--dask needs {error.name}, which is not installed: extra 'lab'", Reason.USAGE) from None
    library: Any = distributed  # its functions have no types
    try:
        client = library.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UnavailableError(Reason.UNAVAILABLE, f"no Dask scheduler at {address}") from error
    with client:
        found: list[R] = client.gather(client.map(job, parts, pure=False))
        return found
