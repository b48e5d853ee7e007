"""The messenger's commands against a real deployment: what they say, where they say it, and how they end."""

import asyncio
import io
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from escrow.errors import Kind, Reason
from escrow.ids import Party
from escrow.store.sqlite import SqliteStore
from escrow_client.api import Deployment, Messenger, Profile
from tests.shell.deployed import DAY, Deployed
from tests.shell.people import Command, MakeUser, Said, User

# One worker runs them all: the deployment that they share is dear to start.
pytestmark = pytest.mark.xdist_group("deployment")

# -- messages -------------------------------------------------------------------------------------


def test_both_screens_say_whether_a_conversation_is_escrowed(user: MakeUser) -> None:
    alice, bob = user("alice"), user("bob")
    plain = alice.chat("send", bob.name, "between us")
    escrowed = alice.chat("send", bob.name, "with an escrow", "--escrow")
    assert (plain.code, escrowed.code) == (0, 0)
    assert "END-TO-END ONLY" in plain.err
    assert "ESCROWED, custodians can open this conversation under a warrant" in escrowed.err

    received = bob.chat("recv")
    assert received.code == 0
    lines = {line.rpartition("  ")[2]: line for line in received.out.splitlines()}
    assert "[END-TO-END ONLY]" in lines["between us"]
    assert "[ESCROWED]" in lines["with an escrow"]
    assert "ESCROWED, custodians can open this conversation under a warrant" in received.err
    assert bob.chat("recv").out == ""
    assert len(bob.chat("recv", "--all").out.splitlines()) == 2

    for status in (alice.chat("status"), bob.chat("status")):
        assert status.code == 0
        assert "END-TO-END ONLY: nobody but the people in this conversation can open it" in status.out
        assert "ESCROWED: custodians can open this conversation under a warrant" in status.out


def test_json_lines_say_the_same_to_programs(user: MakeUser) -> None:
    alice, bob = user("alice"), user("bob")
    sent = alice.chat("send", bob.name, "hä\n\x1b[2J", "--escrow", "--json")
    assert sent.rows == [{"schema_version": 1, "event": "outcome", "sent": 1, "waiting": 0, "refused": 0}]
    (message,) = bob.chat("recv", "--json").only("message")
    assert (message["text"], message["mode"], message["sender_name"]) == ("hä\n\x1b[2J", "escrowed", alice.name)
    shown = bob.chat("recv", "--all").out
    assert "\x1b" not in shown
    (conversation,) = bob.chat("status", "--json").only("conversation")
    assert (conversation["mode"], conversation["peer_name"]) == ("escrowed", alice.name)


def test_both_ends_look_for_their_receipts_once_the_promised_time_is_over(user: MakeUser, deployment: Deployed) -> None:
    def lookups() -> list[str]:
        """How the relay has answered questions about receipts so far."""
        log = deployment.home.part_folder(Party("relay")) / "log.jsonl"
        calls = [json.loads(line) for line in log.read_text().splitlines()]
        return [call["outcome"] for call in calls if call.get("method") == "GetIngestPaths"]

    alice, bob = user("alice"), user("bob")
    alice.chat("send", bob.name, "on the record", "--escrow")
    bob.chat("recv")
    before = len(lookups())
    alice.chat("recv")
    assert len(lookups()) == before, "it is not time yet"
    deployment.advance(2 * DAY)
    for person in (alice, bob):
        person.chat("recv")
        status = person.chat("status", "--json")
        assert status.only("status")[0]["overdue"] == 0
        assert status.only("alarm") == []
    assert lookups()[before:] == ["OK", "OK"]


def test_a_sender_hears_what_was_shown_unless_the_reader_does_not_want_it(user: MakeUser) -> None:
    alice, bob = user("alice"), user("bob")
    for text, choice in (("seen", "on"), ("kept quiet", "off")):
        assert bob.chat("receipts", choice).code == 0
        alice.chat("send", bob.name, text, "--escrow")
        received = bob.chat("recv", "--json")
        assert received.only("message")[0]["text"] == text
        assert received.only("outcome") == [], "nobody has to know"
        assert alice.chat("recv", "--json").rows == []
        assert bob.chat("status", "--json").only("receipts")[0]["on"] == (choice == "on")
    assert alice.chat("status", "--json").only("receipts")[0]["delivered"] == 1
    exported = {line["text"]: (line["state"], line["delivered"]) for line in alice.chat("export").rows}
    assert exported == {"seen": ("delivered", [bob.name]), "kept quiet": ("accepted", [])}
    assert "1 of 2 sent were shown at another end" in alice.chat("status").out


