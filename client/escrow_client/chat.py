"""``doublelock chat``: a messenger on the command line. It always says whether an escrow holds a conversation."""

import os
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from escrow.cli import printable
from escrow_client.devices import devices, link
from escrow_client.exporting import MODES, export
from escrow_client.locking import lock_profile
from escrow_client.options import FOLDER, home_option, json_option, key_options, lab_option, profile_option, run
from escrow_client.output import Output, file_facts, moment, progress_bar, warn_of_key_beside

if TYPE_CHECKING:
    from escrow.cli.keys import Keys
    from escrow.roles.device.commands import ConversationStatus, Status, Watched
    from escrow.roles.device.state import Alarm, Shown
    from escrow_client.messenger import Messenger

BADGES: Final = ("END-TO-END ONLY", "ESCROWED")
MEANINGS: Final = (
    "nobody but the people in this conversation can open it",
    "custodians can open this conversation under a warrant",
)
TRUST: Final = {
    "compared": "safety number compared",
    "changed": "THE DEVICES HAVE CHANGED, and nothing is sent to them",
}
"""What is said of a peer's devices, by ``Trust``; of others nothing."""


@click.group()
def chat() -> None:
    """Write and read messages. Research only: never for real communications."""


chat.add_command(link)
chat.add_command(devices)
chat.add_command(export)
chat.add_command(lock_profile)


@chat.command()
@click.argument("name")
@home_option
@profile_option
@key_options(make=True)
@lab_option
@json_option
def register(name: str, home: Path, folder: Path, keys: "Keys", *, lab: bool, as_json: bool) -> None:
    """Make an account called NAME, with this profile as its one device.

    Repeat the command to finish a registration that could not reach all parts. Your keys and messages are encrypted on
    disk, under a passphrase or a key file that all later commands need.
    """
    from escrow_client.deployment import Deployment
    from escrow_client.messenger import Messenger
    from escrow_client.profile import Profile

    out, deployment = Output(as_json=as_json), Deployment.open(home, lab=lab)
    profile = Profile.make(folder, "chat", name, deployment)

    async def command() -> "Status":
        async with Messenger.open(profile, deployment, keys) as messenger:
            warn_of_key_beside(out, profile)
            return await messenger.register()

    status = run(command)
    account = status.account.hex()
    out.data("registered", f"{name} is registered: account {account}", name=name, account=account)


@chat.command()
@click.argument("to")
@click.argument("text", required=False)
@click.option("--file", "path", type=click.Path(dir_okay=False, path_type=Path), help="Send a file, not a text.")
@click.option(
    "--escrow/--no-escrow",
    default=None,
    help="In which of the two conversations; without it in the one that is not escrowed. A group has only one.",
)
@profile_option
@key_options()
@json_option
def send(
    to: str, text: str | None, path: Path | None, folder: Path, keys: "Keys", *, escrow: bool | None, as_json: bool
) -> None:
    """Send TEXT, or what stands on standard input, or a file to the user or, as '#NAME', to the group called TO.

    With one user you may have two conversations: one that is escrowed and one that is not. Other users of this machine
    may see the arguments of a command; they do not see standard input. A file has at most 100 MiB; where sending it is
    cut off, the same command goes on.
    """
    if path is not None and text is not None:
        raise click.UsageError("either a text or a file")
    out = Output(as_json=as_json)
    to = utf8(os.fsencode(to))
    words = "" if path else utf8(_standard_input() if text is None else os.fsencode(text))

    async def command() -> None:
        async with opened(folder, keys) as messenger:
            before = await messenger.status()
            escrowed = await messenger.is_escrowed(to) if escrow is None else escrow
            out.remark(f"to {printable(to)}: {BADGES[escrowed]}, {MEANINGS[escrowed]}")
            if path is None:
                await messenger.send(to, words, escrow=escrowed)
            else:
                with progress_bar(printable(path.name)) as progress:
                    await messenger.send_file(to, path, escrow=escrowed, progress=progress)
            await report(out, messenger, before, sending=1)

    run(command)


