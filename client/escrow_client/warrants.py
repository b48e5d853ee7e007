"""``doublelock warrant``: an agency applies and executes, and people sign for the two locks.

Each of them has a command of their own because each is somebody else: nobody who applies may sign, and nobody who
signs as issuer may sign as approver.
"""

import hashlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from escrow.cli import printable
from escrow_client.desk_commands import desk_option, opened, print_filed, silence
from escrow_client.exchanging import add_exchange
from escrow_client.locking import lock_desk
from escrow_client.official_commands import at_the_desk, person_option, warrant_argument
from escrow_client.options import (
    FOLDER,
    home_option,
    json_option,
    key_options,
    lab_option,
    moment_of,
    run,
)
from escrow_client.orders import add_orders
from escrow_client.output import Output, progress_bar, warn_of_key_beside
from escrow_client.successors import add_successors

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.e2ee.file import File
    from escrow.errors import EscrowError
    from escrow.roles.agency.commands import OpenedItem
    from escrow_client.investigator import Investigator

THIRTY_DAYS: Final = 30 * 86_400_000
MOST_CAPSULES: Final = 1000
MOST_IDENTITY_KEYS: Final = 100

confirm_option = click.option(
    "--confirm",
    "identifiers",
    multiple=True,
    metavar="IDENTIFIER",
    help="A target, read from your own source; once for each of them.",
)


@click.group()
def warrant() -> None:
    """Apply for a warrant, issue and approve it, execute it. Research only."""


@warrant.command()
@home_option
@desk_option
@click.option("--agency", default="agency", show_default=True, help="Name of the agency.")
@click.option("--target", "targets", multiple=True, required=True, help="A user (name or account id); repeatable.")
@click.option("--from", "start", type=moment_of, metavar="TIME", required=True, help="Messages from this time on,")
@click.option("--to", "end", type=moment_of, metavar="TIME", required=True, help="and before this one.")
@click.option("--not-before", type=moment_of, metavar="TIME", help="Start of the warrant.  [default: now]")
@click.option("--not-after", type=moment_of, metavar="TIME", help="End of the warrant.  [default: 30 days later]")
@click.option("--max-capsules", type=click.IntRange(min=1), help="Most messages it may open.  [default: 1000]")
@click.option("--max-identity-keys", type=click.IntRange(min=1), help="The same, where a key opens an epoch: of keys.")
@click.option("--whole-conversations", is_flag=True, help="Also what others wrote to the targets.")
@click.option("--profile", "law", default="generic", show_default=True, help="The legal order whose rules it follows.")
@click.option("--approve-by", type=moment_of, metavar="TIME", help="Urgent: without its second lock until then.")
@click.option("--prospective", is_flag=True, help="Only what is sent once it is active.")
@click.option("--instrument", type=click.File("rb"), help="The legal instrument; the warrant names its hash.")
@key_options(make=True)
@lab_option
@json_option
def apply(
    home: Path,
    desk: Path,
    agency: str,
    targets: tuple[str, ...],
    start: int,
    end: int,
    not_before: int | None,
    not_after: int | None,
    max_capsules: int | None,
    law: str,
    approve_by: int | None,
    max_identity_keys: int | None,
    keys: "Keys",
    *,
    whole_conversations: bool,
    prospective: bool,
    instrument: IO[bytes] | None,
    lab: bool,
    as_json: bool,
) -> None:
    """File an application with the authority and print the warrant's id.

    Times are milliseconds of the deployment's clock, or dates (ISO 8601, UTC).
    """
    from escrow.roles.agency.commands import NewApplication
    from escrow_client.deployment import Deployment
    from escrow_client.investigator import Investigator
    from escrow_client.profile import Profile

    out, deployment = Output(as_json=as_json), Deployment.open(home, lab=lab)
    profile, policy = Profile.make(desk, "agency", agency, deployment), deployment.genesis.policy
    limits = policy.limits
    if policy.opens_identities:
        max_identity_keys = max_identity_keys or min(MOST_IDENTITY_KEYS, limits.max_identity_keys)
    else:
        max_capsules = max_capsules or min(MOST_CAPSULES, limits.max_capsules)
    begins = deployment.clock() if not_before is None else not_before
    ends = begins + min(THIRTY_DAYS, limits.max_duration) if not_after is None else not_after

    async def command() -> None:
        async with Investigator.open(profile, deployment, keys) as investigator:
            warn_of_key_beside(out, profile)
            application = NewApplication(
                targets=tuple([await investigator.account_of(name) for name in targets]),
                window=(start, end),
                not_before=begins,
                not_after=ends,
                max_capsules=max_capsules or 0,
                max_identity_keys=max_identity_keys or 0,
                instrument=hashlib.sha256(instrument.read() if instrument else b"").digest(),
                direction="CONVERSATION_OF" if whole_conversations else "SENT_BY",
                kind="PROSPECTIVE" if prospective else "HISTORICAL",
                approve_by=approve_by or 0,
                profile=law,
            )
            print_filed(out, await investigator.apply(application), investigator)

    run(command)


