"""``doublelock warrant``, what an agency does about a warrant that it has: renew it, narrow it, take it back."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from escrow_client.desk_commands import desk_option, opened, print_filed
from escrow_client.official_commands import warrant_argument
from escrow_client.options import json_option, key_options, moment_of, run
from escrow_client.output import Output

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.roles.agency.commands import Succeed


def add_successors(group: click.Group) -> None:
    """Put the commands of this module under ``warrant``."""
    for command in (renew, modify, withdraw):
        group.add_command(command)


@click.command()
@warrant_argument
@click.option("--not-after", type=moment_of, metavar="TIME", required=True, help="The new end.")
@click.option("--to", "end", type=moment_of, metavar="TIME", help="Messages before this time.  [default: as before]")
@desk_option
@key_options()
@json_option
def renew(warrant_id: bytes, not_after: int, end: int | None, desk: Path, keys: "Keys", *, as_json: bool) -> None:
    """Apply for a warrant to last longer, and print the new one's id.

    Both locks sign the new warrant; when it is sealed the old one is cancelled.
    """
    from escrow.roles.agency.commands import Succeed

    _apply(desk, keys, Succeed(warrant_id, not_after=not_after), end, as_json=as_json)


@click.command()
@warrant_argument
@click.option("--not-after", type=moment_of, metavar="TIME", help="An earlier end.")
@click.option("--to", "end", type=moment_of, metavar="TIME", help="Messages before this time.")
@click.option("--max-capsules", type=click.IntRange(min=1), help="Most messages it may open.")
@click.option("--max-identity-keys", type=click.IntRange(min=1), help="The same, where a key opens an epoch: of keys.")
@desk_option
@key_options()
@json_option
def modify(
    warrant_id: bytes,
    not_after: int | None,
    end: int | None,
    max_capsules: int | None,
    max_identity_keys: int | None,
    desk: Path,
    keys: "Keys",
    *,
    as_json: bool,
) -> None:
    """Apply for a narrower warrant instead of one in force, and print the new one's id.

    Refused, it was never made; sealed, the old one is cancelled. Whatever is wider is a new warrant: apply for that.
    """
    from escrow.roles.agency.commands import Succeed

    wanted = Succeed(warrant_id, not_after=not_after, max_capsules=max_capsules, max_identity_keys=max_identity_keys)
    _apply(desk, keys, wanted, end, as_json=as_json)


@click.command()
@warrant_argument
@desk_option
@key_options()
@json_option
def withdraw(warrant_id: bytes, desk: Path, keys: "Keys", *, as_json: bool) -> None:
    """Take an application back that is not sealed yet."""
    from escrow_client.warrant_output import print_standing

    async def command() -> None:
        async with opened(desk, keys) as investigator:
            report = await investigator.withdraw(warrant_id)
            payload = await investigator.application(warrant_id)
            print_standing(Output(as_json=as_json), payload, report.state, report.signers)

    run(command)


def _apply(desk: Path, keys: "Keys", wanted: "Succeed", end: int | None, *, as_json: bool) -> None:
    from msgspec.structs import replace

    async def command() -> None:
        async with opened(desk, keys) as investigator:
            before = (await investigator.application(wanted.warrant_id)).message_window
            window = None if end is None else (before.start, end)
            report = await investigator.succeed(replace(wanted, window=window))
            print_filed(Output(as_json=as_json), report, investigator)

    run(command)
