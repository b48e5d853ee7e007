"""``doublelock chat export``: what was said, as lines that other programs read, the demo among them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from escrow_client.options import key_options, profile_option, run
from escrow_client.output import Output, file_facts

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.roles.device.history import Told

MODES = ("end-to-end", "escrowed")
"""By number of the mode."""


@click.command()
@click.option("--conversation", "peer", default="", metavar="PEER", help="Only with this user, or in this #group.")
@profile_option
@key_options()
def export(peer: str, folder: Path, keys: "Keys") -> None:
    """Write what was sent and received as JSON Lines, oldest first, without asking anybody for more.

    A message has the same id in the export of its sender and of those who got it. Whoever has the output can read
    everything: the profile is encrypted on disk, this is not. "doublelock demo --chat FILE" plays it again.
    """
    from escrow.errors import Reason, RefusedError
    from escrow_client.messenger import Messenger
    from escrow_client.profile import Profile

    async def command() -> "tuple[Told, ...]":
        async with Messenger.open(Profile.load(folder, "chat"), keys=keys) as messenger:
            return (await messenger.history(peer)).messages

    told = run(command)
    if peer and not told:
        raise RefusedError(Reason.NOT_FOUND, f"nothing was said with {peer}")
    for one in told:
        Output(as_json=True).data("message", "", **facts(one))


def facts(one: "Told") -> dict[str, Any]:
    """One line of an export, less its version and event; ``text`` is empty where a file was sent."""
    file = file_facts(one.content)
    return {
        "id": one.id.hex(),
        "from": one.source,
        "to": list(one.to),
        "group": one.peer.removeprefix("#") if one.peer.startswith("#") else None,
        "mode": MODES[one.mode],
        "time": one.time,
        "text": "" if file else one.content.text,
        "file": file,
        "state": one.state,
        "delivered": list(one.delivered),
        "direction": "sent" if one.sent else "received",
    }
