"""Every command that a document shows runs. Targets of make must exist; CI runs them, and they run this."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCUMENTS = [ROOT / name for name in ("README.md", "threat_model.md", "CHANGELOG.md", "ARTIFACT.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for block in BLOCK.findall(document.read_text(encoding="utf-8")):
            for line in block.splitlines():
                command = line.partition("#")[0].strip()
                if command:
                    yield document.name, command


TARGETS = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SHOWN = sorted(set(commands()))


def test_the_documents_show_commands() -> None:
    shown = {command for _, command in SHOWN}
    assert {"make demo", "make test", "make check"} <= shown


@pytest.mark.parametrize(("document", "command"), SHOWN, ids=[f"{name}: {command}" for name, command in SHOWN])
def test_a_shown_command_runs(document: str, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        assert {word for word in words[1:] if "=" not in word} <= TARGETS, f"{document}: {command}"
        return
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{document}: {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_places_that_the_readme_names_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    places = re.findall(r"`((?:escrow|client|server|lab|protos|tests|docs)/[\w/.]*)`", text)
    assert len(places) > 15
    for place in places:
        assert (ROOT / place).exists(), place
