"""The warrant's commands against a real deployment: from the application to what is opened, and what is refused."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.cli import printable
from escrow.errors import Kind
from escrow.rpc.clocks import LabClock
from escrow.warrant.identifier import identifier
from escrow_client.options import moment_of
from tests.shell.deployed import DAY, Deployed
from tests.shell.people import Command, MakeUser, Said

# One worker runs them all: the deployment that they share is dear to start.
pytestmark = pytest.mark.xdist_group("deployment")

ISSUER, APPROVER = "judge-imani", "commissioner-kaya"
MINUTE = 60_000


class Desk:
    """An agency's desk, and the people who sign what comes from it."""

    def __init__(self, doublelock: Command, deployment: Deployed, folder: Path) -> None:
        self._doublelock = doublelock
        self.folder = folder
        self._home = deployment.home.folder

    def apply(self, target: str, start: int, end: int, *more: object) -> Said:
        where = ("--home", self._home, "--desk", self.folder, "--lab")
        return self._doublelock("warrant", "apply", *where, "--target", target, "--from", start, "--to", end, *more)

    def sign(self, verb: str, warrant: str, person: str, *more: object) -> Said:
        return self._doublelock("warrant", verb, warrant, "--person", person, "--home", self._home, *more)

    def do(self, verb: str, warrant: str, *more: object) -> Said:
        return self._doublelock("warrant", verb, warrant, "--desk", self.folder, *more)


@pytest.fixture
def desk(doublelock: Command, deployment: Deployed, tmp_path: Path) -> Desk:
    return Desk(doublelock, deployment, tmp_path / "desk")


@pytest.fixture
def now(deployment: Deployed) -> Callable[[], int]:
    return LabClock(deployment.home.clock_path)


def test_a_warrant_opens_what_its_target_sent_in_its_window_and_nothing_else(
    user: MakeUser, desk: Desk, deployment: Deployed, now: Callable[[], int], doublelock: Command
) -> None:
    alice, bob = user("alice"), user("bob")
    bob.chat("send", alice.name, "too early", "--escrow")
    deployment.advance(MINUTE)
    start = now()
    for text in ("first", "second"):
        assert bob.chat("send", alice.name, text, "--escrow").code == 0
    assert bob.chat("send", alice.name, "without an escrow").code == 0
    assert alice.chat("send", bob.name, "not the target", "--escrow").code == 0
    deployment.advance(MINUTE)
    end = now()
    bob.chat("send", alice.name, "too late", "--escrow")

    applied = desk.apply(bob.name, start, end)
    assert applied.code == 0, applied.err
    warrant = applied.out.strip()
    assert "submitted" in desk.do("show", warrant).out
    assert desk.do("execute", warrant).code != 0

    issued = desk.sign("issue", warrant, ISSUER)
    assert issued.code == 0, issued.err
    assert f"issuer:{ISSUER}" in issued.out
    one_lock = desk.do("execute", warrant)
    assert one_lock.code == Kind.REFUSED
    assert one_lock.out == ""

    approved = desk.sign("approve", warrant, APPROVER)
    assert approved.code == 0, approved.err
    deployment.settle()
    too_soon = desk.do("execute", warrant)
    assert too_soon.code == Kind.REFUSED
    assert "NOT_YET_ACTIVE" in too_soon.err

    deployment.advance(2 * MINUTE)
    (shown,) = desk.do("show", warrant, "--json").only("warrant")
    assert (shown["state"], shown["start"], shown["end"]) == ("active", start, end)
    with deployment.without("custodian/2"):
        executed = desk.do("execute", warrant, "--json")
    assert executed.code == 0, executed.err
    assert [row["text"] for row in executed.only("opened")] == ["first", "second"]
    (release,) = executed.only("release")
    assert release["custodians"]["custodian/2"] == "missing"
    assert "out of reach: custodian/2" in executed.err
    again = desk.do("execute", warrant)
    assert again.code == 0, again.err
    assert [line.rpartition("  ")[2] for line in again.out.splitlines() if "opened" not in line] == ["first", "second"]

    cancelled = desk.sign("cancel", warrant, ISSUER)
    assert cancelled.code == 0, cancelled.err
    deployment.settle()
    stopped = desk.do("execute", warrant)
    assert stopped.code == Kind.REFUSED
    assert "CANCELLED" in stopped.err
    assert "cancelled" in desk.sign("show", warrant, ISSUER).out
    assert proved(desk, warrant, doublelock, deployment) == ["first", "second"]


def proved(desk: Desk, warrant: str, doublelock: Command, deployment: Deployed) -> list[str]:
    """What a stranger, who asks nobody but the log, finds proved by the file that the agency writes."""
    file, home = desk.folder.parent / "evidence.json", deployment.home.folder
    exported = desk.do("export", warrant, "--evidence", file, "--json")
    assert exported.code == 0, exported.err
    verified = doublelock("audit", "verify", file, "--home", home, "--json")
    assert verified.code == 0, verified.err
    assert "still says the same" in verified.err
    return [row["text"] for row in verified.only("opened")]


