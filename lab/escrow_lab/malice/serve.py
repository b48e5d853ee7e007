"""A cheating custodian as a process: ``python -m escrow_lab.malice.serve --home DIR --index 2 --plan JSON``.

It is the served custodian in everything but its machine. PLAN maps periods to runs to names of deviations, as
``custodian.Plan`` does. For laboratories: it needs their folder, and goes by their clock.
"""

import asyncio
import json
import os
from pathlib import Path

import click

from escrow.cli import BANNER
from escrow.errors import MalformedError, Reason
from escrow.ids import Party
from escrow.roles.machine import Role
from escrow.rpc.home import Home
from escrow_lab.malice.custodian import CheatingCustodian, Plan
from escrow_lab.malice.deviations import DEVIATIONS
from escrow_server.parts import party_of


def read_plan(text: str) -> Plan:
    """A plan as JSON; ``MalformedError(USAGE)`` for a deviation that does not exist."""
    plan = {int(period): tuple(tuple(names) for names in runs) for period, runs in json.loads(text).items()}
    named = {name for runs in plan.values() for names in runs for name in names}
    if unknown := sorted(named - DEVIATIONS.keys()):
        raise MalformedError(f"no deviation is called {unknown[0]!r}", Reason.USAGE)
    return plan


@click.command()
@click.option("--home", "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--index", type=click.IntRange(min=1), required=True)
@click.option("--plan", "plan_text", required=True)
def main(*, folder: Path, index: int, plan_text: str) -> None:
    """Serve custodian INDEX of a laboratory's deployment, cheating as planned."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from escrow_server.runtime import Faces
    from escrow_server.runtime import serve as run

    home, plan = Home(folder), read_plan(plan_text)

    def make(party: Party, home: Home) -> Role:
        return CheatingCustodian(home.genesis, index, home.identity(party), plan=plan)

    def ready(bound: str, _web: str | None) -> None:
        click.echo(json.dumps({"event": "serving", "party": party, "address": bound, "pid": os.getpid()}))

    party = party_of("custodian", index, home.genesis)
    click.echo(BANNER, err=True)
    asyncio.run(run(home, party, Faces(("127.0.0.1", 0)), lab=True, ready=ready, make=make))


if __name__ == "__main__":
    main()
