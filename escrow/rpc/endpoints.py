"""Where the parts of a deployment listen: one small file for each, written by the part itself once it serves.

A part that is started again may get another port; whoever calls it looks here again before trying again.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import final

from escrow.ids import Party
from escrow.rpc.files import write
from escrow.rpc.identity import folder_of


@final
class Endpoints(Mapping[Party, str]):
    """Party -> ``host:port``, read from ``folder`` at each look-up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, party: Party) -> str:
        try:
            return (self._folder / folder_of(party)).read_text(encoding="ascii").strip()
        except OSError:
            raise KeyError(party) from None

    def __iter__(self) -> Iterator[Party]:
        names = sorted(path.name for path in self._folder.glob("[a-z]*")) if self._folder.is_dir() else []
        return (Party(name.replace("-", "/")) for name in names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def announce(self, party: Party, address: str) -> None:
        """Tell everybody that ``party`` now listens at ``address``."""
        write(self._folder / folder_of(party), f"{address}\n".encode())
