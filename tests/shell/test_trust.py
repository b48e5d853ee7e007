"""Comparing, confirming and watching at the command line, against a real deployment."""

import asyncio
import hashlib

import pytest
import segno

from escrow.crypto.sign import SigningKey
from escrow.e2ee.devices import Device, DeviceList
from escrow.e2ee.keys import IdentityKeys
from escrow.errors import Kind
from escrow.ids import AccountId, DeviceNo
from escrow.roles.calls import Append
from escrow.roles.device.own_devices import account_seed
from escrow.roles.device.state import Me, load_me
from escrow.tlog.entry import Entry, EntryType
from escrow_client.api import Messenger, Profile
from escrow_client.qr import drawn
from tests.shell.deployed import DAY, Deployed
from tests.shell.people import MakeUser, Said, User

# One worker runs them all: the deployment that they share is dear to start.
pytestmark = pytest.mark.xdist_group("deployment")


def steal(user: User) -> Me:
    """Everything that a profile holds."""

    async def story() -> Me:
        async with Messenger.open(Profile.load(user.folder, "chat")) as messenger:
            return await messenger.node.read(load_me)

    return asyncio.run(story())


def log_ghost(deployment: Deployed, user: User) -> None:
    """Whoever has an account's key adds a device of theirs to it."""
    me = steal(user)
    first, key = DeviceList.decode(me.device_list), SigningKey.from_seed(account_seed(me))
    seed = hashlib.sha256(user.name.encode()).digest()
    ghost = Device.make(IdentityKeys.make(AccountId(me.keys.account), DeviceNo(2), seed))
    following = DeviceList.make(key, first.name, (*first.devices, ghost), first)
    entry = Entry.make(EntryType.DEVICE_LIST, following.encode(), key, deployment.home.genesis.log.origin)
    (reply,) = deployment._ask([("log", Append((entry,)))])
    assert [one.reason for one in reply.results] == [""]


def safety(user: User, peer: User, *options: str) -> Said:
    return user.chat("safety", peer.name, *options)


def watch_me(user: User, *options: str) -> Said:
    return user._doublelock("audit", "watch-me", "--profile", user.folder, *options)


def test_both_see_one_number_and_each_accepts_the_others_text(user: MakeUser) -> None:
    alice, bob = user("alice"), user("bob")
    (hers,) = safety(alice, bob, "--json").rows
    (his,) = safety(bob, alice, "--json").rows
    assert hers["number"] == his["number"]
    assert (hers["event"], hers["trust"], hers["devices"]) == ("safety", "unknown", [1])
    assert hers["text"] != his["text"]
    for said in (his["text"], his["number"], safety(bob, alice).out.splitlines()[1]):
        compared = safety(alice, bob, "--compare", said)
        assert compared.code == 0
        assert "the same on both sides" in compared.err
    assert safety(alice, bob, "--compare", his["text"], "--confirm").code == 0
    assert safety(alice, bob, "--json").rows[0]["trust"] == "compared"
    own = safety(alice, bob, "--compare", hers["text"])
    assert (own.code, "your own screen" in own.err) == (Kind.USAGE, True)


def test_what_differs_is_refused_and_not_confirmed(user: MakeUser) -> None:
    alice, bob, carol = user("alice"), user("bob"), user("carol")
    (carols,) = safety(carol, alice, "--json").rows
    for said in (carols["text"], carols["number"]):
        refused = safety(alice, bob, "--compare", said, "--confirm")
        assert refused.code == Kind.VERIFICATION
        assert "reason: SAFETY_MISMATCH" in refused.err
    assert safety(alice, bob, "--compare", "it is me, really", "--confirm").code == Kind.VERIFICATION
    assert safety(alice, bob, "--json").rows[0]["trust"] == "unknown"
    assert alice.chat("safety", "nobody-at-all").code == Kind.NOT_FOUND
    assert alice.chat("safety", alice.name).code == Kind.USAGE
    assert alice.chat("safety", "\udcff").code == Kind.USAGE


