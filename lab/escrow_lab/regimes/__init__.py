"""The regimes: one file each. A file that is put here is found; its name, with hyphens, is the regime's."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from escrow.errors import MalformedError, Reason
from escrow_lab.regime import Regime


def names() -> tuple[str, ...]:
    """All there are, sorted. Imports none of them."""
    return tuple(sorted(module.name.replace("_", "-") for module in iter_modules(__path__)))


def missing(name: str) -> str:
    """What a regime lacks on this machine; empty if it is all there."""
    try:
        kind_of(name)
    except MalformedError as error:
        return error.detail
    return ""


def kind_of(name: str) -> type[Regime]:
    """The class of a regime; ``MalformedError(USAGE)`` for an unknown name, or one that lacks its extra."""
    if name not in names():
        raise MalformedError(f"there is no regime '{name}'; there are {', '.join(names())}", Reason.USAGE)
    try:
        kind: type[Regime] = import_module(f"{__name__}.{name.replace('-', '_')}").REGIME
    except ModuleNotFoundError as error:
        raise MalformedError(f"{name} needs {error.name}, which is not installed", Reason.USAGE) from None
    return kind


def parameters_of(name: str) -> dict[str, Any]:
    """The parameters of a regime with their defaults."""
    wanted = inspect.signature(kind_of(name)).parameters.values()
    return {one.name: one.default for one in wanted if one.kind is inspect.Parameter.KEYWORD_ONLY}


def make(name: str, seed: int = 0, parameters: Mapping[str, str] | None = None) -> Regime:
    """A regime at work. ``parameters`` as somebody types them; ``MalformedError(USAGE)`` names those that there are."""
    known = parameters_of(name)
    try:
        given = {key: _read(value, known[key]) for key, value in (parameters or {}).items()}
    except KeyError as error:
        listed = ", ".join(known) or "none"
        raise MalformedError(f"{name} has no parameter {error}; there are: {listed}", Reason.USAGE) from None
    except ValueError as error:
        raise MalformedError(f"{name}: {error}", Reason.USAGE) from None
    return kind_of(name)(seed, **given)


def _read(value: str, default: Any) -> Any:
    if isinstance(default, bool):
        return {"yes": True, "no": False}[value] if value in ("yes", "no") else _not(value, "'yes' or 'no'")
    return type(default)(value)


def _not(value: str, wanted: str) -> None:
    raise ValueError(f"'{value}' is not {wanted}")
