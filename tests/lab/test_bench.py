"""The benchmark runs, says what was promised, and measures what it claims to measure. No test looks at a time."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from click.testing import CliRunner

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Group as CyclicGroup
from escrow.errors import RefusedError
from escrow.roles.ledger import LEAVES
from escrow.roles.log.publishing import TREE
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.merkle import leaf_hash, root_of, verify_inclusion
from escrow.tlog.note import Note
from escrow.world.founding import Terms
from escrow_lab.bench import e2ee, elsewhere, escrow, floor, keymaking, logs, one_custodian, peers, threshold
from escrow_lab.bench.custody import Committee, dealt, wrapping
from escrow_lab.bench.measure import Contest, Effort, Figure, contend
from escrow_lab.bench.report import as_json, as_row
from escrow_lab.bench.sides import Agreement, Chain, Group
from escrow_lab.cli import bench

DECLARED = [
    "oneway-256",
    "oneway-4096",
    "oneway-256-stored",
    "pingpong-256",
    "pqxdh",
    "group-32",
    "escrow-epoch-oneway-256",
    "escrow-epoch-group-32",
    "escrow-message-send",
    "escrow-message-receive",
    "memory-session",
]
FIELDS = {
    "bench": str,
    "case": str,
    "unit": str,
    "ours": float,
    "limit": float,
    "ratio_to_limit": float,
    "peers": dict,
    "ratio_to_peers": dict,
    "rounds": int,
    "spread": float,
}
OF_TDH2 = ["encrypt", "verify", "share", "verify-share", "request", "combine-3", "combine-67", "open-3", "open-67"]
DECLARED_ESCROW = [
    *(f"{suite}-{case}" for suite in ("tdh2-ed25519", "tdh2-ristretto255") for case in OF_TDH2),
    *(f"ibe-{case}" for case in ("encapsulate", "share", "open-3", "open-67")),
    "pq-wrap-5",
    "pq-unwrap-3",
    "pq-capsule-5",
]
FLOORS = {
    "group-32": ["signature"],
    "escrow-epoch-oneway-256": ["every call"],
    "escrow-epoch-group-32": ["every call"],
    "escrow-message-send": ["every call"],
    "escrow-message-receive": ["every call"],
}
INSTALLED = {
    "vodozemac": pytest.mark.skipif(not peers.installed("vodozemac"), reason="extra bench"),
    "doubleratchet": pytest.mark.skipif(not peers.installed("doubleratchet"), reason="extra bench"),
}
TEXT = b"what is measured"


def test_a_quick_run_measures_every_declared_case_and_says_so_in_json() -> None:
    ran = CliRunner().invoke(bench, ["e2ee", "--quick", "--json"])
    assert ran.exit_code == 0, ran.output
    rows = [json.loads(line) for line in ran.output.splitlines()]
    assert [row["case"] for row in rows] == DECLARED
    assert {row["case"]: sorted(row["floors"]) for row in rows if "floors" in row} == FLOORS
    assert {row["case"] for row in rows if "ratio_beyond" in row} == {"escrow-message-send", "escrow-message-receive"}
    for row in rows:
        missing, floors = row.pop("missing", []), row.pop("floors", {})
        assert row.pop("floors_to_peers", {}).keys() == floors.keys()
        assert row.pop("ratio_beyond", {"ours": 0.0, **floors}).keys() == {"ours", *floors}
        assert {name: type(value) for name, value in row.items()} == FIELDS
        assert row["bench"] == "e2ee"
        assert row["ours"] > 0
        assert row["limit"] > 0
        assert row["ratio_to_peers"].keys() == row["peers"].keys()
        assert not set(missing) & set(row["peers"])
    named = {row["case"]: {*row["peers"], *row.get("missing", [])} for row in rows}
    assert named["group-32"] <= {"megolm"}
    assert named["oneway-256"] <= set(peers.PEERS)


def test_a_quick_run_of_the_schemes_measures_every_case_that_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(elsewhere.VARIABLE, raising=False)
    monkeypatch.setattr(threshold, "installed", lambda _: False)  # they take seconds to open anything with 67 shares
    ran = CliRunner().invoke(bench, ["escrow", "--quick", "--json"])
    assert ran.exit_code == 0, ran.output
    rows = {row["case"]: row for row in map(json.loads, ran.output.splitlines())}
    assert list(rows) == DECLARED_ESCROW
    for row in rows.values():
        assert row["bench"] == "escrow"
        assert row["ours"] > 0
        assert row["limit"] > 0
    for case in OF_TDH2:
        assert not rows[f"tdh2-ed25519-{case}"]["peers"]
        named = set(rows[f"tdh2-ed25519-{case}"]["missing"])
        assert named == set(escrow.PEERS) - (
            set() if case.replace("combine", "open") in escrow.OF_FERVEO else {"ferveo"}
        )
    assert rows["pq-capsule-5"]["ours"] == 32 + 5 * 1232


def test_a_quick_run_of_the_log_measures_every_case() -> None:
    ran = CliRunner().invoke(bench, ["log", "--quick", "--json"])
    assert ran.exit_code == 0, ran.output
    rows = {row["case"]: row for row in map(json.loads, ran.output.splitlines())}
    assert list(rows) == ["append-256-durable", "append-256-logged", "append-one", "inclusion-1e5", "inclusion-1e6"]
    for case, row in rows.items():
        assert row["bench"] == "log"
        assert row["ours"] > 0
        assert row["limit"] > 0
        assert {*row["peers"], *row.get("missing", [])} == (
            {"pymerkle"} if case in {"append-256-durable", "append-one", "inclusion-1e5"} else set()
        )
    assert rows["append-256-durable"]["floors"].keys() == {"durable"}


def test_what_is_measured_of_a_log_is_its_work(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        entries = logs.batch(5)
        tree = logs.Tree(tmp_path, runner)
        tree.appending(entries)()
        stored = runner.run(tree.store.read(lambda view: view.records(LEAVES, start=0, limit=99)))
        assert stored == logs.TURNS * entries
        head = Note.parse(runner.run(tree.store.read(lambda view: view.get(b"head") or b"")))
        assert Checkpoint.parse(head.text) == Checkpoint(logs.ORIGIN, len(stored), root_of(stored))
        proofs = logs.Proofs(tmp_path, runner, 700)
        proofs.inclusion()
        leaves = [b"%d" % index for index in range(700)]
        path = runner.run(proofs.store.read(lambda view: TREE.inclusion(view, 600, 700)))
        verify_inclusion(leaf_hash(leaves[600]), 600, 700, path, root_of(leaves))
        logged = logs.Logged(tmp_path, runner, logs.TURNS, 16)
        logged.append()
        kept = runner.run(logged.node.read(lambda view: view.length(LEAVES)))
        assert kept == 1 + logs.TURNS * 16, "the genesis, and every entry of every call"


@pytest.mark.parametrize("suite", [1, 2])
def test_what_is_measured_of_a_committee_is_its_work(suite: int) -> None:
    committee = dealt(suite, 3, 5)
    assert committee.encrypt() == committee.capsule
    assert committee.open() == committee.combine() == committee.unwrap() == committee.seed.expose()
    assert len(committee.answer()) == len(committee.share()) == 96
    committee.verify()
    committee.verify_share()


def test_what_is_measured_of_identities_is_their_work() -> None:
    committee = dealt(3, 2, 3)
    assert committee.encrypt() == committee.capsule
    assert committee.open() == committee.seed.expose()
    committee.verify()
    committee.verify_share()
    days = {committee.answer_for_another_day() for _ in range(3)}
    assert len(days) == 3
    assert committee.answer() not in days


def test_what_is_measured_of_wrapped_shares_is_their_work() -> None:
    committee = wrapping(2, 3)
    assert committee.encrypt() == committee.capsule
    assert committee.unwrap() == committee.seed.expose()


def test_a_measured_check_is_one_that_can_fail() -> None:
    committee = dealt(1, 2, 3)
    for work in (committee.verify, committee.answer, committee.verify_share, committee.open):
        work()
    other = dealt(1, 2, 3)
    mixed = Committee.__new__(Committee)
    mixed.__dict__.update(committee.__dict__, capsule=other.capsule, request=other.request)
    for work in (mixed.verify, mixed.verify_share):
        with pytest.raises(RefusedError):
            work()


def test_a_limit_does_as_many_operations_as_it_says() -> None:
    done = Counter[str]()

    class Counting:
        scalar = EDWARDS25519.library.scalar

        def __getattr__(self, operation: str) -> Any:
            def count(*given: bytes) -> Any:
                done[operation] += 1
                return getattr(EDWARDS25519.library, operation)(*given)

            return count

    step = floor.multiplications(2, 5, 3, CyclicGroup(cast(Any, Counting())))
    done.clear()
    step()
    assert done == {"multiply_base": 2, "multiply": 5, "add": 3}


def test_a_peer_elsewhere_is_asked_for_slices_and_ends_with_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The script is run by an interpreter that finds something small under the name of the library."""
    script = (
        "import sys; print('ready', flush=True)\nfor line in sys.stdin: print(7 * int(line.split()[1]), flush=True)"
    )
    (tmp_path / "steps.py").write_text(script)
    monkeypatch.setattr(elsewhere, "SCRIPT", tmp_path / "steps.py")
    monkeypatch.setenv(elsewhere.VARIABLE, sys.executable)
    with elsewhere.umbral() as there:
        assert there is not None
        assert there["verify"].spend(3) == 21
        figure = contend("case", Contest(lambda: None, lambda: None, {"umbral": there["verify"]}), Effort(2, 1, 1, 1))
        assert figure.peers["umbral"] == 0.007


