"""People at the command line: what a command said, and users with a profile of their own."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.shell.deployed import Deployed


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def only(self, event: str) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["event"] == event]


Command = Callable[..., Said]


class User:
    """A user with a profile of her own."""

    def __init__(self, doublelock: Command, deployment: Deployed, folder: Path, name: str) -> None:
        self._doublelock = doublelock
        self._home = deployment.home.folder
        self.folder = folder / name
        self.name = name

    def register(self, name: str | None = None) -> Said:
        return self._doublelock(
            *("chat", "register", name or self.name, "--home", self._home, "--profile", self.folder, "--lab", "--json")
        )

    def chat(self, verb: str, *arguments: object) -> Said:
        return self._doublelock("chat", verb, *arguments, "--profile", self.folder)


MakeUser = Callable[[str], User]
