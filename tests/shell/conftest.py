"""A whole deployment of real processes, for the tests of those who use it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from escrow.cli import run
from escrow.world.founding import Terms
from escrow_server.deployment import ensure
from tests.shell.deployed import DAY, Deployed
from tests.shell.people import Command, MakeUser, Said, User
from tests.shell.processes import Part

PARTS = (
    *(("log", None), ("relay", None), ("authority", None)),
    *(("witness", index) for index in range(1, Terms().witnesses + 1)),
    *(("custodian", index) for index in range(1, Terms().custodians + 1)),
)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Every part of a laboratory's deployment, its committee key made, at noon of its hundredth day."""
    home = ensure(tmp_path_factory.mktemp("deployment"), start=100 * DAY + DAY // 2)
    with ExitStack() as stack:

        def start(part: str, index: int | None) -> tuple[str, Part]:
            started = Part(home.folder, part, index)
            stack.callback(started.close)
            return started.ready["party"], started

        # Most of a start is spent loading code, so they start side by side.
        with ThreadPoolExecutor(max_workers=4) as threads:
            parts = dict(threads.map(start, *zip(*PARTS, strict=True)))
        deployed = Deployed(home, parts)
        deployed.wait_for_committee()
        yield deployed


@pytest.fixture
def doublelock(capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: object) -> Said:
        capsys.readouterr()
        code = run([str(one) for one in arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    return command


@pytest.fixture
def user(doublelock: Command, deployment: Deployed, tmp_path: Path, request: pytest.FixtureRequest) -> MakeUser:
    def make(name: str) -> User:
        # The relay never forgets a name, and the deployment serves all tests.
        unique = "".join(one for one in request.node.name if one.isalpha())[-50:]
        made = User(doublelock, deployment, tmp_path, f"{name}.{unique}".lower())
        said = made.register()
        assert said.code == 0, said.err
        return made

    return make
