"""The monitor as a command against a real log: it sees what happens, and is silent about what is as it should be."""

from pathlib import Path

import pytest

from escrow.errors import Kind
from tests.shell.deployed import Deployed
from tests.shell.people import Command, MakeUser, Said

pytestmark = pytest.mark.xdist_group("deployment")


@pytest.fixture
def audit(doublelock: Command, deployment: Deployed, tmp_path: Path) -> Command:
    home = deployment.home.folder

    def command(verb: str, *arguments: object) -> Said:
        return doublelock(
            "audit", verb, "--home", home, "--state", tmp_path / "monitor.db", "--lab", "--json", *arguments
        )

    return command


# What other tests have left undisclosed is theirs.
LEFT = {"not-disclosed", "not-notified"}


def kinds(said: Said) -> set[str]:
    return {row["alarm"] for row in said.only("alarm")} - LEFT


def test_all_is_well_and_the_year_is_counted(audit: Command, user: MakeUser) -> None:
    user("alice")
    looked = audit("monitor", "--once")
    assert kinds(looked) == set()
    (row,) = looked.only("monitored")
    assert row["size"] > 0
    (said,) = audit("report", "--year", 1970).rows
    assert said["year"] == 1970
    assert 0 <= said["sealed"] <= row["size"]
    assert audit("report", "--year", 1969 + 1000).rows[0]["sealed"] == 0


def test_a_device_that_its_owner_does_not_know_ends_with_4(audit: Command, user: MakeUser) -> None:
    account = user("alice").chat("status", "--json").rows[0]["account"]
    assert kinds(audit("monitor", "--once", "--account", f"{account}:0")) == set()
    ghost = audit("monitor", "--once", "--account", f"{account}:-1")
    assert ghost.code == Kind.VERIFICATION
    assert kinds(ghost) == {"ghost-device"}


def test_a_checkpoint_of_somebody_else_is_compared(audit: Command, deployment: Deployed, tmp_path: Path) -> None:
    (note := tmp_path / "checkpoint").write_bytes(deployment.checkpoint())
    assert kinds(audit("monitor", "--once", "--checkpoint", note)) == set()
    note.write_bytes(note.read_bytes().replace(b"lab/log\n", b"lab/log\n1", 1))
    changed = audit("monitor", "--once", "--checkpoint", note)
    assert (changed.code, changed.out) == (Kind.VERIFICATION, "")


def test_what_is_no_account_is_a_mistake(audit: Command) -> None:
    assert audit("monitor", "--once", "--account", "nobody").code == Kind.USAGE


def test_without_the_log_there_is_nothing_to_say(audit: Command, deployment: Deployed) -> None:
    with deployment.without("log"):
        assert audit("monitor", "--once").code == Kind.UNAVAILABLE
