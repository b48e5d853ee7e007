"""Options that several commands share."""

import asyncio
import functools
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, TypeVar

import click

R = TypeVar("R")
Command = Callable[..., None]

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

_passphrase_option = click.option(
    "--passphrase", "ask", is_flag=True, help="Protect a new store with a passphrase, asked for on the terminal."
)
_passphrase_file_option = click.option(
    "--passphrase-file", type=click.File("rb"), help="Passphrase of the store: the first line; - is standard input."
)
_key_file_option = click.option(
    "--key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="DOUBLELOCK_KEY_FILE",
    show_envvar=True,
    help="Key file of the store; made for a new one.  [default: store.key beside the store]",
)


def key_options(*, make: bool = False) -> Callable[[Command], Command]:
    """Whence the key to the store comes, as one argument ``keys``; with ``make`` for commands that make a store."""

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def gathered(
            *args: Any, passphrase_file: IO[bytes] | None, key_file: Path | None, ask: bool = False, **others: Any
        ) -> None:
            from escrow_client.keys import Keys, passphrase_in

            passphrase = None if passphrase_file is None else passphrase_in(passphrase_file)
            command(*args, keys=Keys(passphrase, key_file, ask=ask, make=make), **others)

        asked = _passphrase_option(gathered) if make else gathered
        return _passphrase_file_option(_key_file_option(asked))

    return decorate


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