def test_what_was_said_is_exported_under_the_same_ids_at_both_ends(user: MakeUser) -> None:
    alice, bob = user("alice"), user("bob")
    alice.chat("send", bob.name, "on the record", "--escrow")
    alice.chat("send", bob.name, "off it")
    bob.chat("recv")
    mine, theirs = ({line["mode"]: line for line in one.chat("export").rows} for one in (alice, bob))
    for mode, text in (("escrowed", "on the record"), ("end-to-end", "off it")):
        line, other = mine[mode], theirs[mode]
        assert (line["schema_version"], line["event"], line["group"], line["file"]) == (1, "message", None, None)
        assert (line["from"], line["to"], line["text"]) == (alice.name, [bob.name], text)
        assert (line["direction"], line["state"]) == ("sent", "accepted")
        assert (other["direction"], other["state"], other["text"]) == ("received", "shown", text)
        assert line["id"] == other["id"]
    assert mine["escrowed"]["time"] == theirs["escrowed"]["time"], "the relay's"
    assert len(bob.chat("export", "--conversation", alice.name).rows) == 2
    nobody = bob.chat("export", "--conversation", "nobody")
    assert (nobody.code, nobody.out) == (Kind.NOT_FOUND, "")


def test_a_text_may_come_from_standard_input(user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = user("alice"), user("bob")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("nicht für alle\n".encode())))
    assert alice.chat("send", bob.name).code == 0
    assert bob.chat("recv", "--json").only("message")[0]["text"] == "nicht für alle"


def test_bytes_that_are_no_text_are_not_sent(user: MakeUser, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = user("alice")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    assert alice.chat("send", "bob").code == Kind.USAGE
    assert alice.chat("send", "bob", "\udcff").code == Kind.USAGE
    assert alice.chat("status", "--json").only("status")[0]["waiting"] == 0


def test_what_cannot_be_sent_at_all_is_refused_and_forgotten(user: MakeUser) -> None:
    alice = user("alice")
    nobody = alice.chat("send", "nobody-at-all", "hello?")
    assert nobody.code == Kind.NOT_FOUND
    assert "reason: NOT_FOUND" in nobody.err
    assert alice.chat("send", alice.name, "hello me").code == Kind.USAGE
    (status,) = alice.chat("status", "--json").only("status")
    assert status["waiting"] == 0
    assert "nobody-at-all" in alice.chat("status").out


def test_a_message_waits_while_the_relay_is_down(user: MakeUser, deployment: Deployed) -> None:
    alice, bob = user("alice"), user("bob")
    with deployment.without("relay"):
        waiting = alice.chat("send", bob.name, "patience", "--escrow")
        assert waiting.code == Kind.UNAVAILABLE
        assert Reason.UNAVAILABLE.sentence.rstrip(".") in waiting.err
        assert "relay" in waiting.err
        assert "hint:" in waiting.err
        assert "1 waiting" in alice.chat("status").err
        assert alice.chat("recv").code == Kind.UNAVAILABLE
    resent = alice.chat("recv", "--json")
    assert resent.code == 0
    assert resent.only("outcome") == [{"schema_version": 1, "event": "outcome", "sent": 1, "waiting": 0, "refused": 0}]
    assert [row["text"] for row in bob.chat("recv", "--json").only("message")] == ["patience"]


# -- registration ---------------------------------------------------------------------------------


def test_a_registration_is_finished_by_repeating_it(
    doublelock: Command, deployment: Deployed, tmp_path: Path, user: MakeUser
) -> None:
    alice, late = user("alice"), User(doublelock, deployment, tmp_path, "late")
    with deployment.without("relay"):
        assert late.register().code == Kind.UNAVAILABLE
        assert "registration is not finished" in late.chat("status").out
    (first,) = late.register().rows
    (again,) = late.register().rows
    assert first == again
    assert first["account"] == late.chat("status", "--json").rows[0]["account"]
    assert alice.chat("send", "late", "welcome").code == 0


def test_a_name_that_is_taken_is_refused(
    doublelock: Command, deployment: Deployed, tmp_path: Path, user: MakeUser
) -> None:
    alice = user("alice")
    impostor = User(doublelock, deployment, tmp_path / "elsewhere", alice.name)
    said = impostor.register()
    assert said.code == Kind.REFUSED
    assert Reason.NAME_TAKEN.name in said.err
    assert alice.register("somebody-else").code == Kind.REFUSED


@pytest.mark.parametrize("name", ["", "Alice", "../alice", "a" * 64, "-x", "ä"])
def test_an_unusable_name_is_refused_before_anything_is_made(
    doublelock: Command, deployment: Deployed, tmp_path: Path, name: str
) -> None:
    said = doublelock("chat", "register", "--home", deployment.home.folder, "--profile", tmp_path / "p", "--", name)
    assert said.code == Kind.USAGE
    assert not (tmp_path / "p").exists()


# -- the profile ----------------------------------------------------------------------------------


def test_nobody_else_may_read_a_profile(user: MakeUser) -> None:
    folder = user("alice").folder
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "identity" / "key.pem").stat().st_mode) == 0o600


