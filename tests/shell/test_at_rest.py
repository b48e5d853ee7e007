"""A profile on disk: what opens it, what a thief of its files finds, and what its user hears when it is damaged."""

import asyncio
import io
import os
import pty
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from escrow.cli.keys import BESIDE
from escrow.errors import IntegrityError, Kind, Reason, RefusedError
from escrow.roles.agency.state import load_case
from escrow.roles.device.state import load_me
from escrow.rpc.files import write_new_secret
from escrow.secret import Secret
from escrow.store.keyring import PLACE, Keyring, LockKind
from escrow.tags import T, Tag
from escrow_client.api import Deployment, Investigator, Keys, Messenger, Profile
from tests.shell.deployed import Deployed
from tests.shell.people import Command, MakeUser, Said, User

# One worker runs them all: the deployment that they share is dear to start.
pytestmark = pytest.mark.xdist_group("deployment")

PASSPHRASE = "correct horse battery staple"


def secrets_in(value: object) -> Iterator[bytes]:
    """Every secret in a piece of state."""
    if isinstance(value, Secret):
        if len(value) >= 16:
            yield value.expose()
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from secrets_in(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from secrets_in(one)


def windows(*texts: bytes) -> set[bytes]:
    """Every 16 bytes in a row that look like more than padding and counters."""
    rows = (text[at : at + 16] for text in texts for at in range(len(text) - 15))
    return {row for row in rows if len(set(row)) >= 8}


def files_in(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def newcomer(doublelock: Command, deployment: Deployed, tmp_path: Path, request: pytest.FixtureRequest) -> User:
    unique = "".join(one for one in request.node.name if one.isalpha())[-50:]
    return User(doublelock, deployment, tmp_path / "profiles", f"new.{unique}".lower())


# -- what opens it --------------------------------------------------------------------------------


def test_a_new_profile_gets_a_key_file_and_says_what_it_is_worth(newcomer: User) -> None:
    said = newcomer.register()
    assert said.code == 0
    assert str(newcomer.folder / BESIDE) in said.err
    assert "keeps nothing from whoever takes the whole folder" in said.err
    path = newcomer.folder / BESIDE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert path.read_bytes() not in (said.out + said.err).encode(errors="surrogateescape")
    assert newcomer.chat("status").code == 0


def test_without_its_key_file_a_profile_stays_shut(newcomer: User, tmp_path: Path) -> None:
    assert newcomer.register().code == 0
    key, elsewhere = newcomer.folder / BESIDE, tmp_path / "usb-stick"
    key.rename(elsewhere)
    before = files_in(newcomer.folder)
    missing = newcomer.chat("status")
    assert missing.code == Kind.REFUSED
    assert "reason: STORE_LOCKED" in missing.err
    assert newcomer.register().code == Kind.REFUSED
    assert newcomer.chat("status", "--key-file", elsewhere).code == 0
    write_new_secret(tmp_path / "another", Secret(bytes(32)))
    wrong = newcomer.chat("status", "--key-file", tmp_path / "another")
    assert wrong.code == Kind.REFUSED
    assert "reason: STORE_LOCKED" in wrong.err
    short = tmp_path / "short"
    write_new_secret(short, Secret(b"short"))
    assert "no key file" in newcomer.chat("status", "--key-file", short).err
    assert newcomer.chat("status", "--key-file", tmp_path).code == Kind.USAGE
    assert files_in(newcomer.folder) == before


def test_a_key_file_that_others_may_read_or_write_is_not_used(newcomer: User) -> None:
    assert newcomer.register().code == 0
    for mode in (0o640, 0o604, 0o660, 0o602):
        (newcomer.folder / BESIDE).chmod(mode)
        said = newcomer.chat("status")
        assert said.code == Kind.REFUSED
        assert "reason: KEY_EXPOSED" in said.err
        assert "chmod 600" in said.err


def test_a_key_file_elsewhere_is_made_on_first_use_and_named_by_the_environment(
    newcomer: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stick" / "my.key"
    monkeypatch.setenv("DOUBLELOCK_KEY_FILE", str(path))
    said = newcomer.register()
    assert said.code == 0
    assert "keeps nothing" not in said.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not (newcomer.folder / BESIDE).exists()
    assert newcomer.chat("status").code == 0
    monkeypatch.delenv("DOUBLELOCK_KEY_FILE")
    assert newcomer.chat("status").code == Kind.REFUSED


def test_a_passphrase_comes_from_a_file_or_standard_input(
    newcomer: User,
    user: MakeUser,
    doublelock: Command,
    deployment: Deployed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bob = user("bob")
    file, wrong, empty = tmp_path / "passphrase", tmp_path / "wrong", tmp_path / "empty"
    file.write_text(f"{PASSPHRASE}\nand a second line that does not count\n")
    wrong.write_text(PASSPHRASE[:-1])
    empty.write_text("\n")
    where = ("--home", deployment.home.folder, "--profile", newcomer.folder, "--lab")
    registered = doublelock("chat", "register", newcomer.name, *where, "--passphrase-file", file)
    assert registered.code == 0, registered.err
    assert not (newcomer.folder / BESIDE).exists()
    said = [registered]

    def chat(verb: str, *arguments: object, stdin: str = "") -> Said:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        said.append(newcomer.chat(verb, *arguments))
        return said[-1]

    assert chat("status", "--passphrase-file", file).code == 0
    assert chat("status", "--passphrase-file", "-", stdin=PASSPHRASE).code == 0
    assert chat("send", bob.name, "--passphrase-file", "-", stdin=f"{PASSPHRASE}\nwhat I say").code == 0
    assert bob.chat("recv", "--json").only("message")[0]["text"] == "what I say"
    before = files_in(newcomer.folder)
    for refused in (chat("status", "--passphrase-file", wrong), chat("status")):
        assert refused.code == Kind.REFUSED
        assert "reason: STORE_LOCKED" in refused.err
    assert "--passphrase-file" in said[-1].err
    assert chat("status", "--passphrase-file", empty).code == Kind.USAGE
    assert files_in(newcomer.folder) == before
    assert not any(PASSPHRASE in one.out + one.err for one in said)
    assert not any(PASSPHRASE.encode() in data for data in before.values())


def test_on_a_terminal_the_passphrase_is_asked_for_and_not_shown(
    newcomer: User, deployment: Deployed, tmp_path: Path
) -> None:
    """Through a real terminal, as nothing else has one."""
    command = [sys.executable, "-c", "from escrow.cli import main; main()", "chat"]
    where = ["--profile", str(newcomer.folder)]

    def typed(*arguments: str, answers: int) -> tuple[int, str]:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*command, *arguments, *where],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,  # or it would ask on the terminal from which these tests run
        ) as process:
            os.close(theirs)
            seen = b""
            while True:
                try:
                    chunk = os.read(ours, 4096)
                except OSError:
                    break
                if not chunk:
                    break
                seen += chunk
                if answers and chunk.rstrip().endswith(b":"):
                    os.write(ours, PASSPHRASE.encode() + b"\n")
                    answers -= 1
            os.close(ours)
        return process.returncode, seen.decode()

    home = ("--home", str(deployment.home.folder), "--lab")
    code, seen = typed("register", newcomer.name, *home, "--passphrase", answers=2)
    assert code == 0, seen
    code, again = typed("status", answers=1)
    assert code == 0, again
    assert "Passphrase:" in again
    assert PASSPHRASE not in seen + again
    no_terminal = newcomer.chat("status")
    assert no_terminal.code == Kind.REFUSED


def test_another_passphrase_or_key_file_opens_a_profile_and_what_did_before_does_not(
    newcomer: User, tmp_path: Path
) -> None:
    assert newcomer.register().code == 0
    file, other, stick = tmp_path / "passphrase", tmp_path / "other", tmp_path / "stick"
    file.write_text(PASSPHRASE)
    other.write_text(PASSPHRASE + "!")
    old_key, account = (newcomer.folder / BESIDE).read_bytes(), newcomer.chat("status", "--json").rows[0]["account"]
    for opens, following, kind in (
        ((), ("--new-passphrase-file", file), "passphrase"),
        (("--passphrase-file", file), ("--new-passphrase-file", other), "passphrase"),
        (("--passphrase-file", other), ("--new-key-file", stick), "key file"),
    ):
        changed = newcomer.chat("lock", *opens, *following, "--json")
        assert changed.code == 0, changed.err
        assert changed.only("locked")[0]["kind"] == kind
        assert "still opens with what opened it then" in changed.err
        refused = newcomer.chat("status", *opens)
        assert refused.code == Kind.REFUSED
        assert "reason: STORE_LOCKED" in refused.err
        assert not (newcomer.folder / BESIDE).exists()
    assert newcomer.chat("status", "--key-file", stick, "--json").rows[0]["account"] == account
    # And back: a key file beside the store is made anew, and is not the one that was there before.
    assert newcomer.chat("lock", "--key-file", stick, "--new-key-file", newcomer.folder / BESIDE).code == 0
    assert newcomer.chat("status").code == 0
    assert (newcomer.folder / BESIDE).read_bytes() != old_key
    assert newcomer.chat("lock", "--new-key-file", newcomer.folder / BESIDE).code == 0
    assert newcomer.chat("status").code == 0


def test_the_old_keyring_is_gone_from_every_file_of_a_profile(newcomer: User, tmp_path: Path) -> None:
    assert newcomer.register().code == 0

    def wrapped() -> bytes:
        with closing(sqlite3.connect(newcomer.folder / "store.db")) as database:
            (record,) = database.execute("SELECT value FROM kv WHERE key = ?", (PLACE,)).fetchone()
        return Keyring.decode(record).wrapped

    before = wrapped()
    assert any(before in data for data in files_in(newcomer.folder).values())
    assert newcomer.chat("lock", "--new-key-file", tmp_path / "stick").code == 0
    assert wrapped() != before
    assert not any(before in data for data in files_in(newcomer.folder).values())


def test_what_does_not_open_a_profile_changes_nothing_about_what_does(newcomer: User, tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE)
    assert newcomer.chat("lock", "--new-passphrase-file", file).code == Kind.NOT_FOUND
    assert newcomer.register().code == 0
    write_new_secret(tmp_path / "another", Secret(bytes(32)))
    before = files_in(newcomer.folder)
    for arguments, code in (
        (("--key-file", tmp_path / "another", "--new-passphrase-file", file), Kind.REFUSED),
        (("--new-passphrase",), Kind.USAGE),
        ((), Kind.USAGE),
        (("--new-passphrase-file", file, "--new-key-file", tmp_path / "stick"), Kind.USAGE),
        (("--new-key-file", tmp_path), Kind.USAGE),
    ):
        assert newcomer.chat("lock", *arguments).code == code
    assert files_in(newcomer.folder) == before
    assert not (tmp_path / "stick").exists()
    assert newcomer.chat("status").code == 0
    (newcomer.folder / "store.db").unlink()
    assert newcomer.chat("lock", "--new-passphrase-file", file).code == Kind.INTEGRITY
    assert not (newcomer.folder / "store.db").exists()


def test_a_passphrase_is_never_a_word_of_a_command(newcomer: User, doublelock: Command, deployment: Deployed) -> None:
    where = ("--home", deployment.home.folder, "--profile", newcomer.folder)
    assert doublelock("chat", "register", newcomer.name, *where, "--passphrase", PASSPHRASE).code == Kind.USAGE
    no_terminal = doublelock("chat", "register", newcomer.name, *where, "--passphrase")
    assert no_terminal.code == Kind.USAGE
    assert "no terminal" in no_terminal.err


def test_a_profile_that_was_never_registered_gets_no_key(newcomer: User, deployment: Deployed) -> None:
    shared = Deployment.open(deployment.home.folder, lab=True)
    Profile.make(newcomer.folder, "chat", newcomer.name, shared)
    said = newcomer.chat("status")
    assert said.code == Kind.NOT_FOUND
    assert "not registered" in said.err
    assert not (newcomer.folder / BESIDE).exists()
    assert newcomer.register().code == 0


def test_a_key_file_that_survived_a_crash_is_used(newcomer: User, deployment: Deployed) -> None:
    shared = Deployment.open(deployment.home.folder, lab=True)
    profile = Profile.make(newcomer.folder, "chat", newcomer.name, shared)
    key = Keys().lock(profile.folder, None)
    assert newcomer.register().code == 0
    assert Keys().lock(profile.folder, LockKind.KEY_FILE) == key


# -- what a thief finds ---------------------------------------------------------------------------


def test_no_file_of_a_profile_or_desk_holds_a_secret_in_the_clear(
    user: MakeUser, doublelock: Command, deployment: Deployed, tmp_path: Path
) -> None:
    alice, bob = user("alice"), user("bob")
    for place in range(3):
        alice.chat("send", bob.name, f"number {place} of what nobody else may read", "--escrow")
        bob.chat("recv")
        bob.chat("send", alice.name, f"answer {place} of what nobody else may read")
        alice.chat("recv")
    desk, shared = tmp_path / "desk", Deployment.open(deployment.home.folder, lab=True)
    where = ("--home", deployment.home.folder, "--desk", desk, "--lab")
    period = ("--from", shared.clock() - 60_000, "--to", shared.clock())
    applied = doublelock("warrant", "apply", *where, "--target", alice.name, *period)
    assert applied.code == 0, applied.err
    warrant = bytes.fromhex(applied.out.strip())
    assert (desk / BESIDE).exists()

    async def story() -> tuple[list[bytes], dict[bytes, bytes], dict[Path, bytes]]:
        """Long-lived secrets, the whole state of both, and all files while stores and journals are open."""
        profile = Profile.load(alice.folder, "chat")
        async with (
            Messenger.open(profile, shared) as messenger,
            Investigator.open(Profile.load(desk, "agency"), shared) as agency,
        ):
            await messenger.send(bob.name, "the last of what nobody else may read", escrow=True)
            me = await messenger.node.read(load_me)
            case = await agency.node.read(lambda view: load_case(view, warrant))
            states = [await one.node.read(lambda view: dict(view.scan(b""))) for one in (messenger, agency)]
            found = [*secrets_in(me), *secrets_in(case)]
            return found, states[0] | states[1], files_in(alice.folder) | files_in(desk)

    secrets, state, open_files = asyncio.run(story())
    assert len(secrets) >= 6
    whole = b"".join(state.values())
    # The thief is no paper tiger: what the key opens is full of secrets and words.
    assert all(secret in whole for secret in secrets)
    assert b"what nobody else may read" in whole
    # Names of keys are in sight, with the accounts in them, and that there is a keyring.
    hidden = windows(*state.values()) - windows(*state, T(Tag.KEYRING))
    assert all(windows(secret) <= hidden for secret in secrets)
    kept = {path.name for path in open_files}
    assert {"store.db", "store.db-wal"} <= kept
    for files in (open_files, files_in(alice.folder) | files_in(desk)):
        for path, data in files.items():
            if path.name.startswith("store.db"):
                assert sorted(windows(data) & hidden) == [], path
            assert not any(secret in data for secret in secrets), path


# -- damage ---------------------------------------------------------------------------------------


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def emptied(_: bytes) -> bytes:
    return b""


def replaced(_: bytes) -> bytes:
    return b"This was a database once. " * 400


def scribbled(data: bytes) -> bytes:
    return data[:4096] + b"\xff" * 4096 + data[8192:]


@pytest.mark.parametrize("harm", [cut, emptied, replaced, scribbled])
def test_a_damaged_store_is_named_and_nothing_is_overwritten(newcomer: User, harm: Callable[[bytes], bytes]) -> None:
    assert newcomer.register().code == 0
    store = newcomer.folder / "store.db"
    whole = store.read_bytes()
    store.write_bytes(harm(whole))
    before = files_in(newcomer.folder)
    for said in (
        newcomer.chat("status"),
        newcomer.chat("recv"),
        newcomer.chat("send", "bob", "hello"),
        newcomer.register(),
    ):
        assert said.code == Kind.INTEGRITY
        assert "reason: STORE_CORRUPT" in said.err
        assert "store.db" in said.err
        assert "restore a backup" in said.err
    assert files_in(newcomer.folder) == before
    store.write_bytes(whole)
    assert newcomer.chat("status").code == 0


def test_a_store_that_is_gone_is_not_quietly_made_anew(newcomer: User) -> None:
    assert newcomer.register().code == 0
    store = newcomer.folder / "store.db"
    store.rename(newcomer.folder / "elsewhere")
    for said in (newcomer.chat("status"), newcomer.register()):
        assert said.code == Kind.INTEGRITY
        assert "empty or gone" in said.err
    assert not store.exists()


def test_the_library_says_what_the_command_says(newcomer: User, deployment: Deployed) -> None:
    assert newcomer.register().code == 0
    profile = Profile.load(newcomer.folder, "chat")
    store = newcomer.folder / "store.db"
    data = store.read_bytes()

    async def opened(keys: Keys) -> None:
        async with Messenger.open(profile, keys=keys):
            pass

    write_new_secret(newcomer.folder / "other.key", Secret(bytes(32)))
    with pytest.raises(RefusedError) as locked:
        asyncio.run(opened(Keys(key_file=newcomer.folder / "other.key")))
    assert locked.value.reason is Reason.STORE_LOCKED
    store.write_bytes(cut(data))
    with pytest.raises(IntegrityError) as corrupt:
        asyncio.run(opened(Keys()))
    assert corrupt.value.reason is Reason.STORE_CORRUPT
