"""Proof that a test can fail: weaken one line of the product, in this process only, and let the tests run.

A pytest plugin, loaded with ``-p tests.sabotage_plugin``. The variable DOUBLELOCK_SABOTAGE names an entry of
``tests/claims/sabotages.toml``; the module it weakens is patched while it is imported. The product has no switch and
no file changes. Not for finding weaknesses: each of these is known, and must be noticed.
"""

import importlib.abc
import os
import sys
import tomllib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import TypedDict

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "tests" / "claims" / "sabotages.toml"
VARIABLE = "DOUBLELOCK_SABOTAGE"


class Sabotage(TypedDict):
    """One weakening: ``old``, which stands exactly once in ``file``, becomes ``new``."""

    file: str
    old: str
    new: str
    why: str


def read_catalogue(path: Path = CATALOGUE) -> dict[str, Sabotage]:
    """All sabotages by name."""
    catalogue: dict[str, Sabotage] = tomllib.loads(path.read_text(encoding="utf-8"))
    return catalogue


def weaken(source: str, sabotage: Sabotage) -> str:
    """The weakened source; ``ValueError`` unless there is exactly one place to weaken."""
    found = source.count(sabotage["old"])
    if found != 1:
        raise ValueError(f"{sabotage['file']} has the text to be weakened {found} times, not once: {sabotage['old']!r}")
    return source.replace(sabotage["old"], sabotage["new"])


class _WeakLoader(SourceFileLoader):
    """Compiles the weakened source. Neither reads nor writes byte code, so that no other process meets it."""

    def __init__(self, fullname: str, path: str, sabotage: Sabotage) -> None:
        super().__init__(fullname, path)
        self._sabotage = sabotage

    def get_code(self, fullname: str) -> CodeType:
        source = weaken(Path(self.path).read_text(encoding="utf-8"), self._sabotage)
        code: CodeType = compile(source, self.path, "exec", dont_inherit=True)
        return code


class Saboteur(importlib.abc.MetaPathFinder):
    """Finds the one module that is to be weakened, before Python's own finders do."""

    def __init__(self, sabotage: Sabotage) -> None:
        self._sabotage = sabotage
        self._path = ROOT / sabotage["file"]
        self.module = sabotage["file"].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        weaken(self._path.read_text(encoding="utf-8"), sabotage)
        if self.module in sys.modules:
            raise RuntimeError(f"{self.module} was imported before it could be weakened")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The weakened module's spec, or nothing for all others."""
        if fullname != self.module:
            return None
        loader = _WeakLoader(fullname, str(self._path), self._sabotage)
        inside = [str(self._path.parent)] if self._path.name == "__init__.py" else None
        return spec_from_file_location(fullname, self._path, loader=loader, submodule_search_locations=inside)


if name := os.environ.get(VARIABLE):
    sys.meta_path.insert(0, Saboteur(read_catalogue()[name]))
