"""``doublelock chat lock`` and ``warrant lock``: another passphrase or key file for what is there already."""

from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from escrow_client.desk_commands import desk_option
from escrow_client.options import json_option, key_options, profile_option, run
from escrow_client.output import Output

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow_client.options import Command
    from escrow_client.profile import Kind


def _new_options(command: "Command") -> "Command":
    """What is to open it from now on."""
    for option in (
        click.option("--new-passphrase", "asked", is_flag=True, help="A passphrase, asked for on the terminal."),
        click.option("--new-passphrase-file", "file", type=click.File("rb"), help="A passphrase: the first line."),
        click.option(
            "--new-key-file", "path", type=click.Path(dir_okay=False, path_type=Path), help="A key file, made if new."
        ),
    ):
        command = option(command)
    return command


@click.command("lock")
@_new_options
@profile_option
@key_options()
@json_option
def lock_profile(
    folder: Path, keys: "Keys", *, asked: bool, file: IO[bytes] | None, path: Path | None, as_json: bool
) -> None:
    """Let another passphrase or key file open your profile from now on; what opened it before does not any more.

    Copies of the folder that were made before still open with what opened it then.
    """
    _relock(folder, "chat", keys, file, path, Output(as_json=as_json), asked=asked)


@click.command("lock")
@_new_options
@desk_option
@key_options()
@json_option
def lock_desk(
    desk: Path, keys: "Keys", *, asked: bool, file: IO[bytes] | None, path: Path | None, as_json: bool
) -> None:
    """Let another passphrase or key file open the desk from now on; what opened it before does not any more.

    Copies of the folder that were made before still open with what opened it then.
    """
    _relock(desk, "agency", keys, file, path, Output(as_json=as_json), asked=asked)


def _relock(
    folder: Path, kind: "Kind", keys: "Keys", file: IO[bytes] | None, path: Path | None, out: Output, *, asked: bool
) -> None:
    from escrow.cli.keys import Keys, passphrase_in
    from escrow_client.profile import Profile

    if (asked, file is not None, path is not None).count(True) != 1:
        raise click.UsageError("say one of --new-passphrase, --new-passphrase-file and --new-key-file")
    following = Keys(None if file is None else passphrase_in(file), path, ask=asked)
    profile = Profile.load(folder, kind)
    opens = run(lambda: profile.relock(keys, following))
    name = opens.name.lower().replace("_", " ")
    out.data("locked", f"another {name} opens {folder} from now on", kind=name)
    out.remark("what was copied from this folder before still opens with what opened it then")