def test_a_warrant_goes_out_and_comes_back_as_xml_of_etsi(
    user: MakeUser, desk: Desk, now: Callable[[], int], doublelock: Command, deployment: Deployed
) -> None:
    bob, start = user("bob"), now()
    warrant = desk.apply(bob.name, start - DAY, start, "--max-capsules", 7).out.strip()
    file = desk.folder.parent / "warrant.xml"
    exported = desk.do("export", warrant, "--ts103120", file)
    assert exported.code == 0, exported.err
    where = ("--home", deployment.home.folder, "--desk", desk.folder, "--lab")
    imported = doublelock("warrant", "import", file, *where)
    assert imported.code == 0, imported.err
    again = imported.out.strip()
    assert again != warrant, "it has a number and keys of its own"
    (one,), (other,) = (desk.do("show", each, "--json").only("warrant") for each in (warrant, again))
    assert {name: value for name, value in one.items() if name != "warrant"} == {
        name: value for name, value in other.items() if name != "warrant"
    }
    file.write_bytes(file.read_bytes().replace(b"AccountId", b"InternationalE164"))
    refused = doublelock("warrant", "import", file, *where)
    assert (refused.code, refused.out) == (Kind.REFUSED, "")
    assert "SCHEMA_INVALID" in refused.err
    assert desk.do("export", warrant).code == Kind.USAGE


def test_evidence_that_does_not_hold_ends_with_4(doublelock: Command, desk: Desk, deployment: Deployed) -> None:
    genesis, file = deployment.home.genesis_path, desk.folder.parent / "bundle.json"
    for content in (b"", b"{}", b'{"opened": ["anything"]}'):
        file.write_bytes(content)
        said = doublelock("audit", "verify", file, "--genesis", genesis, "--offline")
        assert (said.code, said.out) == (Kind.VERIFICATION, "")
        assert "EVIDENCE_MISMATCH" in said.err
    assert doublelock("audit", "verify", file, "--offline").code == Kind.USAGE
    assert doublelock("audit", "verify", file, "--genesis", genesis).code == Kind.USAGE


def test_a_warrant_is_suspended_resumed_narrowed_and_ended_by_those_who_may(
    user: MakeUser, desk: Desk, deployment: Deployed, now: Callable[[], int]
) -> None:
    bob = user("bob")
    old = desk.apply(bob.name, now() - DAY, now(), "--not-after", now() + DAY).out.strip()
    in_force(desk, deployment, old)
    assert "suspended" in desk.sign("suspend", old, ISSUER).out
    deployment.settle()
    assert "suspended" in desk.sign("resume", old, ISSUER).out
    desk.sign("resume", old, APPROVER)
    deployment.settle()
    assert state_of(desk, old) == "active"
    for person in (ISSUER, APPROVER):
        assert desk.sign("extend", old, person, "--until", now() + 2 * DAY).code == 0
        assert desk.sign("delay-notice", old, person, "--until", now() + 20 * DAY).code == 0
    assert "RANGE_INVALID" in desk.sign("extend", old, ISSUER, "--until", now()).err

    assert "RANGE_INVALID" in desk.do("modify", old, "--max-capsules", 5000).err
    narrower = desk.do("modify", old, "--max-capsules", 5)
    assert narrower.code == 0, narrower.err
    new = narrower.out.strip()
    in_force(desk, deployment, new)
    assert (state_of(desk, old), state_of(desk, new)) == ("cancelled", "active")

    longer = desk.do("renew", new, "--not-after", now() + 3 * DAY)
    assert longer.code == 0, longer.err
    assert "refused" in desk.sign("refuse", longer.out.strip(), APPROVER).out
    assert state_of(desk, new) == "active"
    assert "attained" in desk.sign("attain", new, APPROVER).out

    filed = desk.apply(bob.name, now() - DAY, now()).out.strip()
    assert "cancelled" in desk.do("withdraw", filed).out
    assert "ILLEGAL_STEP" in desk.do("withdraw", old).err


def in_force(desk: Desk, deployment: Deployed, warrant: str) -> None:
    assert desk.sign("issue", warrant, ISSUER).code == 0
    assert "approved" in desk.sign("approve", warrant, APPROVER).out
    deployment.settle()
    deployment.advance(2 * MINUTE)


def state_of(desk: Desk, warrant: str) -> object:
    (shown,) = desk.sign("show", warrant, ISSUER, "--json").only("warrant")
    return shown["state"]


