"""Attacks: one file each. The file's name, with hyphens, is the attack's id in threat_model.md and on the command line.

A file has ``THREAT``, a sentence; ``ON``, the regimes that it is for; and ``attack``, which tries it on one of them.
"""

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from escrow.errors import MalformedError, Reason
from escrow_lab.attack import Outcome
from escrow_lab.regimes import make


def names() -> tuple[str, ...]:
    """All there are, sorted."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))


def regimes_of(name: str) -> tuple[str, ...]:
    """Those that an attack is for; ``MalformedError(USAGE)`` for an unknown attack, with the list of known ones."""
    found: tuple[str, ...] = _file(name).ON
    return found


def threat_of(name: str) -> str:
    """What an attack is about, in a sentence."""
    told: str = _file(name).THREAT
    return told


def attack(name: str, regime: str = "", settings: Mapping[str, str] | None = None, seed: int = 0) -> Outcome:
    """Try an attack on a regime, or on the first that it is for; ``MalformedError(USAGE)`` where it means nothing."""
    known = regimes_of(name)
    chosen = regime or known[0]
    if chosen not in known:
        raise MalformedError(f"{name} is an attack on {', '.join(known)}, not on '{chosen}'", Reason.USAGE)
    outcome: Outcome = _file(name).attack(make(chosen, seed, settings))
    return outcome


def _file(name: str) -> Any:
    if name not in names():
        raise MalformedError(f"there is no attack '{name}'; there are {', '.join(names())}", Reason.USAGE)
    return import_module(f"{__name__}.{name.replace('-', '_')}")
