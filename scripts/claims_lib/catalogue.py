"""What is claimed: ``claims.toml`` and the sabotages, read strictly and compared with each other and with the tree."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

ROOT: Final = Path(__file__).resolve().parent.parent.parent
ID: Final = re.compile(r"\b(?:(?:MSG|ESC|EPO|DKG|WAR|LOG|MET)-\d\d|(?:NCL|ASM)-[A-Z]+(?:-[A-Z0-9]+)*)\b")
KINDS: Final = ("claim", "non-claim", "assumption")
STRIDE: Final = frozenset("STRIDE")
LINDDUN: Final = frozenset({"L", "I", "N", "D", "U", "NC", "DD"})


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of ``claims.toml``. An assumption has no tests; it says what follows if it is false."""

    id: str
    kind: str
    text: str
    adversary: str = ""
    tests: tuple[str, ...] = ()
    sabotage: tuple[str, ...] = ()
    min_examples: int = 0
    events: tuple[str, ...] = ()
    assumes: tuple[str, ...] = ()
    stride: tuple[str, ...] = ()
    linddun: tuple[str, ...] = ()
    if_false: str = ""

    @property
    def tested(self) -> bool:
        """Whether tests must show it."""
        return self.kind != "assumption"


def read_claims(path: Path = ROOT / "claims.toml") -> dict[str, Claim]:
    """All entries by id; ``msgspec.ValidationError`` for an unknown field or a wrong type."""
    entries: Mapping[str, dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8"))["claim"]
    return {name: msgspec.convert({"id": name} | fields, Claim) for name, fields in entries.items()}


def faults(claims: Mapping[str, Claim], sabotages: Mapping[str, object], root: Path = ROOT) -> list[str]:
    """Sentences about whatever in the catalogue cannot be right, whatever the tests say."""
    return [
        *(fault for claim in claims.values() for fault in _faults_of(claim, claims, sabotages, root)),
        *(f"sabotage {name} belongs to no claim" for name in sabotages.keys() - _used(claims)),
        *_unclaimed(claims, root),
        *_differences(claims, root),
    ]


def _faults_of(claim: Claim, claims: Mapping[str, Claim], sabotages: Mapping[str, object], root: Path) -> Iterator[str]:
    if not ID.fullmatch(claim.id):
        yield f"{claim.id} is not the form of an id"
    if claim.kind not in KINDS:
        yield f"{claim.id} is of no known kind: {claim.kind}"
    if claim.tested and not (claim.adversary and claim.min_examples and claim.events):
        yield f"{claim.id} names no adversary, no events or no number of examples"
    if not claim.tested and not claim.if_false:
        yield f"{claim.id} does not say what follows if it is false"
    if claim.kind == "claim" and not claim.sabotage:
        yield f"{claim.id} has no sabotage: nothing shows that its tests can fail"
    for wanted in claim.assumes:
        if wanted not in claims or claims[wanted].tested:
            yield f"{claim.id} rests on {wanted}, which is no assumption"
    yield from (f"{claim.id} names an unknown sabotage: {name}" for name in claim.sabotage if name not in sabotages)
    yield from (f"{claim.id} names a missing test: {path}" for path in claim.tests if not (root / path).is_file())
    if not (STRIDE.issuperset(claim.stride) and LINDDUN.issuperset(claim.linddun)):
        yield f"{claim.id} has a letter that is not one of STRIDE or LINDDUN"


def _used(claims: Mapping[str, Claim]) -> set[str]:
    return {name for claim in claims.values() for name in claim.sabotage}


def _unclaimed(claims: Mapping[str, Claim], root: Path) -> Iterator[str]:
    """Tests that belong to no claim would be run by nobody here."""
    named = {path for claim in claims.values() for path in claim.tests}
    for path in sorted((root / "tests" / "claims").glob("test_*.py")):
        if (name := path.relative_to(root).as_posix()) not in named:
            yield f"{name} belongs to no claim"


def _differences(claims: Mapping[str, Claim], root: Path) -> Iterator[str]:
    """``threat_model.md`` and ``claims.toml`` speak of the same ids."""
    told = set(ID.findall((root / "threat_model.md").read_text(encoding="utf-8")))
    yield from (f"threat_model.md speaks of {name}, claims.toml does not" for name in sorted(told - claims.keys()))
    yield from (f"claims.toml speaks of {name}, threat_model.md does not" for name in sorted(claims.keys() - told))