@chat.command()
@click.option("--all", "everything", is_flag=True, help="Also what was shown before.")
@profile_option
@key_options()
@json_option
def recv(folder: Path, keys: "Keys", *, everything: bool, as_json: bool) -> None:
    """Fetch what has arrived, show it, and send what could not be sent before."""
    from escrow_client.profile import Profile

    out, profile = Output(as_json=as_json), Profile.load(folder, "chat")

    async def command() -> None:
        async with opened(folder, keys) as messenger:
            before = await messenger.status()
            await messenger.sync()
            inbox = await messenger.inbox(0 if everything else profile.read)
            for place, message in enumerate(inbox.messages, start=inbox.start):
                _show(out, place, message)
            if inbox.messages:
                profile.mark_read(inbox.start + len(inbox.messages))
            for name, mode in sorted({(_where(message), message.mode) for message in inbox.messages}):
                out.remark(f"{printable(name)}: {BADGES[mode]}, {MEANINGS[mode]}")
            after = await messenger.status()
            _warn(out, after.alarms[len(before.alarms) :])
            for name in _changed(after):
                out.remark(f"{printable(name)}: {TRUST['changed']}; compare safety numbers: doublelock chat safety")
            await report(out, messenger, before, sending=0)

    run(command)


@chat.command()
@click.argument("number", type=click.IntRange(min=0))
@click.option("--to", "target", type=FOLDER, required=True, help="Folder to put the file in.")
@profile_option
@key_options()
@json_option
def save(number: int, target: Path, folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Fetch the file that message NUMBER names, as recv showed it, check it and put it into a folder.

    Nothing that is there is overwritten, and nothing is left of a file that is not what the message names.
    """

    async def command() -> Path:
        async with opened(folder, keys) as messenger:
            with progress_bar(f"message {number}") as progress:
                return await messenger.save(number, target, progress)

    path = run(command)
    size = path.stat().st_size
    Output(as_json=as_json).data("saved", printable(str(path)), number=number, path=str(path), size=size)


@chat.command()
@click.argument("choice", type=click.Choice(("on", "off")))
@profile_option
@key_options()
def receipts(choice: str, folder: Path, keys: "Keys") -> None:
    """Tell those who write to you when their messages were shown here, or do not. At first you do.

    What was shown before is not affected. Your devices choose one by one.
    """

    async def command() -> None:
        async with opened(folder, keys) as messenger:
            await messenger.send_receipts(on=choice == "on")

    run(command)


@chat.command()
@profile_option
@key_options()
@json_option
def status(folder: Path, keys: "Keys", *, as_json: bool) -> None:
    """Who you are, which of your conversations are escrowed, what waits and what was refused."""
    out = Output(as_json=as_json)

    async def command() -> "Status":
        async with opened(folder, keys) as messenger:
            return await messenger.status()

    now = run(command)
    unfinished = "" if now.enrolled else ": registration is not finished"
    out.data(
        "status",
        f"{now.name}, account {now.account.hex()}, device {now.device}{unfinished}",
        name=now.name,
        account=now.account.hex(),
        device=now.device,
        enrolled=now.enrolled,
        waiting=now.queued + now.unanswered,
        accepted=now.accepted,
        refused=list(now.refused),
        deferred=list(now.deferred),
        overdue=now.overdue,
    )
    for conversation in now.conversations:
        describe(out, conversation)
    habit = "senders are told what is shown here" if now.receipts else "nobody is told what is shown here"
    out.data(
        "receipts",
        f"  {now.delivered} of {now.accepted} sent were shown at another end; {habit}",
        delivered=now.delivered,
        on=now.receipts,
    )
    for alarm in now.alarms:
        out.data(
            "alarm",
            f"refused at {moment(alarm.time)}: {alarm.reason} {printable(alarm.detail)}",
            reason=alarm.reason,
            culprits=list(alarm.culprits),
            detail=alarm.detail,
            time=alarm.time,
        )
    show_watched(out, now.watched)
    _warn(out, now.alarms)
    if now.queued + now.unanswered:
        out.remark(f"{now.queued + now.unanswered} waiting: they go out with the next send or recv")


def opened(folder: Path, keys: "Keys") -> "AbstractAsyncContextManager[Messenger]":
    """The messenger of the profile in ``folder``."""
    from escrow_client.messenger import Messenger
    from escrow_client.profile import Profile

    return Messenger.open(Profile.load(folder, "chat"), keys=keys)


def utf8(data: bytes) -> str:
    """Text from the command line or from a file."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise click.UsageError("names and messages are UTF-8 text") from None


def _standard_input() -> bytes:
    return sys.stdin.buffer.read().removesuffix(b"\n")


def _show(out: Output, place: int, message: "Shown") -> None:
    account, file = message.sender.hex(), file_facts(message.content)
    group = f" in {printable(message.group)}" if message.group else ""
    others = f"{printable(message.sender_name)} ({account[:8]}){group}"
    sender = f"you to {printable(message.to)}" if message.to else others
    out.data(
        "message",
        f"{moment(message.time)}  {sender}  [{BADGES[message.mode]}]  {printable(message.text)}",
        number=place,
        sender=account,
        sender_name=message.sender_name,
        to=message.to,
        group=message.group,
        mode=MODES[message.mode],
        text=message.text,
        time=message.time,
        file=file,
    )
    if file is not None:
        out.remark(f"to have it: doublelock chat save {place} --to DIR")


def _where(message: "Shown") -> str:
    """What the conversation of a message is called."""
    return message.group or message.to or message.sender_name


def describe(out: Output, conversation: "ConversationStatus") -> None:
    """One conversation: with whom, and whether it is escrowed; of a group, who changes it."""
    mode = conversation.mode
    whose = conversation.peer.hex()[:8]
    if conversation.title:
        members, admin = ", ".join(conversation.members), conversation.admin_name
        whose = printable(f"{members}; changed by {admin}")
    trusted = f"; {TRUST[conversation.trust]}" if conversation.trust in TRUST else ""
    out.data(
        "conversation",
        f"  {printable(conversation.peer_name)} ({whose})  {BADGES[mode]}: {MEANINGS[mode]}{trusted}",
        peer=conversation.peer.hex(),
        peer_name=conversation.peer_name,
        mode=MODES[mode],
        meaning=MEANINGS[mode],
        trust=str(conversation.trust),
        title=conversation.title,
        members=list(conversation.members),
        admin=conversation.admin.hex(),
        admin_name=conversation.admin_name,
        version=conversation.version,
    )


def _changed(now: "Status") -> list[str]:
    return sorted({name for one in now.conversations for name in one.changed})


def _warn(out: Output, alarms: "Sequence[Alarm]") -> None:
    """Of what cannot be mended by waiting, say what it means and what to do."""
    from escrow.errors import Kind, Reason

    for name in dict.fromkeys(alarm.reason for alarm in alarms):
        if (reason := Reason[name]).kind is Kind.INTEGRITY:
            out.remark(f"{name}: {reason.sentence} {reason.hint}")


def show_watched(out: Output, watched: "Watched") -> None:
    """How far the log was read for devices of this account that nobody here knows of."""
    found = [f"{watched.ghosts} unknown lists of your devices FOUND"] if watched.ghosts else []
    found += [f"{watched.omitted} lists of your devices MISSING"] if watched.omitted else []
    verdict = ", ".join(found) or "no devices of yours that you do not know"
    until = f"up to {moment(watched.time_ms)}, {watched.size} entries" if watched.size else "not read yet"
    out.data(
        "watched",
        f"the log, {until}: {verdict}",
        entries=watched.size,
        time=watched.time_ms,
        ghosts=watched.ghosts,
        omitted=watched.omitted,
    )


async def report(out: Output, messenger: "Messenger", before: "Status", *, sending: int) -> None:
    """Say what became of what was sent, old and new; raise if something was refused or has to wait."""
    from escrow.errors import Reason, RefusedError, UnavailableError

    after = await messenger.status()
    accepted = after.accepted - before.accepted
    waiting = after.queued + after.unanswered
    refused = before.queued + before.unanswered + sending - accepted - waiting
    if sending or accepted or refused:
        out.data(
            "outcome",
            f"sent {accepted}, waiting {waiting}, refused {refused}",
            sent=accepted,
            waiting=waiting,
            refused=refused,
        )
    alarms = after.alarms[len(before.alarms) :]
    if refused and alarms:
        raise RefusedError(Reason[alarms[-1].reason], printable(alarms[-1].detail))
    if "KEY_CHANGED" in after.waiting:
        raise RefusedError(Reason.KEY_CHANGED, f"{after.waiting.count('KEY_CHANGED')} kept until you confirm them")
    silence = messenger.why_waiting()
    if waiting:
        reason = silence.reason if silence else Reason.UNAVAILABLE
        cause = silence.detail if silence else "what is needed is not in the log yet"
        raise UnavailableError(reason, f"{cause}; {waiting} kept, to be sent with the next command")
    if isinstance(silence, UnavailableError):
        raise silence
