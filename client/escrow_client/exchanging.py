"""``doublelock warrant export`` and ``import``: warrants and their evidence as files that others read and write."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from escrow_client.desk_commands import desk_option, opened, print_filed
from escrow_client.official_commands import warrant_argument
from escrow_client.options import home_option, json_option, key_options, lab_option, run
from escrow_client.output import Output, warn_of_key_beside

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.roles.evidence.bundle import Bundle
    from escrow.warrant.etsi.reading import Imported
    from escrow_client.investigator import Investigator

_NEW_FILE = click.Path(dir_okay=False, path_type=Path)


def add_exchange(group: click.Group) -> None:
    """Put the commands of this module under ``warrant``."""
    group.add_command(export)
    group.add_command(import_)


@click.command()
@warrant_argument
@desk_option
@click.option("--evidence", type=_NEW_FILE, help="What was opened, with all that proves it: for 'audit verify'.")
@click.option("--ts103120", type=_NEW_FILE, help="The warrant as XML of ETSI TS 103 120.")
@key_options()
@json_option
def export(
    warrant_id: bytes, desk: Path, evidence: Path | None, ts103120: Path | None, keys: "Keys", *, as_json: bool
) -> None:
    """Write a warrant, or what was opened under it, for others: no secret key, but in evidence the plaintext."""
    out = Output(as_json=as_json)
    if evidence is None and ts103120 is None:
        raise click.UsageError("say what to write: --evidence FILE or --ts103120 FILE")
    if ts103120 is not None:
        ts103120.write_bytes(run(lambda: _message(desk, keys, warrant_id)))
        out.data("exported", str(ts103120), path=str(ts103120), warrant=warrant_id.hex())
    if evidence is not None:
        bundle = run(lambda: _evidence(desk, keys, warrant_id))
        evidence.write_bytes(bundle.encode() + b"\n")
        facts = {"requests": len(bundle.requests), "opened": len(bundle.opened)}
        out.data("exported", str(evidence), path=str(evidence), warrant=warrant_id.hex(), **facts)
        if not bundle.requests:
            out.remark("nothing was opened yet, so there is nothing to prove")


async def _evidence(desk: Path, keys: "Keys", warrant_id: bytes) -> "Bundle":
    async with opened(desk, keys) as investigator:
        return await investigator.evidence(warrant_id)


async def _message(desk: Path, keys: "Keys", warrant_id: bytes) -> bytes:
    async with opened(desk, keys) as investigator:
        return await investigator.ts103120(warrant_id)


@click.command("import")
@click.argument("message", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@home_option
@desk_option
@click.option("--agency", default="agency", show_default=True, help="Name of the agency.")
@click.option("--profile", "law", default="generic", show_default=True, help="The legal order whose rules it follows.")
@key_options(make=True)
@lab_option
@json_option
def import_(
    message: Path, home: Path, desk: Path, agency: str, law: str, keys: "Keys", *, lab: bool, as_json: bool
) -> None:
    """Apply for what MESSAGE asks for, an XML file of ETSI TS 103 120, and print the new warrant's id.

    It gets keys and a number of its own. The message is its legal instrument: the warrant names its hash.
    """
    from escrow.warrant.etsi.reading import read
    from escrow_client.deployment import Deployment
    from escrow_client.investigator import Investigator
    from escrow_client.profile import Profile

    out, data = Output(as_json=as_json), message.read_bytes()
    imported, deployment = read(data), Deployment.open(home, lab=lab)
    profile = Profile.make(desk, "agency", agency, deployment)

    async def command() -> None:
        async with Investigator.open(profile, deployment, keys) as investigator:
            warn_of_key_beside(out, profile)
            await _apply(out, investigator, imported, hashlib.sha256(data).digest(), law)

    run(command)


async def _apply(out: Output, investigator: "Investigator", imported: "Imported", instrument: bytes, law: str) -> None:
    from escrow.errors import Reason, RefusedError
    from escrow.roles.agency.commands import NewApplication
    from escrow.warrant.etsi.terms import Terms

    terms, most, approve_by = imported.terms, investigator.limits.max_capsules, 0
    if imported.payload is not None:
        # Ours, and exact: times in milliseconds, and what HI-1 has no words for.
        terms, most = Terms.of(imported.payload), imported.payload.max_capsules
        approve_by = imported.payload.approve_by
    if terms.urgent and not approve_by:
        raise RefusedError(Reason.SCHEMA_INVALID, "an urgent warrant says by when it has its second lock")
    if any(device is not None for _, device in terms.targets):
        raise RefusedError(Reason.SCHEMA_INVALID, "an agency applies for accounts, not for single devices")
    wanted = NewApplication(
        targets=tuple(dict.fromkeys(account for account, _ in terms.targets)),
        window=terms.window,
        not_before=terms.not_before,
        not_after=terms.not_after,
        max_capsules=most,
        instrument=instrument,
        direction=imported.direction,
        kind=imported.kind,
        approve_by=approve_by,
        profile=law,
    )
    print_filed(out, await investigator.apply(wanted), investigator)
