"""The attacks that run, and the table of threat_model.md that says what becomes of them: one set of names.

An attack has one name: that of its file, of its row there, and for ``doublelock demo --attack`` and ``lab attack``.
"""

import re
from pathlib import Path
from typing import Final

from escrow_lab import attacks
from scripts.claims_lib.catalogue import ROOT

BEGIN: Final = "<!-- attacks that run: make claims compares their names -->"
END: Final = "<!-- end of attacks that run -->"
_ROW: Final = re.compile(r"^\| `([a-z-]+)` \| .* \| (\w+)[^|]* \|$", re.MULTILINE)


def rows(root: Path = ROOT) -> dict[str, str]:
    """The attacks of threat_model.md by name, with the first word of what becomes of each."""
    _, _, rest = (root / "threat_model.md").read_text(encoding="utf-8").partition(BEGIN)
    return dict(_ROW.findall(rest.partition(END)[0]))


def differences(root: Path = ROOT) -> list[str]:
    """A sentence for each name that is not in all three places."""
    files = {path.stem.replace("_", "-") for path in (root / "lab" / "escrow_lab" / "attacks").glob("[a-z]*.py")}
    told, known = set(rows(root)), set(attacks.names())
    places = (("threat_model.md", told), ("lab/escrow_lab/attacks", files), ("the command line", known))
    return [
        f"attack {name} is not in {place}" for place, names in places for name in sorted((told | files | known) - names)
    ]
