"""Published figures and what we get: one file each, found by its name. ``doublelock lab reproduce`` runs them."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from escrow.errors import MalformedError, Reason
from escrow_lab.published.figure import Finding

ABSENT: Final = {
    "N3": "counts of US wiretaps: the desk can be driven with them; the aggregate over a log is not built",
    "N4": "how often wiretaps met encryption: needs outages of custodians over a year of warrants, which is not built",
    "N5": "counts of UK warrants: a test of live warrants in parallel is not built",
    "N6": "counts of Swiss measures: an input to workloads, nothing to reproduce",
    "N7": "costs of franking: needs the C code of its authors, which is not part of this project",
    "N8": "costs of onion franking: needs the Rust code of its authors, which is not part of this project",
    "N10": "the ETSI dictionaries: their export is not built",
    "N14": "AUDIT's sums: from memory only, so there is no published value to compare with",
    "N15": "the dispute scenarios of WiSec'23: their Tamarin run takes thousands of hours",
    "N18": "latencies of Shutter and drand: needs real services and their network, which is not built",
    "N20": "sizes of the lists of GIFCT: counts, with nothing to compute",
}
"""Figures that we quote and do not reproduce, each with the reason."""


def ids() -> tuple[str, ...]:
    """What can be reproduced, in order of number."""
    found = (module.name.upper() for module in iter_modules(__path__) if module.name[1:].isdigit())
    return tuple(sorted(found, key=lambda name: int(name[1:])))


def chosen(wanted: Iterable[str]) -> tuple[str, ...]:
    """The figures of a command line; ``MalformedError(USAGE)`` for one that is not reproduced, saying why."""
    names = tuple(name.upper() for name in wanted)
    if "ALL" in names:
        return ids()
    for name in names:
        if name not in ids():
            why = ABSENT.get(name, f"there are {', '.join(ids())}")
            raise MalformedError(f"{name} is not reproduced: {why}", Reason.USAGE)
    return names


def reproduce(name: str, *, quick: bool) -> Iterator[Finding]:
    """What a figure's file finds, as it is found."""
    yield from import_module(f"{__name__}.{name.lower()}").findings(quick=quick)
