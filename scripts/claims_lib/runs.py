"""Running the tests of claims, each time in a process of its own: once as the product is, once for each sabotage."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.claims_lib.catalogue import ROOT

LIMIT_S: Final = 900
"""Of one process: far more than it takes on a busy machine."""
BROKEN_PATCH: Final = frozenset(
    {"AttributeError", "ImportError", "ModuleNotFoundError", "NameError", "SyntaxError", "UnboundLocalError"}
)
"""What a sabotage raises that is no weakening but nonsense. Nobody is impressed when a test notices that."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one test ended: ``outcome`` is pytest's, ``raised`` the type of the exception, if any."""

    claim: str
    outcome: str
    when: str
    raised: str
    message: str

    @property
    def noticed(self) -> bool:
        """Whether the test itself said no, and not the machinery around it."""
        return self.outcome == "failed" and self.when == "call" and self.raised not in BROKEN_PATCH


@dataclass(frozen=True, slots=True)
class Run:
    """What one pytest process left: outcomes by test, events by claim, and what it printed."""

    outcomes: dict[str, Outcome]
    counts: dict[str, dict[str, int]]
    code: int
    output: str

    def of(self, claim: str) -> dict[str, Outcome]:
        """The outcomes of one claim's tests."""
        return {name: outcome for name, outcome in self.outcomes.items() if outcome.claim == claim}


def run(tests: Iterable[str], sabotage: str | None = None, *, first: bool = False) -> Run:
    """Run these test files, with the product weakened if a sabotage is named; ``first``: until one test is red."""
    with tempfile.TemporaryDirectory() as folder:
        census = Path(folder) / "census.json"
        environment = os.environ | {
            "DOUBLELOCK_CENSUS": str(census),
            "DOUBLELOCK_PROFILE": os.environ.get("DOUBLELOCK_PROFILE", "gate"),
            "DOUBLELOCK_SABOTAGE": sabotage or "",
        }
        command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.sabotage_plugin", "-p", "no:cacheprovider"]
        command += [*(["-x"] if first else []), *sorted(set(tests))]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Run({}, {}, 1, f"it took longer than {LIMIT_S} s")
        told = json.loads(census.read_text(encoding="utf-8")) if census.exists() else {"counts": {}, "outcomes": {}}
    outcomes = {name: Outcome(**fields) for name, fields in told["outcomes"].items()}
    return Run(outcomes, told["counts"], done.returncode, done.stdout + done.stderr)
