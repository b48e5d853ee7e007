"""The ceremonies at the command line, on real custodians: begun, signed, watched, stopped, and checked from the log."""

import asyncio
import re
import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from escrow.cli.keys import Keys
from escrow.errors import Kind
from escrow.ids import Party
from escrow.roles.custodian.state import Holding
from escrow.roles.state import unpack
from escrow.store.keyring import unlock
from escrow.store.sealed import SealedStore
from escrow.store.sqlite import SqliteStore
from escrow.world.founding import Terms
from escrow_server.deployment import ensure
from tests.conftest import ROOT
from tests.shell.deployed import DAY, Deployed
from tests.shell.people import Command, Said
from tests.shell.processes import PATIENCE, Part

pytestmark = pytest.mark.xdist_group("custody")

TERMS = Terms(custodians=2, threshold=2, witnesses=1, quorum=1, epochs_per_period=4, retention=DAY)
PARTS = (("log", None), ("witness", 1), ("custodian", 1), ("custodian", 2), ("custodian", 3))


@pytest.fixture(name="committee", scope="module")
def _committee(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """Two custodians with their key, and a third one that nobody has named."""
    home = ensure(tmp_path_factory.mktemp("custody"), terms=TERMS, start=400 * DAY)
    with ExitStack() as stack:

        def start(part: str, index: int | None) -> tuple[str, Part]:
            started = Part(home.folder, part, index, *(["--new"] if index == 3 else []))
            stack.callback(started.close)
            return started.ready["party"], started

        with ThreadPoolExecutor(max_workers=3) as threads:
            parts = dict(threads.map(start, *zip(*PARTS, strict=True)))
        deployed = Deployed(home, parts)
        deployed.wait_for_committee()
        yield deployed


class Operators:
    """Whoever may give the commands."""

    def __init__(self, doublelock: Command, committee: Deployed) -> None:
        self._doublelock = doublelock
        self._committee = committee

    def do(self, ceremony: str, verb: str, *more: object) -> Said:
        home = self._committee.home.folder
        return self._doublelock("custody", ceremony, verb, "--home", home, "--lab", "--json", *more)

    def told(self, ceremony: str, verb: str, *more: object) -> dict[str, Any]:
        said = self.do(ceremony, verb, *more)
        assert said.code == 0, said.err
        (row,) = said.only("ceremony")
        return row

    def until(self, state: str, *more: object) -> dict[str, Any]:
        """Wait for the custodians' machines."""
        end = time.monotonic() + PATIENCE
        while (row := self.told("handover", "status", *more))["state"] != state:
            assert time.monotonic() < end, row
            self._committee.settle()
        return row


@pytest.fixture(name="by")
def _by(doublelock: Command, committee: Deployed) -> Operators:
    return Operators(doublelock, committee)


def test_two_of_three_roots_hand_the_key_to_others_and_everybody_can_check_it(by: Operators) -> None:
    assert by.told("dkg", "verify")["state"] == "done"
    to = ("--member", "custodian/2", "--member", "custodian/3", "--threshold", 1)
    begun = by.told("handover", "start", *to, "--root", "root-1")
    assert (begun["state"], begun["done"], begun["needed"]) == ("signing", 1, 2)
    assert begun["missing"] == ["root-2", "root-3"]
    assert by.do("handover", "start", *to, "--root", "root-2").code == Kind.REFUSED, "one attempt at a time"

    # The first attempt is stopped; nobody's signature goes to it any more, nor to one that nobody has begun.
    assert by.told("handover", "cancel", "--nonce", begun["nonce"], "--root", "root-3")["state"] == "cancelled"
    for stale in (begun["nonce"], "ff" * 16):
        refused = by.do("handover", "submit", "--nonce", stale, "--root", "root-2")
        assert refused.code == Kind.REFUSED
        assert "not the attempt that is under way" in refused.err

    begun = by.told("handover", "start", *to, "--root", "root-1")
    nonce = ("--nonce", begun["nonce"])
    assert by.told("handover", "submit", *nonce, "--root", "root-1")["done"] == 1, "signing twice is signing once"
    assert by.do("handover", "verify", *nonce).code == Kind.UNAVAILABLE
    assert by.told("handover", "submit", *nonce, "--root", "root-3")["state"] in ("running", "erasing", "done")
    done = by.until("done", *nonce)
    assert (done["holders"], done["threshold"], done["generation"]) == (["custodian/2", "custodian/3"], 1, 1)
    assert (done["done"], done["needed"], done["missing"]) == (2, 2, [])
    assert by.told("handover", "verify", *nonce)["state"] == "done"

    # Whoever holds the shares now replaces them, without any root.
    refreshed = by.told("handover", "start", "--custodian", 3)
    assert by.until("done", "--nonce", refreshed["nonce"])["generation"] == 2


def test_the_document_shows_commands_that_run(by: Operators) -> None:
    """With the custodians that there are; the one that is started there, runs here."""
    text = (ROOT / "docs/custody.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [shlex.split(line.replace("custodian/6", "custodian/3")) for line in block.splitlines()]
    assert lines[0] == ["doublelock", "serve", "custodian", "--index", "6", "--new"]
    nonce = ""
    for program, group, ceremony, verb, *more in lines[1:]:
        assert (program, group) == ("doublelock", "custody")
        if verb == "verify":
            by.until("done", "--nonce", nonce)
        nonce = by.told(ceremony, verb, *(word.replace("$nonce", nonce) for word in more))["nonce"]
    assert by.told("handover", "status")["threshold"] == 2


def test_the_next_period_has_its_key_early_if_an_operator_asks_and_no_hand_ends_a_period(by: Operators) -> None:
    assert by.told("rotate", "status")["state"] == "none"
    begun = by.told("rotate", "start", "--custodian", 1)
    again = by.told("rotate", "start", "--custodian", 2)
    assert begun["state"] in ("running", "done")
    assert again["nonce"] == begun["nonce"], "what is under way is not begun twice"
    for ceremony, verbs in (("dkg", ("submit", "cancel")), ("rotate", ("submit", "cancel")),
                            ("erase", ("start", "submit", "cancel"))):  # fmt: skip
        for verb in verbs:
            said = by.do(ceremony, verb)
            assert (said.code, said.out) == (Kind.REFUSED, "")
            assert "No person takes this step" in said.err
    assert by.told("erase", "status")["state"] == "waiting"
    assert by.do("erase", "verify").code == Kind.UNAVAILABLE


def test_a_command_that_was_cut_off_is_given_again_and_changes_nothing_twice(
    by: Operators, committee: Deployed
) -> None:
    begun = by.told("handover", "start", "--member", "custodian/2", "--threshold", 1, "--root", "root-2")
    nonce = ("--nonce", begun["nonce"])
    with committee.without("log"):
        for verb in ("submit", "cancel"):
            assert by.do("handover", verb, *nonce, "--root", "root-2").code == Kind.UNAVAILABLE
    again = [by.told("handover", "submit", *nonce, "--root", "root-2") for _ in range(2)]
    assert again == [begun, begun]
    assert by.told("handover", "cancel", *nonce, "--root", "root-1")["state"] == "cancelled"
    refused = by.do("handover", "cancel", *nonce, "--root", "root-1")
    assert (refused.code, "CEREMONY_STALE" in refused.err) == (Kind.REFUSED, True)


def test_only_roots_order_and_no_key_is_shown(by: Operators, committee: Deployed, tmp_path: Path) -> None:
    seeds = [(committee.home.folder / "roots" / "root-1").read_text(), "ab" * 32]
    stranger, root = tmp_path / "stranger", tmp_path / "root"
    root.write_text(seeds[0])
    stranger.write_text(seeds[1])
    to = ("--member", "custodian/1", "--threshold", 1)
    denied = by.do("handover", "start", *to, "--signing-key", stranger)
    assert denied.code == Kind.REFUSED
    garbage = tmp_path / "garbage"
    garbage.write_text("no seed")
    assert by.do("handover", "start", *to, "--signing-key", garbage).code == Kind.USAGE
    assert by.do("handover", "start", *to).code == Kind.USAGE
    assert by.do("handover", "start", "--member", "custodian/1", "--root", "root-1").code == Kind.USAGE
    begun = by.do("handover", "start", *to, "--signing-key", root)
    assert begun.code == 0
    stopped = by.do("handover", "cancel", "--nonce", begun.only("ceremony")[0]["nonce"], "--root", "root-1")
    assert stopped.code == 0
    logs = [path.read_text() for path in committee.home.folder.rglob("log.jsonl")]
    assert logs
    for said in (denied.out, denied.err, begun.out, begun.err, stopped.out, *logs):
        assert not any(seed in said for seed in seeds)
    assert Party("custodian/3") in committee.parts


def test_a_custodians_store_is_sealed_and_opens_with_its_key_alone(
    committee: Deployed, doublelock: Command, tmp_path: Path
) -> None:
    """By default the key lies beside the store, and the custodian says so."""
    party = Party("custodian/1")
    folder = committee.home.part_folder(party)
    with committee.without(party):
        key = folder / "store.key"
        disk = b"".join(path.read_bytes() for path in folder.glob("state.db*"))
        assert b"v/share/" in disk
        kept = key.rename(tmp_path / "store.key")
        ours = ("serve", "custodian", "--index", 1, "--home", committee.home.folder, "--lab")
        locked = doublelock(*ours)
        assert (locked.code, locked.out) == (Kind.REFUSED, "")
        other = tmp_path / "other"
        other.write_bytes(bytes(32))
        other.chmod(0o600)
        assert doublelock(*ours, "--key-file", other).code == Kind.REFUSED
        passphrase = tmp_path / "passphrase"
        passphrase.write_text("correct horse")
        assert doublelock(*ours, "--passphrase-file", passphrase).code == Kind.REFUSED
        kept.rename(key)

        async def holding() -> bool:
            inner = SqliteStore(folder / "state.db")
            data_key = await unlock(inner, lambda kind: Keys().lock(folder, kind), name="it", new=False)
            store = SealedStore(inner, data_key)
            try:
                found = await store.read(lambda view: [unpack(data, Holding) for _, data in view.scan(b"share/")])
            finally:
                await store.close()
            return bool(found) and not any(one.share and one.share.expose() in disk for one in found)

        assert asyncio.run(holding())