@warrant.command()
@warrant_argument
@person_option
@confirm_option
@home_option
@json_option
def issue(warrant_id: bytes, person: str, identifiers: tuple[str, ...], home: Path, *, as_json: bool) -> None:
    """Sign as issuer: the first lock. Of a warrant that replaces another this ends the other, too."""
    at_the_desk(person, home, lambda official: official.issue(warrant_id, identifiers), as_json=as_json)


@warrant.command()
@warrant_argument
@person_option
@confirm_option
@home_option
@json_option
def approve(warrant_id: bytes, person: str, identifiers: tuple[str, ...], home: Path, *, as_json: bool) -> None:
    """Sign as approver: the second lock. The authority then seals the warrant in the log."""
    at_the_desk(person, home, lambda official: official.approve(warrant_id, identifiers), as_json=as_json)


@warrant.command()
@warrant_argument
@desk_option
@click.option("--files", type=FOLDER, help="Also fetch the files that opened messages name, into this folder.")
@key_options()
@json_option
def execute(warrant_id: bytes, desk: Path, files: Path | None, keys: "Keys", *, as_json: bool) -> None:
    """Obtain what the warrant covers, ask the custodians to release it, and print what was opened.

    May be repeated: nothing is counted twice, and what has arrived since is added.
    """
    from escrow_client.warrant_output import failure, print_opened, print_release, settled

    out = Output(as_json=as_json)

    async def command() -> None:
        async with opened(desk, keys) as investigator:
            report = await investigator.execute(warrant_id)
            print_release(out, report)
            refusal = failure(report)
            for item in (await investigator.opened(warrant_id)).items:
                print_opened(out, item)
                if files is not None and item.file is not None:
                    refusal = await _save(investigator, out, item, item.file, files) or refusal
            if refusal is not None:
                raise refusal
            if not settled(report):
                raise silence(investigator)
            if not report.produced:
                out.remark("the relay holds no message that the warrant covers")

    run(command)


async def _save(
    investigator: "Investigator", out: Output, item: "OpenedItem", file: "File", folder: Path
) -> "EscrowError | None":
    """Fetch the file of an opened message; one that is gone must not hide the next."""
    from escrow.errors import EscrowError
    from escrow_client.warrant_output import print_saved

    try:
        with progress_bar(printable(file.name)) as progress:
            path = await investigator.save(file, folder, progress)
    except EscrowError as error:
        print_saved(out, item, None, error.reason.name)
        return error
    print_saved(out, item, path, "")
    return None


@warrant.command()
@warrant_argument
@click.option("--desk", type=FOLDER, envvar="DOUBLELOCK_DESK", show_envvar=True, help="As the agency that applied.")
@click.option("--person", help="As a person who may sign.")
@click.option("--home", type=FOLDER, envvar="DOUBLELOCK_HOME", show_envvar=True, help="Folder of the deployment.")
@key_options()
@json_option
def show(
    warrant_id: bytes, desk: Path | None, person: str | None, home: Path | None, keys: "Keys", *, as_json: bool
) -> None:
    """Where a warrant stands: to the agency that applied (--desk), or to a person who may sign (--person, --home)."""
    if person is not None and home is not None:
        at_the_desk(person, home, lambda official: official.case(warrant_id), as_json=as_json)
    elif person is None and desk is not None:
        run(lambda: _show(desk, keys, warrant_id, Output(as_json=as_json)))
    else:
        raise click.UsageError("say who asks: --desk DIR, or --person NAME and --home DIR")


async def _show(desk: Path, keys: "Keys", warrant_id: bytes, out: Output) -> None:
    from escrow_client.warrant_output import failure, print_release, print_standing

    async with opened(desk, keys) as investigator:
        report = await investigator.refresh(warrant_id)
        print_standing(out, await investigator.application(warrant_id), report.state, report.signers)
        print_release(out, report)
        if (refusal := failure(report) or investigator.why_waiting()) is not None:
            raise refusal


warrant.add_command(lock_desk)
add_orders(warrant)
add_successors(warrant)
add_exchange(warrant)
