"""The compromise matrix of threat_model.md: who can do what once corrupt, as the closure of a few derivations.

What a party holds, and what follows from what, stand here as data; the table is computed. A cell says what *can* be
derived. That what is not derived cannot be had is the business of the claims' tests, not of this table.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from scripts.claims_lib.catalogue import ROOT

BEGIN: Final = "<!-- computed: make claims compares it; scripts/claims.py --matrix prints it -->"
END: Final = "<!-- end of computed part -->"

HOLDS: Final[Mapping[str, frozenset[str]]] = {
    "one device": frozenset({"session keys", "device key"}),
    "relay": frozenset({"recorded traffic"}),
    "t-1 custodians": frozenset({"few shares"}),
    "t custodians": frozenset({"few shares", "enough shares"}),
    "k-1 roots": frozenset({"few root keys"}),
    "k roots": frozenset({"few root keys", "enough root keys"}),
    "issuer": frozenset({"first lock"}),
    "approver": frozenset({"second lock"}),
    "authority": frozenset(),
    "agency": frozenset({"request key"}),
    "log": frozenset({"log key"}),
    "2k-n witnesses": frozenset({"cosignatures of two histories"}),
}
"""What each party brings when it is corrupt. Custodians, witnesses and relay that are not named are honest."""

LEADS_TO: Final[tuple[tuple[frozenset[str], str], ...]] = (
    (frozenset({"session keys", "recorded traffic"}), "own conversations"),
    (frozenset({"device key"}), "speak for the device"),
    (frozenset({"enough shares", "recorded traffic"}), "read anybody"),
    (frozenset({"enough shares", "recorded traffic"}), "no trace"),
    # By an order to themselves, in the log, that no honest root stops in its delay.
    (frozenset({"enough root keys", "recorded traffic"}), "read anybody"),
    (frozenset({"first lock", "second lock"}), "warrant for any reason"),
    (frozenset({"warrant for any reason", "request key"}), "read a chosen target"),
    (frozenset({"log key", "cosignatures of two histories"}), "two histories"),
    (frozenset({"read a chosen target", "two histories"}), "no trace"),
)
"""What follows from what. Honest authority and custodians act on any warrant of right form: see NCL-LAWFUL."""

COLUMNS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("reads whom it likes", frozenset({"read anybody", "read a chosen target"})),
    ("without both locks", frozenset({"read anybody"})),
    ("without a public trace", frozenset({"no trace"})),
    ("speaks for a device", frozenset({"speak for the device"})),
    ("shows two histories", frozenset({"two histories"})),
)

ROWS: Final[tuple[tuple[str, ...], ...]] = (
    *((party,) for party in HOLDS),
    ("relay", "t-1 custodians", "log"),
    ("relay", "t custodians"),
    ("relay", "k-1 roots", "t-1 custodians"),
    ("relay", "k roots"),
    ("issuer", "authority", "agency"),
    ("issuer", "approver", "agency"),
    ("issuer", "approver", "authority", "agency"),
    ("relay", "authority", "agency", "t-1 custodians"),
    ("log", "2k-n witnesses"),
    ("issuer", "approver", "authority", "agency", "log", "2k-n witnesses"),
)


def derive(corrupt: Iterable[str]) -> frozenset[str]:
    """Everything that follows from what these parties hold together."""
    known = frozenset[str]().union(*(HOLDS[party] for party in corrupt))
    while more := frozenset(result for needs, result in LEADS_TO if needs <= known) - known:
        known |= more
    return known


def table() -> str:
    """The matrix in Markdown."""
    lines = [
        "| corrupt together | " + " | ".join(title for title, _ in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 1) + "|",
    ]
    for row in ROWS:
        known = derive(row)
        cells = ("**yes**" if wanted & known else "no" for _, wanted in COLUMNS)
        lines.append(f"| {', '.join(row)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def differences(root: Path = ROOT) -> list[str]:
    """A sentence if threat_model.md shows another matrix than this one."""
    text = (root / "threat_model.md").read_text(encoding="utf-8")
    _, begin, rest = text.partition(BEGIN)
    shown, end, _ = rest.partition(END)
    if begin and end and shown.strip() == table().strip():
        return []
    return ["the compromise matrix in threat_model.md is not the computed one; scripts/claims.py --matrix prints that"]
