"""What every command has in common that a person gives who holds one of the two locks."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from escrow_client.options import run, warrant_of
from escrow_client.output import Output

if TYPE_CHECKING:
    from escrow.roles.calls import Case
    from escrow_client.official import Official

warrant_argument = click.argument("warrant_id", type=warrant_of, metavar="WARRANT")
person_option = click.option("--person", required=True, help="Who signs: a key of theirs lies in the deployment.")


def at_the_desk(person: str, home: Path, act: "Callable[[Official], Awaitable[Case]]", *, as_json: bool) -> None:
    """Let a person read or sign a case at the authority, and show it."""
    from escrow.warrant.documents import parse_warrant
    from escrow_client.deployment import Deployment
    from escrow_client.official import Official
    from escrow_client.warrant_output import print_standing

    async def command() -> "Case":
        async with Official.open(Deployment.open(home), person) as official:
            return await act(official)

    case = run(command)
    print_standing(Output(as_json=as_json), parse_warrant(case.payload), case.state, case.signers)
