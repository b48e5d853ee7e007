"""The scripts behind the Makefile say no when they should."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

GENERATED = Path("escrow/wire/v1")


def test_setup_ends_with_a_sentence_where_every_python_is_too_old(tmp_path: Path) -> None:
    for name in ("python3.11", "python3", "python"):
        old = tmp_path / name
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)

    result = subprocess.run(
        ["/bin/sh", str(ROOT / "scripts" / "make_venv"), str(tmp_path / "venv")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 2
    assert "needs Python 3.11 or newer" in result.stderr
    assert not (tmp_path / "venv").exists()


def edit(package: Path) -> None:
    module = next(package.glob("*_pb2.py"))
    module.write_bytes(module.read_bytes() + b"# by hand\n")


def remove(package: Path) -> None:
    next(package.glob("*_pb2_grpc.py")).unlink()


def leave_behind(package: Path) -> None:
    (package / "gone_pb2.py").touch()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the generator reads and writes."""
    for folder in ("protos", "scripts", str(GENERATED)):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def drift(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(tree / "scripts" / "protos.py"), "--check"]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_committed_generated_code_is_current(tree: Path) -> None:
    result = drift(tree)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("damage", [edit, remove, leave_behind])
def test_generated_code_that_is_not_generated_is_found(tree: Path, damage: Callable[[Path], None]) -> None:
    damage(tree / GENERATED)
    result = drift(tree)
    assert result.returncode == 1
    assert "run make protos" in result.stderr
