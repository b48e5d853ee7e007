"""The example of docs/extending.md: its two files, put where they belong, do what the page says."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from escrow_lab import attacks, regimes
from escrow_lab.attack import Succeeded
from escrow_lab.regime import Message, Order
from escrow_lab.study.run import Plan, rows, run
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^## [^\n]*`(\w+\.py)`$.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


@pytest.fixture(autouse=True)
def _put_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for package, name in ((regimes, "post_office.py"), (attacks, "bribed_clerk.py")):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / name).write_text(FILES[name], encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    yield
    for name in ("escrow_lab.regimes.post_office", "escrow_lab.attacks.bribed_clerk"):
        sys.modules.pop(name, None)


def test_the_page_has_a_regime_and_an_attack() -> None:
    assert FILES.keys() == {"post_office.py", "bribed_clerk.py"}


def test_the_regime_is_found_runs_and_opens_what_it_says(tmp_path: Path) -> None:
    assert "post-office" in regimes.names()
    regime = regimes.make("post-office", 0, {"listed": "bob"})
    ends = ("alice", "bob"), ("bob", "alice")
    sealed = [regime.seal(Message(n, n, *ends[n % 2], f"word {n}")) for n in range(4)]
    assert all(each.delivered for each in sealed)
    access = regime.access(Order("bob", 0, 9))
    assert access.opened == {1: "word 1", 3: "word 3"}
    assert access.openable == {0, 1, 2, 3}
    assert not regime.access(Order("alice", 0, 9)).opened
    trace = tmp_path / "trace.txt"
    trace.write_text("a b 1\nb a 2\n", encoding="utf-8")
    run(Plan(trace, ("post-office",), 0, {"listed": "a"}), tmp_path / "out", lambda _: None)
    assert [row["delivered"] for row in rows(tmp_path / "out") if row["event"] == "sealed"] == [True, True]


def test_the_attack_is_found_and_succeeds() -> None:
    assert "bribed-clerk" in attacks.names()
    assert isinstance(attacks.attack("bribed-clerk"), Succeeded)
