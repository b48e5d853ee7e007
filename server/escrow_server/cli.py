"""``doublelock serve``: one part of a deployment as a process of its own. Heavy imports wait until a part starts."""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from escrow.cli import BANNER
from escrow.cli.key_options import key_options

if TYPE_CHECKING:
    from escrow.cli.keys import Keys

SCHEMA_VERSION = 1


@click.group()
def serve() -> None:
    """Run one part of a deployment. Loopback only, research only."""


def _part(name: str, help_text: str, *, indexed: bool, more: Sequence[Callable[[Any], Any]] = ()) -> None:
    def command(
        home: Path,
        listen: str,
        *,
        index: int | None = None,
        http: str | None = None,
        witness: tuple[str, ...] = (),
        new: bool = False,
        keys: "Keys | None" = None,
        lab: bool,
        as_json: bool,
        with_parent: bool,
    ) -> None:
        how = {"new": new, "lab": lab, "as_json": as_json, "with_parent": with_parent}
        _serve(name, home, listen, index, http, witness, keys, **how)

    options = [
        click.option(
            "--home",
            type=click.Path(file_okay=False, path_type=Path),
            required=True,
            envvar="DOUBLELOCK_HOME",
            show_envvar=True,
            help="Folder of the deployment; made on first use.",
        ),
        click.option(
            "--listen",
            default="127.0.0.1:0",
            show_default=True,
            metavar="ADDRESS:PORT",
            help="Where to listen; port 0 takes a free one.",
        ),
        click.option("--lab", is_flag=True, help="Go by the deployment's lab clock, and answer laboratory calls."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON line when ready."),
        click.option("--with-parent", is_flag=True, help="End when standard input ends: whoever started this is gone."),
    ]
    if indexed:
        options.append(
            click.option("--index", type=click.IntRange(min=1), required=True, help=f"Which {name}, from 1.")
        )
    for option in reversed([*options, *more]):
        command = option(command)
    serve.command(name, help=help_text)(command)


def _serve(
    part: str,
    folder: Path,
    listen: str,
    index: int | None,
    http: str | None,
    witnesses: tuple[str, ...],
    keys: "Keys | None",
    *,
    new: bool,
    lab: bool,
    as_json: bool,
    with_parent: bool,
) -> None:
    # gRPC prints its own view of every refused handshake unless told so before it is loaded.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import asyncio

    from escrow_server.deployment import enlist, ensure
    from escrow_server.listening import parse_listen, parse_witness
    from escrow_server.parts import party_of
    from escrow_server.runtime import Faces
    from escrow_server.runtime import serve as run

    address = parse_listen(listen)
    web = None if http is None else parse_listen(http, option="--http")
    prefixes = dict(parse_witness(each) for each in witnesses)
    home = ensure(folder)
    for party in prefixes:
        party_of("witness", int(party.partition("/")[2]), home.genesis)
    party = party_of(part, index, home.genesis, newcomers=new)
    if new:
        enlist(home, party)
    click.echo(BANNER, err=True)

    def ready(bound: str, web_bound: str | None) -> None:
        if as_json:
            line = {
                "schema_version": SCHEMA_VERSION,
                "event": "serving",
                "party": party,
                "address": bound,
                "pid": os.getpid(),
            }
            if web_bound is not None:
                line["http"] = web_bound
            click.echo(json.dumps(line))
        also = "" if web_bound is None else f", and shows its pages at http://{web_bound}/"
        click.echo(f"{party} listens on {bound}{also}", err=True)
        if keys is not None and (beside := keys.beside(home.part_folder(party))) is not None:
            click.echo(f"{beside} opens the store beside it: this keeps nothing from whoever takes the disk", err=True)

    faces = Faces(address, web, prefixes)
    asyncio.run(run(home, party, faces, lab=lab, ready=ready, with_parent=with_parent, keys=keys))


_NEW = click.option(
    "--new",
    is_flag=True,
    help="One that the genesis does not name: makes its keys if need be, and waits for the roots.",
)
_part("relay", "Take, keep and deliver messages; produce what a warrant covers.", indexed=False)
_part(
    "custodian",
    "Hold a share of the committee key; release under a warrant.",
    indexed=True,
    more=[_NEW, key_options(make=True)],
)
_part("authority", "Keep the cases: applications, signatures of both locks, cancellations.", indexed=False)
_HTTP = click.option(
    "--http", metavar="ADDRESS:PORT", help="Answer anybody over plain HTTP as well, as the C2SP specifications say."
)
_WITNESS = click.option(
    "--witness",
    multiple=True,
    metavar="INDEX=URL",
    help="Ask this witness over HTTP (C2SP tlog-witness); URL is its submission prefix. May be repeated.",
)
_part("log", "Take entries and publish one tree of them.", indexed=False, more=[_HTTP, _WITNESS])
_part("witness", "Cosign the log's checkpoints, never two that contradict each other.", indexed=True, more=[_HTTP])
