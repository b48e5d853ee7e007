"""Linking on the command line: two profiles, a code, a string, against a real deployment and as real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from escrow.errors import Kind, Reason
from tests.shell.deployed import Deployed
from tests.shell.people import Command, MakeUser, Said, User

# One worker runs them all: the deployment that they share is dear to start.
pytestmark = pytest.mark.xdist_group("deployment")

WAIT = 30.0


class NewDevice:
    """``chat link`` on a new device: the process that waits for the other one, and the commands after it."""

    def __init__(self, doublelock: Command, deployment: Deployed, folder: Path) -> None:
        self.folder = folder
        self._doublelock = doublelock
        self._options = ("--home", deployment.home.folder, "--lab", "--profile", folder, "--json")
        self._command = ["chat", "link", *map(str, self._options), "--wait", str(WAIT)]

    @contextmanager
    def showing(self, *more: str) -> Iterator[str]:
        """The process, and the code that it shows."""
        command = [sys.executable, "-c", "from escrow.cli import main; main()", *self._command, *more]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            yield json.loads(line)["code"]
            out, err = process.communicate(timeout=WAIT)
            self.said = Said(process.returncode, out, err)
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def again(self, *more: str) -> Said:
        return self._doublelock("chat", "link", *self._options, "--wait", "10", *more)

    def chat(self, verb: str, *arguments: object) -> Said:
        return self._doublelock("chat", verb, *arguments, "--profile", self.folder)


@pytest.fixture
def new(doublelock: Command, deployment: Deployed, tmp_path: Path) -> NewDevice:
    return NewDevice(doublelock, deployment, tmp_path / "new")


def linked(new: NewDevice, first: User) -> dict[str, Any]:
    """Both users say yes; what the new device says at the end."""
    with new.showing() as code:
        shown = first.chat("link", "--code", code.lower(), "--json")
    assert (shown.code, new.said.code) == (0, 0), shown.err + new.said.err
    (theirs,), (ours,) = shown.only("compare"), new.said.only("compare")
    assert theirs == ours
    assert ours["name"] == first.name
    assert "repeat this command" in shown.err
    string = ours["string"]
    done = first.chat("link", "--code", code, "--yes-the-strings-match", f"{string[:3]} {string[3:]}", "--json")
    assert done.code == 0, done.err
    again = new.again("--yes-the-strings-match", string)
    assert again.code == 0, again.err
    assert again.only("linked") == done.only("linked")
    (row,) = again.only("linked")
    return row


def test_a_device_is_linked_listed_and_removed(user: MakeUser, new: NewDevice) -> None:
    alice = user("alice")
    assert linked(new, alice)["device"] == 2
    (status,) = new.chat("status", "--json").only("status")
    assert (status["name"], status["device"], status["enrolled"]) == (alice.name, 2, True)
    assert new.again().only("linked"), "to repeat it is fine"

    for where, this in ((alice, 1), (new, 2)):
        rows = where.chat("devices", "list", "--json").only("device")
        assert [(row["number"], row["first"], row["this"]) for row in rows] == [
            (1, True, this == 1),
            (2, False, this == 2),
        ]
    assert "holds the account's key" in alice.chat("devices", "list").out

    assert new.chat("devices", "remove", "1").code == Kind.REFUSED
    assert alice.chat("devices", "remove", "1").code == Kind.USAGE
    assert alice.chat("devices", "remove", "2", "--json").only("removed")
    assert [row["number"] for row in alice.chat("devices", "list", "--json").only("device")] == [1]
    assert [row["number"] for row in new.chat("devices", "list", "--json").only("device")] == [1]
    assert alice.chat("devices", "remove", "2").code == Kind.REFUSED


def test_messages_come_to_both_devices_and_to_none_that_is_removed(
    user: MakeUser, new: NewDevice, deployment: Deployed
) -> None:
    alice, bob = user("alice"), user("bob")
    linked(new, alice)
    deployment.settle()
    for escrow in ((), ("--escrow",)):
        for device, text in ((alice, "from the first"), (new, "from the second")):
            said = device.chat("send", bob.name, text, *escrow)
            assert said.code == 0, said.err
        assert [row["text"] for row in bob.chat("recv", "--json").only("message")] == [
            "from the first",
            "from the second",
        ]
        assert bob.chat("send", alice.name, "to both", *escrow).code == 0
        rows = new.chat("recv", "--json").only("message")
        assert {(row["text"], row["to"]) for row in rows} == {("from the first", bob.name), ("to both", "")}
        assert f"you to {bob.name}" in alice.chat("recv").out
    assert alice.chat("devices", "remove", "2").code == 0
    deployment.settle()
    for escrow in ((), ("--escrow",)):
        assert alice.chat("send", bob.name, "only from here", *escrow).code == 0
        assert new.chat("send", bob.name, "am I still there?", *escrow).code != 0
    assert new.chat("recv", "--json").only("message") == []
    assert [row["text"] for row in bob.chat("recv", "--json").only("message")] == ["only from here"] * 2


def test_strings_that_differ_end_it_on_both_screens(user: MakeUser, new: NewDevice) -> None:
    alice = user("alice")
    with new.showing() as code:
        string = alice.chat("link", "--code", code, "--json").only("compare")[0]["string"]
    wrong = "000000" if string != "000000" else "000001"
    for said in (
        alice.chat("link", "--code", code, "--yes-the-strings-match", wrong),
        new.again("--yes-the-strings-match", wrong),
    ):
        assert said.code == Kind.VERIFICATION
        assert Reason.STRINGS_DIFFER.name in said.err
        assert "nothing was linked" in said.err
    assert alice.chat("link", "--code", code, "--yes-the-strings-match", string).code == Kind.VERIFICATION
    assert len(alice.chat("devices", "list").out.splitlines()) == 1


def test_a_wrong_code_and_none_at_all(user: MakeUser, doublelock: Command, tmp_path: Path) -> None:
    alice = user("alice")
    unknown = alice.chat("link", "--code", "00000-00000")
    assert unknown.code == Kind.NOT_FOUND
    assert alice.chat("link", "--code", "what?").code == Kind.USAGE
    assert doublelock("chat", "link", "--profile", tmp_path / "nowhere").code == Kind.USAGE
    assert not (tmp_path / "nowhere").exists()


def test_a_new_device_does_not_wait_for_ever(new: NewDevice, user: MakeUser) -> None:
    said = new.again("--wait", "0")
    assert said.code == Kind.UNAVAILABLE
    assert Reason.TIMED_OUT.name in said.err
    code = said.only("code")[0]["code"]
    with new.showing() as again:
        assert again == code, "the code on the screen stays good"
        alice = user("alice")
        assert alice.chat("link", "--code", code).code == 0


def test_a_profile_with_an_account_is_not_linked_to_another(
    user: MakeUser, doublelock: Command, deployment: Deployed
) -> None:
    alice = user("alice")
    said = doublelock("chat", "link", "--home", deployment.home.folder, "--lab", "--profile", alice.folder)
    assert said.code == Kind.REFUSED
    assert Reason.NAME_TAKEN.name in said.err


def test_a_device_that_cannot_reach_the_relay_says_so(user: MakeUser, new: NewDevice, deployment: Deployed) -> None:
    alice = user("alice")
    with deployment.without("relay"):
        for said in (new.again("--wait", "0"), alice.chat("link", "--code", "00000-00000", "--wait", "0")):
            assert said.code == Kind.UNAVAILABLE
            assert "relay" in said.err
