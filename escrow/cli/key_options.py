"""The options that say whence the key to a store comes, for every command that opens one."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import click

Command = Callable[..., None]

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
            from escrow.cli.keys import Keys, passphrase_in

            passphrase = None if passphrase_file is None else passphrase_in(passphrase_file)
            command(*args, keys=Keys(passphrase, key_file, ask=ask, make=make), **others)

        asked = _passphrase_option(gathered) if make else gathered
        return _passphrase_file_option(_key_file_option(asked))

    return decorate
