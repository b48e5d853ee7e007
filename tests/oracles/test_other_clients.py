"""Logs of ours read by clients that others wrote, and logs that others wrote read by us.

Go's checksum-database packages come from Debian (`apt-get install golang-go golang-golang-x-mod-dev`), `pymerkle` from
PyPI (extra `bench-copyleft`); where they are not installed, nothing here runs, and says so. ``go/main.go`` adds to the
unmodified packages what C2SP adds to theirs: paths without the height, and cosignatures.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from escrow.crypto.sign import SigningKey
from escrow.errors import IntegrityError
from escrow.rpc.home import Home
from escrow.tlog import checkpoint, cosignature, tiles, tree
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import leaf_hash, verify_inclusion
from escrow.tlog.policy import Policy
from escrow.tlog.proof import Proof
from escrow.tlog.reading import node_reader, read_entries
from escrow.tlog.vkey import KeyType, VerifierKey
from escrow.world.founding import Terms
from escrow_server.deployment import ensure
from tests.core.crypto.draws import flip
from tests.shell.processes import Part

pytestmark = pytest.mark.xdist_group("other clients")
"""One worker compiles them."""

GOPATH = os.environ.get("GOPATH", "/usr/share/gocode")
LOG, WITNESS = SigningKey.from_seed(bytes(31) + b"\x01"), SigningKey.from_seed(bytes(31) + b"\x02")
LOG_KEY = VerifierKey.of("log.example/ours", LOG.public)
WITNESS_KEY = VerifierKey.of("witness.example/ours", WITNESS.public, KeyType.COSIGNATURE)
SIZES = (1, 2, 255, 256, 257, 1_000, 65_537)


class Go:
    """The client, compiled."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(self._program), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def accepts(self, *arguments: object) -> list[str]:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def refuses(self, *arguments: object) -> str:
        done = self.run(*arguments)
        assert done.returncode == 1, done.stdout
        return done.stderr


