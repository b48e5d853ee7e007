"""``doublelock audit verify``: what a court, or anybody, does with a bundle of evidence."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from escrow.cli import printable
from escrow_client.options import FOLDER, json_option, run
from escrow_client.output import Output, moment

if TYPE_CHECKING:
    from escrow.roles.evidence.bundle import Bundle
    from escrow.roles.evidence.verifying import Verified
    from escrow.warrant.genesis import Genesis
    from escrow_client.deployment import Deployment

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("bundle", type=_FILE)
@click.option("--genesis", "pinned", type=_FILE, help="The genesis that you have pinned.  [default: that of --home]")
@click.option("--home", type=FOLDER, envvar="DOUBLELOCK_HOME", show_envvar=True, help="Folder of the deployment.")
@click.option("--offline", is_flag=True, help="Ask nobody: not even the log whether it still says the same.")
@json_option
def verify(bundle: Path, pinned: Path | None, home: Path | None, *, offline: bool, as_json: bool) -> None:
    """Check that BUNDLE proves what it says was opened, from its bytes and the genesis alone.

    Ends with 4 if it does not, with 7 if the log contradicts itself. Without --offline the running log of --home is
    asked whether what it says today continues what the bundle holds.
    """
    from escrow.roles.evidence.bundle import Bundle
    from escrow_client import evidence
    from escrow_client.deployment import Deployment

    if home is not None and pinned is None:
        pinned = home / "genesis.json"
    if pinned is None:
        raise click.UsageError("whose log is it? --genesis FILE or --home DIR")
    if home is None and not offline:
        raise click.UsageError("--home DIR says which log to ask; or say --offline")
    genesis, out = _genesis(pinned), Output(as_json=as_json)
    with _judging():
        read = Bundle.parse(bundle.read_bytes())
        verified = run(lambda: evidence.verify(genesis, read))
    if home is not None and not offline:
        deployment = Deployment.open(home)
        size = run(lambda: _compared(deployment, genesis, read))
        out.remark(f"the log has {size} entries now and still says the same of its first {verified.log_size}")
    _show(out, verified)


def _genesis(path: Path) -> "Genesis":
    from escrow.errors import MalformedError, Reason
    from escrow.warrant.genesis import Genesis

    try:
        return Genesis.parse(path.read_bytes())
    except OSError as error:
        raise MalformedError(f"{path}: {error.strerror}", Reason.USAGE) from error


@contextmanager
def _judging() -> Iterator[None]:
    """Whatever is wrong with evidence is a failed verification, also where a custodian would call it a refusal."""
    from escrow.errors import EscrowError, Kind, Reason, RefusedError

    try:
        yield
    except EscrowError as error:
        if error.reason.kind in {Kind.VERIFICATION, Kind.INTEGRITY}:
            raise
        detail = f"{error.reason.name}: {error.detail or error.reason.sentence}"
        raise RefusedError(Reason.EVIDENCE_MISMATCH, detail) from error


async def _compared(deployment: "Deployment", genesis: "Genesis", bundle: "Bundle") -> int:
    """Ask the running log, as nobody in particular."""
    from escrow.ids import Party
    from escrow_client import evidence

    auditor = Party("person/auditor")
    transport = deployment.transport(deployment.home.issue(auditor))
    try:
        return await evidence.compare(lambda call: transport.call(auditor, Party("log"), call), genesis, bundle)
    finally:
        await transport.close()


def _show(out: Output, verified: "Verified") -> None:
    warrant = verified.warrant
    out.data(
        "verified",
        f"warrant {warrant.warrant_id}: what is below was sent as it stands, and was opened under this warrant\n"
        f"  released by: {_named(verified.custodians)}\n"
        f"  log: {verified.log_size} entries, last witnessed {moment(verified.log_time_ms)}",
        warrant=warrant.warrant_id,
        custodians=sorted(verified.custodians),
        culprits=sorted(verified.culprits),
        log_size=verified.log_size,
        log_time=verified.log_time_ms,
        opened=sum(1 for said in verified.opened if not said.reason),
    )
    for said in verified.opened:
        text = printable(said.text) if not said.reason else f"(not opened: {said.reason})"
        out.data(
            "opened",
            f"{moment(said.ingest_time)} {said.sender_account[:8]}/{said.sender_device}: {text}",
            body_id=said.body_id,
            sender=said.sender_account,
            device=said.sender_device,
            time=said.ingest_time,
            text=said.text,
            reason=said.reason,
        )
    if verified.culprits:
        out.remark(f"sent shares that do not verify: {_named(verified.culprits)}")


def _named(custodians: Iterable[int]) -> str:
    return ", ".join(f"custodian/{index}" for index in sorted(custodians))
