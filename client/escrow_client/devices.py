"""``doublelock chat link`` and ``chat devices``: the other devices of one's account, and how they come and go."""

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from escrow.cli import printable
from escrow_client.options import FOLDER, json_option, key_options, lab_option, profile_option, run
from escrow_client.output import Output, warn_of_key_beside

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.roles.device.linking import Linking
    from escrow_client.messenger import Messenger
    from escrow_client.profile import Profile

PAUSE: Final = 0.3
"""Seconds between two looks at the other device."""


@click.command()
@click.option("--code", help="On the device that you have: the code that the new one shows.")
@click.option("--yes-the-strings-match", "told", metavar="STRING", help="What the other screen shows, for scripts.")
@click.option(
    "--wait", type=click.FloatRange(0), default=600.0, show_default=True, help="Seconds for the other device."
)
@click.option("--home", type=FOLDER, envvar="DOUBLELOCK_HOME", show_envvar=True, help="New device: the deployment.")
@profile_option
@key_options(make=True)
@lab_option
@json_option
def link(
    code: str | None,
    told: str | None,
    wait: float,
    home: Path | None,
    folder: Path,
    keys: "Keys",
    *,
    lab: bool,
    as_json: bool,
) -> None:
    """Link a new device to your account.

    Begin on the new device, without --code: it shows a code. Give that to this command on the device where you
    registered. Both then show six digits: say yes on both if they are the same. If they are not, somebody stands
    between them, and nothing is linked.

    Without a terminal to ask, the command ends once it has shown the digits; repeat it with --yes-the-strings-match.
    The new device gets what is written from then on, and nothing from before.
    """
    from escrow_client.messenger import Messenger
    from escrow_client.profile import Profile

    out = Output(as_json=as_json)
    profile = Profile.load(folder, "chat") if code else _new_profile(folder, home, lab=lab)

    async def command() -> None:
        async with Messenger.open(profile, keys=replace(keys, make=code is None)) as messenger:
            if code is None:
                warn_of_key_beside(out, profile)
            await _link(out, messenger, code, told, time.monotonic() + wait)

    run(command)


@click.group()
def devices() -> None:
    """The devices of your account."""


@devices.command("list")
@profile_option
@key_options()
@json_option
def list_(folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Show the devices of your account."""
    from escrow_client.messenger import Messenger
    from escrow_client.profile import Profile

    out = Output(as_json=as_json)

    async def command() -> None:
        async with Messenger.open(Profile.load(folder, "chat"), keys=keys) as messenger:
            listed = (await messenger.devices()).devices
        for one in listed:
            first = one.number == listed[0].number
            remarks = [text for text, holds in (("this one", one.this), ("holds the account's key", first)) if holds]
            key = one.signing.hex()
            line = f"device {one.number}  {key[:16]}  {', '.join(remarks)}".rstrip()
            out.data("device", line, number=one.number, key=key, this=one.this, first=first)

    run(command)


@devices.command()
@click.argument("number", type=click.IntRange(1))
@profile_option
@key_options()
@json_option
def remove(number: int, folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Take device NUMBER off the list, for good. Only on the device where you registered.

    It gets nothing that is written from then on, and keeps what it has.
    """
    from escrow_client.messenger import Messenger
    from escrow_client.profile import Profile

    out = Output(as_json=as_json)

    async def command() -> None:
        async with Messenger.open(Profile.load(folder, "chat"), keys=keys) as messenger:
            await messenger.remove_device(number)

    run(command)
    out.data("removed", f"device {number} is removed", number=number)


def _new_profile(folder: Path, home: Path | None, *, lab: bool) -> "Profile":
    """The profile of a new device, which learns its account's name by being linked."""
    from escrow_client.deployment import Deployment
    from escrow_client.messenger import LINKED_LATER
    from escrow_client.profile import Profile

    if home is None:
        raise click.UsageError("a new device needs --home; the device that you have needs --code")
    return Profile.make(folder, "chat", LINKED_LATER, Deployment.open(home, lab=lab))


async def _link(out: Output, messenger: "Messenger", code: str | None, told: str | None, end: float) -> None:
    from escrow.e2ee.linking import in_halves
    from escrow.roles.device.linking import Stage

    if code is None:
        shown = await messenger.join()
        if shown.stage == Stage.MEETING:
            out.data("code", f"code: {shown.code}", code=shown.code)
            out.remark(f"on the device that you have: doublelock chat link --code {shown.code}")
    else:
        shown = await messenger.host(code)
    shown = await _until(messenger, shown, Stage.MEETING, end)
    if shown.stage == Stage.COMPARE:
        whose = f"{printable(shown.name)} ({shown.account.hex()[:8]})"
        out.data(
            "compare",
            f"{in_halves(shown.string)}   device {shown.device} of {whose}",
            string=shown.string,
            device=shown.device,
            name=shown.name,
            account=shown.account.hex(),
        )
        if told is None and not sys.stdin.isatty():
            out.remark("if the other screen shows the same, repeat this command with --yes-the-strings-match STRING")
            return
        if told is None:
            same = await asyncio.to_thread(click.confirm, "Does the other screen show the same?", err=True)
            told = shown.string if same else ""
        shown = _checked(await messenger.compare(told))
    shown = await _until(messenger, shown, Stage.LOGGING, end)
    out.data(
        "linked",
        f"device {shown.device} belongs to {printable(shown.name)}",
        device=shown.device,
        name=shown.name,
        account=shown.account.hex(),
    )


async def _until(messenger: "Messenger", shown: "Linking", stage: str, end: float) -> "Linking":
    """Look again and again while the linking is at ``stage``; ``TIMED_OUT`` after ``end``."""
    from escrow.errors import Reason, UnavailableError

    while _checked(shown).stage == stage:
        if time.monotonic() > end:
            raise messenger.why_waiting() or UnavailableError(Reason.TIMED_OUT, "the other device")
        await asyncio.sleep(PAUSE)
        shown = await messenger.look()
    return shown


def _checked(shown: "Linking") -> "Linking":
    from escrow.errors import Reason, RefusedError

    if shown.reason:
        raise RefusedError(Reason[shown.reason])
    return shown
