"""The claims machine: its catalogue fits the tree, and it notices what it is there to notice."""

import dataclasses
from pathlib import Path

import pytest

from scripts.claims_lib import attacks, catalogue, matrix, spec
from scripts.claims_lib.catalogue import Claim
from scripts.claims_lib.runs import Outcome, Run
from scripts.claims_lib.verdicts import judge_claim, judge_sabotage
from tests.conftest import ROOT
from tests.sabotage_plugin import Sabotage, read_catalogue, weaken

CLAIM = Claim(
    id="ESC-02",
    kind="claim",
    text="so",
    adversary="somebody",
    tests=("tests/claims/test_esc_02.py",),
    sabotage=("weak",),
    min_examples=10,
    events=("accepted", "refused"),
)
NAME = "tests/claims/test_esc_02.py::test_it"
PASSED = Outcome("ESC-02", "passed", "call", "", "")
FAILED = Outcome("ESC-02", "failed", "call", "AssertionError", "no")
COUNTS = {"example": 10, "accepted": 3, "refused": 7}


def a_run(outcome: Outcome = PASSED, **counts: int) -> Run:
    return Run({NAME: outcome}, {"ESC-02": COUNTS | counts}, 0, "what pytest said")


# -- the tree ------------------------------------------------------------------------------------------


def test_catalogue_tree_and_threat_model_agree() -> None:
    claims = catalogue.read_claims()
    assert catalogue.faults(claims, read_catalogue()) == []
    assert sum(claim.kind == "claim" for claim in claims.values()) >= 15
    assert sum(claim.kind == "non-claim" for claim in claims.values()) >= 5


def test_the_threat_model_shows_the_computed_matrix() -> None:
    assert matrix.differences() == []


def test_the_attacks_of_the_threat_model_are_the_files_and_the_names_of_the_command_line() -> None:
    assert attacks.differences() == []
    assert len(attacks.rows()) > 10


@pytest.mark.parametrize("name", read_catalogue())
def test_every_sabotage_finds_its_line_and_leaves_python(name: str) -> None:
    sabotage = read_catalogue()[name]
    source = (ROOT / sabotage["file"]).read_text(encoding="utf-8")
    assert weaken(source, sabotage) != source
    compile(weaken(source, sabotage), sabotage["file"], "exec", dont_inherit=True)
    assert "\n" not in sabotage["old"] + sabotage["new"], "one line"
    assert sabotage["why"].endswith(".")


# -- what it notices -----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["", "x = 1; x = 1"])
def test_a_sabotage_without_its_one_place_is_an_error(source: str) -> None:
    with pytest.raises(ValueError, match="not once"):
        weaken(source, Sabotage(file="a.py", old="x = 1", new="x = 2", why=""))


def test_a_claim_that_is_shown_is_good() -> None:
    assert judge_claim(CLAIM, a_run()).good


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        (Run({}, {}, 0, ""), "has no test that was collected"),
        (a_run(FAILED), "failed: no"),
        (a_run(dataclasses.replace(PASSED, outcome="skipped")), "skipped"),
        (a_run(example=9), "9 examples ran, 10 are asked for"),
        (a_run(refused=0), "'refused' never happened"),
        (a_run(surprised=1), "'surprised' happened"),
    ],
)
def test_a_vacuous_or_failing_claim_is_not(run: Run, fault: str) -> None:
    assert fault in " ".join(judge_claim(CLAIM, run).faults)


def test_a_sabotage_is_caught_by_a_failing_test_only() -> None:
    claims = {"ESC-02": CLAIM}
    assert judge_sabotage("weak", claims, a_run(FAILED)).good
    unnoticed = [a_run(), a_run(dataclasses.replace(FAILED, raised="NameError"))]
    unnoticed += [a_run(dataclasses.replace(FAILED, when="setup")), Run({}, {}, 2, "collection error")]
    for run in unnoticed:
        assert not judge_sabotage("weak", claims, run).good


def test_every_claim_that_names_a_sabotage_must_notice_it() -> None:
    other = Claim(id="ESC-03", kind="claim", text="so", sabotage=("weak",))
    verdict = judge_sabotage("weak", {"ESC-02": CLAIM, "ESC-03": other}, a_run(FAILED))
    assert ["ESC-03" in fault for fault in verdict.faults] == [True]


def test_a_must_without_its_check_and_test_is_named(tmp_path: Path) -> None:
    for folder in ("docs/spec", "escrow", "tests"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "docs/spec/x.md").write_text("- **ABC-1** MUST.\n- **ABC-2** MUST.\n")
    (tmp_path / "escrow/x.py").write_text("# SPEC ABC-1: so.\n# SPEC ABC-3: so.\n")
    # In two parts, or this very file would speak of it.
    (tmp_path / "tests/test_x.py").write_text("@pytest.mark." + 'spec("ABC-1")\n')
    assert spec.differences(tmp_path) == [
        "ABC-2 has no check in the code",
        "ABC-2 has no test",
        "ABC-3 has no test",
        "ABC-3 has no text in docs/spec/",
    ]


def test_an_attack_that_is_missing_somewhere_is_noticed(tmp_path: Path) -> None:
    row = "| `one-lock` | a threat | escrow | prevented: by all |"
    (tmp_path / "threat_model.md").write_text(f"{attacks.BEGIN}\n{row}\n{attacks.END}\n", encoding="utf-8")
    folder = tmp_path / "lab" / "escrow_lab" / "attacks"
    folder.mkdir(parents=True)
    (folder / "new_attack.py").touch()
    found = attacks.differences(tmp_path)
    assert "attack new-attack is not in threat_model.md" in found
    assert "attack one-lock is not in lab/escrow_lab/attacks" in found
    assert "attack new-attack is not in the command line" in found


@pytest.mark.parametrize("row", matrix.ROWS)
def test_more_corruption_never_means_less(row: tuple[str, ...]) -> None:
    for party in matrix.HOLDS:
        assert matrix.derive(row) <= matrix.derive((*row, party))
