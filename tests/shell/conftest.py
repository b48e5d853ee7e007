"""A whole deployment of real processes, for the tests of those who use it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from escrow.world.founding import Terms
from escrow_server.deployment import ensure
from tests.shell.deployed import DAY, Deployed
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
