"""Options that several commands share."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from escrow.cli.key_options import Command, key_options

__all__ = [
    "FOLDER",
    "Command",
    "home_option",
    "json_option",
    "key_options",
    "lab_option",
    "moment_of",
    "profile_option",
    "run",
    "warrant_of",
]

R = TypeVar("R")

FOLDER = click.Path(file_okay=False, path_type=Path)

json_option = click.option("--json", "as_json", is_flag=True, help="Print data as JSON Lines.")
profile_option = click.option(
    "--profile",
    "folder",
    type=FOLDER,
    default=lambda: Path("~/.doublelock").expanduser(),
    envvar="DOUBLELOCK_PROFILE_DIR",
    show_envvar=True,
    help="Folder with your keys and messages.  [default: ~/.doublelock]",
)
home_option = click.option(
    "--home", type=FOLDER, required=True, envvar="DOUBLELOCK_HOME", show_envvar=True, help="Folder of the deployment."
)
lab_option = click.option("--lab", is_flag=True, help="Go by the deployment's lab clock, as its parts must, too.")


def moment_of(text: str) -> int:
    """A time in ms from an option: a number of ms, or ISO 8601 (UTC unless it says otherwise)."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text)
    try:
        point = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is neither milliseconds nor a date like 2030-01-31T12:00"
        raise click.BadParameter(message) from None
    return int((point if point.tzinfo else point.replace(tzinfo=UTC)).timestamp() * 1000)


def warrant_of(text: str) -> bytes:
    """The id of a warrant: 32 hexadecimal digits."""
    try:
        warrant_id = bytes.fromhex(text)
    except ValueError:
        warrant_id = b""
    if len(warrant_id) != 16:
        raise click.BadParameter(f"{text!r} is no id of a warrant: that has 32 hexadecimal digits")
    return warrant_id


def run(command: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """Run a command to its end. gRPC's own remarks about refused connections would only repeat ours."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    return asyncio.run(command())