@pytest.fixture(name="go", scope="session")
def _go(tmp_path_factory: pytest.TempPathFactory) -> Go:
    if not shutil.which("go") or not Path(GOPATH, "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("no client of others: golang-go and golang-golang-x-mod-dev are not installed")
    folder = tmp_path_factory.mktemp("go")
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": GOPATH, "GOCACHE": str(folder / "cache")}
    source = Path(__file__).with_name("go") / "main.go"
    command = ["go", "build", "-o", str(folder / "client"), str(source)]
    subprocess.run(command, check=True, env=environment, timeout=300)
    return Go(folder / "client")


def written(folder: Path, size: int) -> tuple[Path, list[bytes]]:
    """A log of ours as files, under its own key and a witness's."""
    entries = [b"entry %d of ours" % index for index in range(size)]

    def nothing(level: int, index: int) -> bytes:
        raise AssertionError(f"an empty tree has no node {level}, {index}")

    _, nodes = tree.append(0, [leaf_hash(entry) for entry in entries], nothing)

    def read(level: int, index: int) -> bytes:
        return nodes[level, index]

    stated = Checkpoint(LOG_KEY.name, size, tree.root(size, read))
    note = checkpoint.sign(stated, LOG_KEY.name, LOG)
    note += cosignature.sign(stated.text(), WITNESS_KEY.name, WITNESS, 5)
    proof = Proof(size // 2, tree.inclusion(size // 2, size, read), note, b"extra")
    files = {"checkpoint": note, "proof": proof.encode(), "entry": entries[size // 2]}
    for path, data in [*files.items(), *tiles.tiles(size, read), *tiles.bundles(size, entries.__getitem__)]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder, entries


@pytest.mark.parametrize("size", SIZES)
def test_go_verifies_a_log_that_we_wrote(go: Go, tmp_path: Path, size: int) -> None:
    folder, _ = written(tmp_path, size)
    assert go.accepts("check", folder, LOG_KEY.format(), WITNESS_KEY.format()) == [str(size), "1"]
    assert go.accepts("prove", folder / "proof", folder / "entry", LOG_KEY.format()) == [str(size), str(size // 2)]


def test_go_refuses_it_when_anything_is_altered(go: Go, tmp_path: Path) -> None:
    folder, _ = written(tmp_path, 300)
    for path in [file for file in folder.rglob("*") if file.is_file()]:
        whole = path.read_bytes()
        path.write_bytes(flip(whole, 4 * len(whole)))
        if path.name in {"proof", "entry"}:
            go.refuses("prove", folder / "proof", folder / "entry", LOG_KEY.format())
        else:
            go.refuses("check", folder, LOG_KEY.format(), WITNESS_KEY.format())
        path.write_bytes(whole)
    go.refuses("check", folder, VerifierKey.of(LOG_KEY.name, WITNESS.public).format())
    assert go.accepts("check", folder, LOG_KEY.format()) == ["300", "0"]


@pytest.mark.parametrize("size", SIZES[:-1])
def test_we_verify_a_log_that_go_wrote(go: Go, tmp_path: Path, size: int) -> None:
    (vkey,) = go.accepts("write", tmp_path, size)
    policy = Policy.parse(f"log {vkey}\nquorum none\n".encode())

    def fetch(path: str) -> bytes:
        return (tmp_path / path).read_bytes()

    head = policy.head(fetch("checkpoint"))
    assert (head.origin, head.size) == ("go.example/log", size)
    entries = list(read_entries(size, head.root, fetch))
    assert entries == [b"record %d" % index for index in range(size)]
    read = node_reader(size, fetch)
    for index in range(0, size, 1 + size // 20):
        verify_inclusion(leaf_hash(entries[index]), index, size, tree.inclusion(index, size, read), head.root)
    proof = Proof(size - 1, tree.inclusion(size - 1, size, read), fetch("checkpoint"))
    assert proof.verify(leaf_hash(entries[-1]), policy) == head
    last = tmp_path / tiles.tile_path("entries", (size - 1) // 256, (size - 1) % 256 + 1)
    last.write_bytes(last.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError):
        list(read_entries(size, head.root, fetch))


@pytest.fixture(name="home", scope="module")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return ensure(tmp_path_factory.mktemp("home"), terms=Terms(witnesses=1, quorum=1))


@pytest.fixture(name="address", scope="module")
def _address(home: Home) -> Iterator[str]:
    with ExitStack() as stack:
        parts = [
            Part(home.folder, "witness", 1),
            Part(home.folder, "log", None, "--http", "127.0.0.1:0"),
        ]
        for part in parts:
            stack.callback(part.close)
        yield parts[1].ready["http"]


def test_go_follows_a_log_of_ours_over_http(go: Go, home: Home, address: str) -> None:
    vkeys = (home.genesis.log.vkey, home.genesis.witnesses[0])
    end = time.monotonic() + 20
    while "404" in (done := go.run("check", f"http://{address}", *vkeys)).stderr:
        assert time.monotonic() < end
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["1", "1"], "the genesis, under the log and its witness"


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100])
def test_pymerkle_and_we_grow_the_same_tree(size: int) -> None:
    pymerkle = pytest.importorskip("pymerkle", reason="no tree of others: pymerkle is not installed")
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    entries = [b"entry %d" % index for index in range(size)]
    for entry in entries:
        theirs.append_entry(entry)

    def nothing(level: int, index: int) -> bytes:
        raise AssertionError(f"an empty tree has no node {level}, {index}")

    _, nodes = tree.append(0, [leaf_hash(entry) for entry in entries], nothing)
    root = tree.root(size, lambda level, index: nodes[level, index])
    assert theirs.get_root() == root
    for index in range(0, size, 1 + size // 9):
        mine = tree.inclusion(index, size, lambda level, index: nodes[level, index])
        proof = theirs.prove_inclusion(index + 1)
        assert tuple(proof.path[1:]) == mine
