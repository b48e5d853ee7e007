"""What every command has in common that an agency gives at its desk."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from escrow_client.options import FOLDER
from escrow_client.output import Output

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.errors import EscrowError
    from escrow.roles.agency.commands import Report
    from escrow_client.investigator import Investigator

desk_option = click.option(
    "--desk", type=FOLDER, required=True, envvar="DOUBLELOCK_DESK", show_envvar=True, help="Folder of the agency."
)


def opened(desk: Path, keys: "Keys") -> "AbstractAsyncContextManager[Investigator]":
    """The desk in this folder, at work."""
    from escrow_client.investigator import Investigator
    from escrow_client.profile import Profile

    return Investigator.open(Profile.load(desk, "agency"), keys=keys)


def silence(investigator: "Investigator") -> "EscrowError":
    """Who keeps something waiting."""
    from escrow.errors import Reason, UnavailableError

    return investigator.why_waiting() or UnavailableError(Reason.UNAVAILABLE, "what is needed is not in the log yet")


def print_filed(out: Output, report: "Report", investigator: "Investigator") -> None:
    """The id of a new application; raises if the authority has not got it yet."""
    warrant_id = report.warrant_id.hex()
    out.data("applied", warrant_id, warrant=warrant_id)
    if not report.state:
        out.remark("written, but not filed: 'doublelock warrant show --desk' tries again")
        raise silence(investigator)
    out.remark("filed; an issuer and then an approver must sign it")