def test_a_peer_elsewhere_that_is_not_there_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(elsewhere.VARIABLE, sys.executable)  # which has no umbral
    with elsewhere.umbral() as there:
        assert there is None
    monkeypatch.delenv(elsewhere.VARIABLE)
    with elsewhere.umbral() as there:
        assert there is None


@pytest.mark.skipif(not threshold.installed("nucypher_core"), reason="extra bench-copyleft")
def test_peers_with_thresholds_open_what_they_sealed() -> None:
    assert threshold.Kit(2, 3).open() == threshold.Dealt(2, 3).open() == threshold.SEED


def test_a_key_generation_is_measured_over_grpc_and_counted_in_the_world() -> None:
    figure = keymaking.figure(2, 2, rounds=1)
    assert figure.unit == "s"
    assert figure.ours > 0
    assert figure.also["rounds"] >= 6
    _, more = keymaking.computing(Terms(custodians=3, threshold=2))
    assert more["rounds"] == figure.also["rounds"]
    assert more["bytes"] > figure.also["bytes"]


def test_a_release_is_measured_over_grpc_until_all_is_released() -> None:
    figure = one_custodian.figure("tdh2-ed25519", capsules=9)
    assert figure.case == "tdh2-ed25519-release-9"
    assert figure.also["requests"] == 1
    assert figure.ours > 0
    assert figure.limit > 0


