"""Each import contract is broken once on purpose, in a copy: a contract that cannot fail protects nothing."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

LINT = Path(sys.executable).parent / "lint-imports"
GENERATED_OR_CACHED = shutil.ignore_patterns("__pycache__")

BREACHES = [
    ("applications", "client/escrow_client/breach.py", "import escrow_server"),
    ("applications", "server/escrow_server/breach.py", "import escrow_client"),
    ("applications", "escrow/errors.py", "import escrow_lab"),
    ("layers", "escrow/crypto/breach.py", "import escrow.roles"),
    ("layers", "escrow/e2ee/breach.py", "import escrow.warrant"),
    ("layers", "escrow/unplaced/__init__.py", ""),
    ("pure", "escrow/roles/breach.py", "import time"),
    ("pure", "escrow/capsule/breach.py", "from pathlib import Path"),
    ("pure", "escrow/errors.py", "import google.protobuf"),
    ("wire", "escrow/store/breach.py", "from google.protobuf import message"),
    ("wire", "escrow/world/breach.py", "import escrow.wire"),
    ("lean", "lab/escrow_lab/breach.py", "import hypothesis"),
    ("lean", "server/escrow_server/breach.py", "import escrow.testing"),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources and their settings, free to be broken."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("escrow", "client/escrow_client", "server/escrow_server", "lab/escrow_lab"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=GENERATED_OR_CACHED)
    return tmp_path


def lint(tree: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    paths = [str(tree / source_root) for source_root in (".", "client", "server", "lab")]
    options = [option for contract in contracts for option in ("--contract", contract)]
    return subprocess.run(
        [str(LINT), "--no-cache", *options],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_tree_keeps_its_contracts(tree: Path) -> None:
    result = lint(tree)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("contract", "file", "line"), BREACHES)
def test_a_breach_of_a_contract_is_found(tree: Path, contract: str, file: str, line: str) -> None:
    path = tree / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")

    result = lint(tree, contract)

    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout, result.stdout


def test_every_contract_is_broken_once() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]}
    assert {contract for contract, _, _ in BREACHES} == contracts
