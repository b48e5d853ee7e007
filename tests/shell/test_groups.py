"""Groups at the command line, against a real deployment."""

import pytest

from escrow.errors import Kind
from tests.shell.deployed import DAY, Deployed
from tests.shell.people import MakeUser, User

# One worker runs them all: the deployment that they share is dear to start.
pytestmark = pytest.mark.xdist_group("deployment")

MODES = {"--no-escrow": "end-to-end", "--escrow": "escrowed"}


def texts(user: User) -> list[str]:
    return [row["text"] for row in user.chat("recv", "--json").only("message")]


@pytest.mark.parametrize("option", MODES)
def test_three_people_have_a_group_and_it_changes(user: MakeUser, option: str) -> None:
    alice, bob, carol, dora = map(user, ("alice", "bob", "carol", "dora"))
    begun = alice.chat("group", "create", "team", bob.name, carol.name, option)
    assert begun.code == 0
    assert ("ESCROWED, custodians" in begun.err) == (option == "--escrow")
    assert texts(bob) == texts(carol) == []

    for person in (alice, bob, carol):
        said = person.chat("send", "#team", f"from {person.name}")
        assert said.code == 0
        assert said.err == begun.err.replace("#team", "to #team")
    received = bob.chat("recv", "--json").only("message")
    assert sorted(row["text"] for row in received) == [f"from {alice.name}", f"from {carol.name}"]
    assert {(row["group"], row["mode"]) for row in received} == {("#team", MODES[option])}
    badge = "ESCROWED" if option == "--escrow" else "END-TO-END ONLY"
    shown = alice.chat("recv").out.splitlines()
    assert any(line.endswith(f"in #team  [{badge}]  from {bob.name}") for line in shown)

    assert alice.chat("group", "add", "team", dora.name).code == 0
    assert alice.chat("group", "remove", "#team", carol.name).code == 0
    bob.chat("recv")
    dora.chat("recv")
    assert dora.chat("send", "#team", "hello").code == 0
    assert bob.chat("send", "#team", "welcome").code == 0
    assert (texts(bob), texts(dora)) == (["hello"], ["welcome"])
    assert texts(carol) == [f"from {alice.name}", f"from {bob.name}"]

    (listed,) = dora.chat("group", "list", "--json").rows
    assert (listed["event"], listed["title"], listed["peer_name"], listed["version"]) == (
        *("conversation", "team", "#team", 2),
    )
    assert (listed["mode"], listed["admin_name"]) == (MODES[option], alice.name)
    assert sorted(listed["members"]) == sorted(one.name for one in (alice, bob, dora))
    (row,) = bob.chat("status", "--json").only("conversation")
    assert row == listed
    assert f"changed by {alice.name})" in bob.chat("group", "list").out
    assert [one.chat("status", "--json").only("alarm") for one in (alice, bob, dora)] == [[], [], []]


def test_what_a_group_cannot_be_is_refused(user: MakeUser) -> None:
    alice, bob = user("alice"), user("bob")
    assert alice.chat("group", "create", "team").code == Kind.USAGE
    assert alice.chat("group", "create", "", bob.name).code == Kind.USAGE
    unknown = alice.chat("group", "create", "team", bob.name, "nobody-at-all")
    assert (unknown.code, "reason: NOT_FOUND" in unknown.err) == (Kind.NOT_FOUND, True)
    assert alice.chat("group", "create", "team", bob.name, "--escrow").code == 0
    again = alice.chat("group", "create", "team", bob.name)
    assert (again.code, "reason: NAME_TAKEN" in again.err) == (Kind.REFUSED, True)
    other = alice.chat("send", "#team", "between us", "--no-escrow")
    assert "reason: MODE_MISMATCH" in other.err
    bob.chat("recv")
    refused = bob.chat("group", "remove", "team", alice.name)
    assert "reason: PERMISSION_DENIED" in refused.err
    for verb in (("send", "#other", "x"), ("group", "add", "other", bob.name)):
        assert alice.chat(*verb).code == Kind.NOT_FOUND
    assert [row["version"] for row in alice.chat("group", "list", "--json").rows] == [0]


def test_a_group_that_nobody_can_hear_of_yet_waits_and_so_does_what_is_said_in_it(
    user: MakeUser, deployment: Deployed
) -> None:
    alice, bob, carol = map(user, ("alice", "bob", "carol"))
    with deployment.without("relay"):
        for verb in (("group", "create", "team", bob.name, carol.name, "--escrow"), ("send", "#team", "patience")):
            assert alice.chat(*verb).code == Kind.UNAVAILABLE
        assert "2 waiting" in alice.chat("status").err
        assert alice.chat("group", "list").out == ""
    assert alice.chat("recv").code == 0
    assert texts(bob) == texts(carol) == ["patience"]


def test_one_chain_lasts_until_its_epoch_is_over(user: MakeUser, deployment: Deployed) -> None:
    alice, bob, carol = map(user, ("alice", "bob", "carol"))
    alice.chat("group", "create", "team", bob.name, carol.name, "--escrow")
    for number in range(3):
        assert alice.chat("send", "#team", f"{number}").code == 0
    deployment.advance(DAY)
    assert alice.chat("send", "#team", "tomorrow").code == 0
    assert texts(bob) == texts(carol) == ["0", "1", "2", "tomorrow"]