def test_a_target_is_named_by_an_identifier_and_under_a_profile_two_people_confirm_it(
    user: MakeUser, desk: Desk, now: Callable[[], int]
) -> None:
    bob = user("bob")
    (row,) = bob.chat("status", "--json").only("status")
    account = bytes.fromhex(str(row["account"]))
    right = identifier(account)
    assert "IDENTIFIER_INVALID" in desk.apply(right[:-1] + ("0" if right[-1] != "0" else "1"), now() - DAY, now()).err
    warrant = desk.apply(right, now() - DAY, now(), "--profile", "us-title-iii").out.strip()
    assert "IDENTIFIER_MISMATCH" in desk.sign("issue", warrant, ISSUER).err
    assert desk.sign("issue", warrant, ISSUER, "--confirm", right).code == 0
    assert "IDENTIFIER_MISMATCH" in desk.sign("approve", warrant, APPROVER, "--confirm", identifier(bytes(32))).err
    assert desk.sign("approve", warrant, APPROVER, "--confirm", right).code == 0


def test_what_the_policy_does_not_admit_is_not_filed(user: MakeUser, desk: Desk, now: Callable[[], int]) -> None:
    bob = user("bob")
    backwards = desk.apply(bob.name, now(), now() - DAY)
    assert backwards.code == Kind.REFUSED
    assert "RANGE_INVALID" in backwards.err
    assert desk.apply(bob.name, 0, now(), "--max-capsules", 10_000_000).code == Kind.REFUSED
    assert desk.apply("nobody-at-all", 0, now()).code == Kind.NOT_FOUND


def test_nobody_signs_for_a_lock_that_is_not_theirs(user: MakeUser, desk: Desk, now: Callable[[], int]) -> None:
    warrant = desk.apply(user("bob").name, now() - DAY, now()).out.strip()
    assert "ROLE_KEY_UNAUTHORISED" in desk.sign("issue", warrant, APPROVER).err
    assert "LOCKS_INCOMPLETE" in desk.sign("approve", warrant, APPROVER).err
    assert desk.sign("issue", warrant, "nobody").code == Kind.UNAVAILABLE
    assert desk.sign("show", warrant, ISSUER, "--json").only("warrant")[0]["signers"] == []


def test_another_agency_sees_nothing_of_a_case(
    user: MakeUser, desk: Desk, doublelock: Command, deployment: Deployed, tmp_path: Path, now: Callable[[], int]
) -> None:
    bob = user("bob")
    warrant = desk.apply(bob.name, now() - DAY, now()).out.strip()
    other = Desk(doublelock, deployment, tmp_path / "other")
    assert other.apply(bob.name, now() - DAY, now(), "--agency", "other").code == 0
    for verb in ("show", "execute"):
        assert other.do(verb, warrant).code == Kind.NOT_FOUND
    assert desk.sign("issue", "00" * 16, ISSUER).code == Kind.NOT_FOUND


def test_an_application_waits_while_the_authority_is_down(
    user: MakeUser, desk: Desk, deployment: Deployed, now: Callable[[], int]
) -> None:
    bob = user("bob")
    with deployment.without("authority"):
        waiting = desk.apply(bob.name, now() - DAY, now())
        assert waiting.code == Kind.UNAVAILABLE
        assert "authority" in waiting.err
        assert desk.do("show", waiting.out.strip()).code == Kind.UNAVAILABLE
    shown = desk.do("show", waiting.out.strip())
    assert shown.code == 0, shown.err
    assert "submitted" in shown.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "11" * 16],
        ["show", "11" * 16, "--person", ISSUER],
        ["show", "no id", "--desk", "desk"],
        ["issue", "11" * 16, "--home", "home"],
        ["apply", "--home", "home", "--desk", "desk", "--from", "0", "--to", "1"],
        ["apply", "--home", "home", "--desk", "desk", "--target", "bob", "--from", "yesterday", "--to", "1"],
        ["nonsense"],
    ],
)
def test_wrong_use_ends_with_2(doublelock: Command, arguments: list[str]) -> None:
    said = doublelock("warrant", *arguments)
    assert said.code == Kind.USAGE
    assert said.out == ""
    assert said.err


@given(st.datetimes())
def test_a_date_and_its_milliseconds_are_the_same_moment(point: datetime) -> None:
    whole = point.replace(microsecond=0)
    assert moment_of(f"{whole.isoformat()}+00:00") == moment_of(whole.isoformat())
    if moment_of(whole.isoformat()) >= 0:
        assert moment_of(str(moment_of(whole.isoformat()))) == moment_of(whole.isoformat())


@given(st.text())
def test_what_others_wrote_cannot_steer_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not any(ord(one) < 32 and one not in "\n\t" for one in shown)
    assert not set("\x7f\x9b\u202e\u2066") & set(shown)
    assert shown.count("\n") == text.count("\n")
