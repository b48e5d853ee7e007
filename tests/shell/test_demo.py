"""The demo with its real processes: what it says and leaves, and what wrong input gets to hear."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from escrow.errors import Kind
from escrow.ids import Party
from escrow.roles.evidence.bundle import Bundle
from escrow.rpc.home import Home
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash, root_of
from escrow.tlog.note import Note
from escrow.tlog.policy import Policy
from escrow.tlog.proof import Proof
from escrow.tlog.quorum import Quorum, verify_head
from escrow.tlog.tiles import read_bundle
from escrow.tlog.vkey import VerifierKey
from escrow_lab.demo import run as demo_run
from escrow_server.deployment import ensure
from tests.shell.demos import Demo
from tests.shell.people import Command

# One worker runs them all: the demo that most of them look at is told once.
pytestmark = pytest.mark.xdist_group("demo")

PROMISED = {
    *("messages_sent", "messages_delivered", "messages_escrowed", "in_scope", "opened", "opened_out_of_scope"),
    *("plaintext_mismatches", "refused_one_lock", "refused_two_custodians", "refused_after_expiry"),
    *("refused_replay_other_key", "impersonation_rejected", "log_size", "seconds", "skipped_self"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demo, Path]:
    """A demo that is over, and the folder that it was told to keep."""
    folder = tmp_path_factory.mktemp("demo")
    with Demo(folder, "--keep", folder / "kept") as demo:
        assert demo.end() == 0, demo.said
    return demo, folder / "kept"


def test_the_last_line_is_the_summary(kept: tuple[Demo, Path]) -> None:
    summary = kept[0].events[-1]
    assert summary["event"] == "summary"
    assert summary.keys() >= PROMISED
    assert summary["messages_delivered"] == summary["messages_sent"] > 0
    assert summary["opened"] == summary["in_scope"] > 0
    assert summary["opened_out_of_scope"] == summary["plaintext_mismatches"] == 0
    assert all(value for name, value in summary.items() if name.startswith("refused_"))
    assert summary["impersonation_rejected"] is True
    assert summary["restarts"] == {}


def test_every_line_on_stdout_is_json_of_one_schema(kept: tuple[Demo, Path]) -> None:
    assert {event["schema_version"] for event in kept[0].events} == {1}


def test_people_read_the_story_with_the_names_of_the_parts(kept: tuple[Demo, Path]) -> None:
    said = kept[0].said
    sentences = [event["sentence"] for event in kept[0].events if "sentence" in event]
    assert sentences
    assert all(sentence in said for sentence in sentences)
    assert all(name in said for name in ("alice", "bob", "custodian/1", "judge-imani", "commissioner-kaya", "relay"))
    assert "ESCROWED" in said
    assert "END-TO-END ONLY" in said


def test_the_record_holds_every_event(kept: tuple[Demo, Path]) -> None:
    demo, folder = kept
    assert [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()] == demo.events
    summary = json.loads((folder / "summary.json").read_text())
    assert summary == {name: value for name, value in demo.events[-1].items() if name in summary}
    assert summary.keys() >= PROMISED


def test_each_part_leaves_its_database_and_its_log_lines(kept: tuple[Demo, Path]) -> None:
    demo, folder = kept
    for party in demo.pids:
        part = Home(folder).part_folder(Party(party))
        assert (part / "state.db").stat().st_size > 0
        lines = [json.loads(line) for line in (part / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        assert {line["party"] for line in lines} == {party}


def test_the_log_that_is_left_proves_itself_from_its_files_alone(kept: tuple[Demo, Path]) -> None:
    log = kept[1] / "log"
    key, *witnesses = (VerifierKey.parse(line) for line in (log / "vkeys").read_text().splitlines())
    head = verify_head((log / "checkpoint").read_bytes(), key, Quorum(tuple(witnesses), 3))
    leaves = _read_entries(log / "tile", head.size)
    assert root_of(leaves) == head.root
    width = min(head.size, 256)
    tile = log / "tile/0" / ("000" if width == 256 else f"000.p/{width}")
    assert tile.read_bytes() == b"".join(hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves[:width])
    assert head.size == kept[0].events[-1]["log_size"]


def test_sealed_warrants_are_shown_to_be_logged_by_files_alone(kept: tuple[Demo, Path]) -> None:
    log = kept[1] / "log"
    policy = Policy.parse((log / "policy").read_bytes())
    leaves = _read_entries(log / "tile", policy.head((log / "checkpoint").read_bytes()).size)
    sealed = [leaf for leaf in leaves if Entry.decode(leaf).type is EntryType.WARRANT_SEALED]
    proofs = {int(path.stem): Proof.parse(path.read_bytes()) for path in log.glob("*.tlog-proof")}
    assert len(proofs) == len(sealed) > 0
    for index, proof in proofs.items():
        assert leaves[index] in sealed
        assert proof.verify(leaf_hash(leaves[index]), policy).size == len(leaves)
        post_quantum = [line for line in Note.parse(proof.note).signatures if len(line.blob) > 2000]
        assert len(post_quantum) >= 4, "the log and a quorum of witnesses sign with ML-DSA-44 as well"


def test_the_evidence_names_the_warrant_and_what_it_opened(kept: tuple[Demo, Path]) -> None:
    demo, folder = kept
    (path,) = (folder / "evidence").iterdir()
    evidence = Bundle.parse(path.read_bytes())
    assert path.stem == evidence.warrant_id
    assert evidence.genesis_hash == Home(folder).genesis.hash.hex()
    assert len(evidence.opened) == demo.events[-1]["opened"]
    assert all(len(request.answers) >= 3 for request in evidence.requests)


def test_the_evidence_is_checked_when_nothing_runs_any_more(kept: tuple[Demo, Path], doublelock: Command) -> None:
    demo, folder = kept
    (path,) = (folder / "evidence").iterdir()
    said = doublelock("audit", "verify", path, "--genesis", folder / "genesis.json", "--offline", "--json")
    assert said.code == 0, said.err
    (verified,) = said.only("verified")
    assert (verified["warrant"], verified["opened"]) == (path.stem, demo.events[-1]["opened"])
    assert len(said.only("opened")) == demo.events[-1]["opened"]


def test_nothing_runs_and_nothing_temporary_is_left(kept: tuple[Demo, Path]) -> None:
    assert kept[0].parts() == []
    assert list(kept[0].temporary.iterdir()) == []


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trace", "arguments", "word"),
    [
        ("a b 1\nb a two\n", [], "line 2"),
        ("source target time\na b 1\na b\n", [], "line 3"),
        ("a b -1\na b -2\n", [], "line 2"),
        ("a a 1\n", [], "no message between two people"),
        ("", [], "no message between two people"),
        ("a b 1\n", ["--target", "zoe"], "zoe"),
        ("a b 1\n", ["--from", "5", "--to", "5"], "empty"),
        ("a b 1\n", ["--texts", "/nowhere/texts"], "/nowhere/texts"),
        (f"a b 1\n{'x' * 300} b 2\n", [], "line 2"),
    ],
)
def test_unusable_input_is_named_before_anything_starts(
    doublelock: Command, tmp_path: Path, trace: str, arguments: list[str], word: str
) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(trace, encoding="utf-8")
    said = doublelock("demo", "--json", "--trace", path, *arguments)
    assert said.code == Kind.USAGE
    assert said.out == ""
    assert word in said.err
    assert "hint:" in said.err


@pytest.mark.parametrize("option", ["--limit", "--target", "--from", "--to"])
def test_what_is_about_a_trace_needs_one(doublelock: Command, option: str) -> None:
    said = doublelock("demo", option, "3")
    assert said.code == Kind.USAGE
    assert f"{option} goes with --trace or --chat" in said.err


def test_texts_that_cannot_be_sent_are_named_with_their_line(doublelock: Command, tmp_path: Path) -> None:
    path = tmp_path / "texts"
    path.write_text("short\n" + "long " * 20_000 + "\n", encoding="utf-8")
    said = doublelock("demo", "--texts", path)
    assert said.code == Kind.USAGE
    assert f"{path}, line 2" in said.err


def test_a_folder_with_something_in_it_is_left_alone(doublelock: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep out")
    said = doublelock("demo", "--keep", tmp_path)
    assert said.code == Kind.USAGE
    assert "not empty" in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_folder_that_cannot_be_made_is_named(doublelock: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = doublelock("demo", "--keep", tmp_path / "file" / "folder")
    assert said.code == Kind.USAGE
    assert "Not a directory" in said.err


def test_a_part_with_a_damaged_store_ends_the_demo_and_is_named(
    doublelock: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(folder: Path, **options: Any) -> Home:
        home = ensure(folder, **options)
        (home.part_folder(Party("custodian/2")) / "state.db").write_bytes(b"damaged" * 1000)
        return home

    monkeypatch.setattr(demo_run, "ensure", damaged)
    monkeypatch.setattr(demo_run, "_parties", lambda _: [Party("custodian/1"), Party("custodian/2")])
    said = doublelock("demo", "--json")
    assert said.code == Kind.INTEGRITY
    assert said.out == ""
    assert "custodian/2 did not start" in said.err
    assert "reason: STORE_CORRUPT" in said.err


# -- a part that ends with its parent -------------------------------------------------------------


@pytest.mark.parametrize("hang_up", [lambda stdin: stdin.close(), None])
def test_a_part_with_parent_ends_when_its_standard_input_does(
    tmp_path: Path, hang_up: Callable[[Any], None] | None
) -> None:
    ensure(tmp_path)
    command = [sys.executable, "-c", "from escrow.cli import main; main()", "serve", "log", "--home", str(tmp_path)]
    stdin = subprocess.DEVNULL if hang_up is None else subprocess.PIPE
    with subprocess.Popen(
        [*command, "--json", "--with-parent"], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as part:
        assert part.stdout is not None
        if hang_up is not None:
            assert part.stdin is not None
            assert json.loads(part.stdout.readline())["event"] == "serving"
            part.stdin.write("whatever is said is not listened to\n")
            part.stdin.flush()
            assert part.poll() is None
            hang_up(part.stdin)
        assert part.wait(10) == 0
        assert part.stderr is not None
        assert "Traceback" not in part.stderr.read()


def _read_entries(folder: Path, size: int) -> list[bytes]:
    """All leaves of a small log from its entry bundles."""
    leaves: list[bytes] = []
    for index in range(-(-size // 256)):
        width = min(256, size - 256 * index)
        name = f"{index:03}" if width == 256 else f"{index:03}.p/{width}"
        leaves += read_bundle((folder / "entries" / name).read_bytes())
    return leaves
