"""Numbered MUSTs: the text in docs/spec/, the check in the code and the test that shows its failure are one set."""

import re
from collections.abc import Iterator
from pathlib import Path

from scripts.claims_lib.catalogue import ROOT

_ID = r"[A-Z]+-\d+"


def differences(root: Path = ROOT) -> list[str]:
    """Sentences about ids that are not in all three places; none while there is no docs/spec/."""
    texts = _ids(rf"(?m)^- \*\*({_ID})\*\*", root, "docs/spec/*.md")
    if not texts:
        return []
    code = _ids(rf"# SPEC ({_ID}):", root, "escrow/**/*.py", "client/**/*.py", "server/**/*.py")
    tests = _ids(rf'mark\.spec\("({_ID})"\)', root, "tests/**/*.py")
    return [*_missing(texts | tests, code, "no check in the code"), *_missing(texts | code, tests, "no test"),
            *_missing(code | tests, texts, "no text in docs/spec/")]  # fmt: skip


def _ids(pattern: str, root: Path, *globs: str) -> set[str]:
    files = (path for glob in globs for path in root.glob(glob))
    return {found for path in files for found in re.findall(pattern, path.read_text(encoding="utf-8"))}


def _missing(known: set[str], found: set[str], what: str) -> Iterator[str]:
    return (f"{name} has {what}" for name in sorted(known - found))
