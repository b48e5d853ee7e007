"""Everything that is installed stands under a licence that lets anybody use, change and pass on what we ship."""

import re
from importlib.metadata import PackageMetadata, PackageNotFoundError, files, metadata

import pytest

from tests.conftest import ROOT

PERMISSIVE = re.compile(r"MIT|BSD|Apache|PSF|Python Software Foundation|ISC")
WEAK_COPYLEFT = re.compile(r"MPL|Mozilla")
"""Fine for tools that only we run; not for what users get."""
ELSEWHERE = {"appnope": "BSD", "colorama": "BSD"}
"""The lock is for every platform; what is only for macOS or Windows is not installed here."""


def locked(name: str) -> list[str]:
    return re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE)


def licence(package: str) -> str:
    try:
        found: PackageMetadata = metadata(package)
    except PackageNotFoundError:
        return ELSEWHERE.get(package, "")
    classifiers = [line for line in found.get_all("Classifier", []) if line.startswith("License")]
    named = " ".join([*found.get_all("License-Expression", []), *found.get_all("License", []), *classifiers])
    return named or named_by_its_text(package)


def named_by_its_text(package: str) -> str:
    """For a package whose metadata name no licence, and that carries the text of one."""
    texts = [file.read_text() for file in files(package) or () if file.name == "LICENSE"]
    return "MIT" if any("Permission is hereby granted, free of charge" in text for text in texts) else ""


@pytest.mark.parametrize("package", locked("run.txt"))
def test_what_users_get_is_permissive(package: str) -> None:
    assert PERMISSIVE.search(licence(package)), licence(package)
    assert not re.search(r"\bA?GPL", licence(package))


@pytest.mark.parametrize("package", sorted(set(locked("dev.txt")) - set(locked("run.txt"))))
def test_what_developers_use_is_permissive_or_nearly(package: str) -> None:
    assert PERMISSIVE.search(licence(package)) or WEAK_COPYLEFT.search(licence(package)), licence(package)


def test_we_say_what_ours_is() -> None:
    assert metadata("doublelock")["License-Expression"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
