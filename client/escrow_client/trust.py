"""``doublelock chat safety`` and ``audit watch-me``: is it whom you mean, and does nobody else pass for you?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from escrow.cli import printable
from escrow_client.chat import TRUST, opened, report, show_watched, utf8
from escrow_client.options import json_option, key_options, profile_option, run
from escrow_client.output import Output

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.roles.device.commands import Safety, Watched


@click.command()
@click.argument("peer")
@click.option("--compare", "said", metavar="TEXT", help="What PEER's screen shows: the number, or the scanned text.")
@click.option("--confirm", "agreed", is_flag=True, help="Write to these devices from now on: you have compared.")
@click.option("--qr", is_flag=True, help="Show the text as a QR code.")
@profile_option
@key_options()
@json_option
def safety(peer: str, said: str | None, folder: Path, keys: "Keys", *, agreed: bool, qr: bool, as_json: bool) -> None:
    """Show the number to compare with PEER, over another way than this: both of you must see the same.

    It stands for the two accounts and stays when one of you has another device. Other devices than before get nothing
    until you confirm them; with --compare only if what PEER sees is right.
    """
    out, peer = Output(as_json=as_json), utf8(os.fsencode(peer))

    async def command() -> None:
        from escrow.e2ee.safety import compare

        async with opened(folder, keys) as messenger:
            before = await messenger.status()
            shown = await messenger.safety(peer)
            _show(out, shown, qr=qr)
            if said is not None:
                compare(utf8(os.fsencode(said)), shown.own_key, shown.peer_key)
                out.remark("the same on both sides")
            if agreed:
                await messenger.confirm(peer, shown)
                out.remark(f"confirmed: what you write to {printable(shown.name)} goes to these devices")
                await report(out, messenger, before, sending=0)

    run(command)


@click.group()
def audit() -> None:
    """Check what the log holds."""


@audit.command("watch-me")
@profile_option
@key_options()
@json_option
def watch_me(folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Read the whole log for devices of your account that you did not add; ends with 7 if there are any."""

    async def command() -> "Watched":
        async with opened(folder, keys) as messenger:
            watched = await messenger.watch()
            silence = messenger.why_waiting()
            if silence is not None:
                raise silence
            return watched

    watched = run(command)
    show_watched(Output(as_json=as_json), watched)
    _raise_for(watched)


def _raise_for(watched: "Watched") -> None:
    from escrow.errors import IntegrityError, Reason

    if watched.ghosts:
        raise IntegrityError(Reason.GHOST_DEVICE, "doublelock chat status says where")
    if watched.omitted:
        raise IntegrityError(Reason.LIST_OMITTED)


def _show(out: Output, shown: "Safety", *, qr: bool) -> None:
    from escrow.e2ee.safety import in_groups

    account, devices = shown.account.hex(), ", ".join(str(number) for number in shown.devices)
    about = f"{printable(shown.name)} ({account[:8]}), devices {devices}"
    lines = [about + (f": {TRUST[shown.trust]}" if shown.trust in TRUST else ""), in_groups(shown.number), shown.text]
    if qr:
        from escrow_client.qr import drawn

        lines.append(drawn(shown.text))
    out.data(
        "safety",
        "\n".join(lines),
        peer=account,
        peer_name=shown.name,
        number=shown.number,
        text=shown.text,
        trust=str(shown.trust),
        version=shown.version,
        devices=list(shown.devices),
    )