def test_what_is_no_profile_is_named(doublelock: Command, deployment: Deployed, tmp_path: Path) -> None:
    for verb in ("recv", "status"):
        assert doublelock("chat", verb, "--profile", tmp_path / "none").code == Kind.NOT_FOUND
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("not a profile")
    full = doublelock("chat", "register", "alice", "--home", deployment.home.folder, "--profile", tmp_path / "full")
    assert full.code == Kind.USAGE
    assert "not empty" in full.err
    nowhere = doublelock("chat", "register", "alice", "--home", tmp_path / "none", "--profile", tmp_path / "p")
    assert nowhere.code == Kind.UNAVAILABLE
    assert "genesis.json" in nowhere.err


def test_a_damaged_profile_is_not_used(user: MakeUser) -> None:
    alice = user("alice")
    (alice.folder / "profile.json").write_text('{"schema_version":1,"kind":"chat","name":"alice"}')
    damaged = alice.chat("status")
    assert damaged.code == Kind.INTEGRITY
    assert "profile.json" in damaged.err


def test_a_profile_stays_with_its_deployment(user: MakeUser, tmp_path: Path) -> None:
    from escrow_server.deployment import ensure

    alice = user("alice")
    path = alice.folder / "profile.json"
    other = ensure(tmp_path / "other").folder
    path.write_text(json.dumps(json.loads(path.read_text()) | {"home": str(other)}))
    moved = alice.chat("send", "bob", "where am I?")
    assert moved.code == Kind.USAGE
    assert "another deployment" in moved.err


def test_a_profile_has_one_user_at_a_time(user: MakeUser) -> None:
    alice = user("alice")

    async def meanwhile() -> Said:
        store = SqliteStore(alice.folder / "store.db")
        try:
            return await asyncio.to_thread(alice.chat, "status")
        finally:
            await store.close()

    busy = asyncio.run(meanwhile())
    assert busy.code == Kind.UNAVAILABLE
    assert "in use by another process" in busy.err


# -- as a library ---------------------------------------------------------------------------------


def test_many_messengers_live_in_one_process(deployment: Deployed, tmp_path: Path) -> None:
    names = [f"crowd{place}" for place in range(6)]

    async def one(shared: Deployment, name: str) -> None:
        profile = Profile.make(tmp_path / name, "chat", name, shared)
        async with Messenger.open(profile, shared) as messenger:
            await messenger.register()
            await everybody.wait()
            await asyncio.gather(*(messenger.send(to, f"{name} to {to}", escrow=True) for to in names if to < name))
            await all_sent.wait()
            await messenger.sync()
            received = {message.text for message in (await messenger.inbox()).messages}
            assert received == {f"{other} to {name}" for other in names if name < other}

    everybody, all_sent = asyncio.Barrier(len(names)), asyncio.Barrier(len(names))

    async def crowd() -> None:
        with ThreadPoolExecutor(max_workers=1) as executor:
            shared = Deployment.open(deployment.home.folder, lab=True, executor=executor)
            await asyncio.gather(*(one(shared, name) for name in names))

    asyncio.run(crowd())
