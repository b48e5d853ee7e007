"""What a user installs: one wheel with four packages and one command, and no need for our test tools."""

import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = {"escrow", "escrow_client", "escrow_server", "escrow_lab"}

WITHOUT_TEST_TOOLS = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"hypothesis", "pytest", "_pytest", "kyber_py", "numpy"}:
            raise ModuleNotFoundError(f"{name} is not part of the default installation", name=name)

sys.meta_path.insert(0, Blocked())
from escrow.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("doublelock-*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_the_four_packages_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_the_wheel_holds_every_file_that_is_no_module(wheel: zipfile.ZipFile) -> None:
    data = {path.relative_to(ROOT).as_posix() for path in (ROOT / "escrow").rglob("*.sql")}
    assert data | {"escrow/py.typed"} <= set(wheel.namelist())


@pytest.mark.parametrize("command", [[], ["demo"], ["lab"], ["audit"], ["chat"], ["warrant"], ["serve"]])
def test_help_needs_neither_the_test_tools_nor_the_extras(
    wheel: zipfile.ZipFile, tmp_path: Path, command: list[str]
) -> None:
    wheel.extractall(tmp_path)

    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_TEST_TOOLS, *command, "--help"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert "Usage:" in result.stdout


def test_the_locks_hold_every_dependency_with_hashes_and_no_host() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run = set(project["project"]["dependencies"])
    dev = run | set(project["dependency-groups"]["dev"]) | set(project["project"]["optional-dependencies"]["pq"])
    for name, wanted in (("run", run), ("dev", dev)):
        lock = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        pinned = [line.partition("==")[0] for line in lock.splitlines() if line and not line.startswith(" ")]
        assert {requirement.partition(">=")[0] for requirement in wanted} <= set(pinned)
        assert lock.count("\n    --hash=sha256:") >= len(pinned)
        assert "://" not in lock
        assert "--index" not in lock


def test_the_readme_names_the_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make test" in readme
    assert "make demo" in readme
    assert "make test" in ci