def test_a_code_is_drawn_on_demand(user: MakeUser) -> None:
    alice, bob = user("alice"), user("bob")
    shown = safety(alice, bob, "--qr").out
    text = safety(alice, bob, "--json").rows[0]["text"]
    assert drawn(text) in shown
    rows = [list(row) for row in segno.make_qr(text, error="m", boost_error=False).matrix_iter(border=4)]
    upper = {"█": 0, "▀": 0, "▄": 1, " ": 1}
    lower = {"█": 0, "▀": 1, "▄": 0, " ": 1}
    lines = drawn(text).split("\n")
    read = [[half[character] for character in line] for line in lines for half in (upper, lower)]
    assert read[: len(rows)] == rows


def test_changed_devices_stop_what_is_sent_until_the_user_confirms(user: MakeUser, deployment: Deployed) -> None:
    alice, bob = user("alice"), user("bob")
    assert alice.chat("send", bob.name, "hello").code == 0
    assert bob.chat("recv").code == 0
    log_ghost(deployment, bob)
    assert safety(alice, bob, "--json").rows[0]["trust"] == "changed"
    waiting = alice.chat("send", bob.name, "are you still you?")
    assert waiting.code == Kind.REFUSED
    assert "reason: KEY_CHANGED" in waiting.err
    assert "1 kept until you confirm them" in waiting.err
    status = alice.chat("status")
    assert "THE DEVICES HAVE CHANGED" in status.out
    assert "KEY_CHANGED" in status.out
    assert "device 2 is new" in status.out
    assert alice.chat("status", "--json").only("conversation")[0]["trust"] == "changed"
    assert bob.chat("send", alice.name, "it is me").code == 0
    read = alice.chat("recv")
    assert "it is me" in read.out
    assert "THE DEVICES HAVE CHANGED" in read.err

    # The ghost has left no prekeys, so what was kept waits on: it is sealed for both devices or for none.
    confirmed = safety(alice, bob, "--confirm")
    assert "confirmed" in confirmed.err
    assert alice.chat("status", "--json").only("conversation")[0]["trust"] == "compared"
    assert alice.chat("status", "--json").only("status")[0]["waiting"] == 1


def test_a_ghost_device_is_noticed_by_its_owner(user: MakeUser, deployment: Deployed) -> None:
    bob = user("bob")
    clean = watch_me(bob, "--json")
    assert clean.code == 0
    (row,) = clean.only("watched")
    assert row["entries"] > 0
    assert (row["ghosts"], row["omitted"]) == (0, 0)
    log_ghost(deployment, bob)
    for _ in range(2):
        found = watch_me(bob)
        assert found.code == Kind.INTEGRITY
        assert "1 unknown lists of your devices FOUND" in found.out
        assert "reason: GHOST_DEVICE" in found.err
    status = bob.chat("status")
    assert status.out.count("GHOST_DEVICE") == 1
    assert "devices 1, 2" in status.out
    assert "warn your contacts" in status.err
    assert bob.chat("status", "--json").only("watched")[0]["ghosts"] == 1


def test_mail_brings_the_warning_too(user: MakeUser, deployment: Deployed) -> None:
    bob = user("bob")
    assert bob.chat("recv").code == 0
    log_ghost(deployment, bob)
    assert bob.chat("recv").code == 0
    assert "GHOST_DEVICE" not in bob.chat("status").out
    deployment.advance(DAY + DAY // 24)
    told = bob.chat("recv")
    assert "GHOST_DEVICE" in told.err
    assert "GHOST_DEVICE" in bob.chat("status").out


def test_watching_needs_the_log(user: MakeUser, deployment: Deployed) -> None:
    bob = user("bob")
    with deployment.without("log"):
        assert watch_me(bob).code == Kind.UNAVAILABLE
        unknown = bob.chat("safety", "somebody-else")
        assert unknown.code in (Kind.UNAVAILABLE, Kind.NOT_FOUND)
    assert watch_me(bob).code == 0
