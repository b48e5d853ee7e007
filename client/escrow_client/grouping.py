"""``doublelock chat group``: the groups that one begins and changes, and those that one is in."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from escrow.cli import printable
from escrow_client.chat import BADGES, MEANINGS, describe, opened, report, utf8
from escrow_client.options import json_option, key_options, profile_option, run
from escrow_client.output import Output

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.roles.device.commands import Status


@click.group()
def group() -> None:
    """Conversations of several people, with or without escrow. Write to one as '#NAME'."""


@group.command()
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@click.option("--escrow/--no-escrow", default=False, show_default=True, help="Whether it is escrowed, for ever.")
@profile_option
@key_options()
@json_option
def create(name: str, members: tuple[str, ...], folder: Path, keys: "Keys", *, escrow: bool, as_json: bool) -> None:
    """Begin a group called NAME with MEMBERS. Only you can change who is in it."""
    out, called = Output(as_json=as_json), _called(name)

    async def command() -> None:
        async with opened(folder, keys) as messenger:
            before = await messenger.status()
            await messenger.create_group(called, _names(members), escrow=escrow)
            out.remark(f"{printable(called)}: {BADGES[escrow]}, {MEANINGS[escrow]}")
            await report(out, messenger, before, sending=1)

    run(command)


@group.command()
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@profile_option
@key_options()
@json_option
def add(name: str, members: tuple[str, ...], folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Take MEMBERS into your group NAME. They see what is written from then on, and nothing from before."""
    _change(Output(as_json=as_json), folder, keys, _called(name), added=_names(members))


@group.command()
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@profile_option
@key_options()
@json_option
def remove(name: str, members: tuple[str, ...], folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Take MEMBERS out of your group NAME. They are told nothing and see nothing of what follows."""
    _change(Output(as_json=as_json), folder, keys, _called(name), removed=_names(members))


@group.command("list")
@profile_option
@key_options()
@json_option
def list_(folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Show your groups, who is in them, and which of them are escrowed."""

    async def command() -> "Status":
        async with opened(folder, keys) as messenger:
            return await messenger.status()

    for conversation in run(command).conversations:
        if conversation.title:
            describe(Output(as_json=as_json), conversation)


def _change(
    out: Output,
    folder: Path,
    keys: "Keys",
    name: str,
    *,
    added: tuple[str, ...] = (),
    removed: tuple[str, ...] = (),
) -> None:
    async def command() -> None:
        async with opened(folder, keys) as messenger:
            before = await messenger.status()
            await messenger.change_group(name, add=added, remove=removed)
            await report(out, messenger, before, sending=1)

    run(command)


def _called(name: str) -> str:
    """A group's name; in a shell ``#`` begins a remark, so it need not be written here."""
    return "#" + utf8(os.fsencode(name)).removeprefix("#")


def _names(members: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(utf8(os.fsencode(member)) for member in members)