def test_a_quick_run_shows_people_a_line_for_each_case() -> None:
    ran = CliRunner().invoke(bench, ["e2ee", "--quick"])
    assert ran.exit_code == 0, ran.output
    assert [line.split()[0] for line in ran.output.splitlines()] == ["case", *DECLARED]


def test_a_peer_that_is_not_installed_is_named_and_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS", ("nobody_has_this",))
    contest = e2ee.CASES["oneway-256"]()
    assert not contest.peers
    figure = contend("oneway-256", contest, Effort(2, 1, 1000, 1))
    assert json.loads(as_json("e2ee", figure))["missing"] == ["nobody_has_this"]
    assert as_row(figure).endswith("nobody_has_this (not installed)")


def test_a_figure_is_the_median_of_rounds_per_message() -> None:
    calls = {"ours": 0, "limit": 0, "peer": 0}

    def count(name: str) -> Callable[[], None]:
        def step() -> None:
            calls[name] += 1
            sum(range(500))

        return step

    figure = contend(
        "case", Contest(count("ours"), count("limit"), {"peer": count("peer")}, per=2), Effort(3, 2, 1000, 1)
    )
    assert figure.rounds == 3
    assert all(each > 6 for each in calls.values())
    assert figure.ours > 0
    assert figure.spread >= 0


def test_a_row_of_json_rounds_and_divides() -> None:
    figure = Figure("oneway-256", "us", 14.104, 8.5, {"vodozemac": 16.6}, (), 9, 0.0601)
    assert json.loads(as_json("e2ee", figure)) == {
        "bench": "e2ee",
        "case": "oneway-256",
        "unit": "us",
        "ours": 14.1,
        "limit": 8.5,
        "ratio_to_limit": 1.659,
        "peers": {"vodozemac": 16.6},
        "ratio_to_peers": {"vodozemac": 0.85},
        "rounds": 9,
        "spread": 0.06,
    }


def test_what_is_inside_ours_and_the_limit_counts_on_neither_side() -> None:
    figure = Figure("send", "us", 300.0, 200.0, {"off": 100.0}, (), 9, 0.0, floors={"calls": 220.0}, beyond="off")
    row = json.loads(as_json("e2ee", figure))
    assert row["ratio_beyond"] == {"ours": 2.0, "calls": 1.2}
    assert row["floors"] == {"calls": 220.0}
    assert row["floors_to_peers"] == {"calls": {"off": 2.2}}
    assert as_row(figure).endswith("floor: calls 220.0 (2.20), beyond off: 2.00 (ours), beyond off: 1.20 (calls)")


def test_what_is_measured_hears_what_was_said() -> None:
    talk = Agreement().talk()
    assert talk.one_way(TEXT) == talk.stored_one_way(TEXT) == talk.round_trip(TEXT) == TEXT
    assert Group().one_way(TEXT) == Chain().one_way(TEXT) == Chain().signed_one_way(TEXT) == TEXT


@pytest.mark.parametrize("name", [pytest.param(name, marks=mark) for name, mark in INSTALLED.items()])
def test_peers_hear_what_was_said(name: str) -> None:
    talk = peers.talk_of(name)
    assert talk.one_way(TEXT) == talk.stored_one_way(TEXT) == talk.round_trip(TEXT) == TEXT


@INSTALLED["vodozemac"]
def test_megolm_hears_what_was_said() -> None:
    assert peers.Megolm().one_way(TEXT) == TEXT


def test_open_sessions_are_counted_one_by_one() -> None:
    live, stored = Agreement().talk().memory(50)
    assert stored < live < 8192


def test_a_release_is_timed_from_the_second_lock_to_plaintext_and_its_phases_add_up() -> None:
    ran = CliRunner().invoke(bench, ["release", "--quick", "--json"])
    assert ran.exit_code == 0, ran.output
    released, followed = (json.loads(line) for line in ran.output.splitlines())
    assert released["case"] == "warrant-to-plaintext-10"
    assert released["also"].keys() == {"ms sealed", "ms produced", "ms released", "ms opened"}
    assert sum(released["also"].values()) <= 1000 * released["ours"] + 4
    assert followed["case"] == "follow-2000"
    assert followed["also"]["warrants"] == 20
    assert followed["ours"] > followed["limit"] > 0
