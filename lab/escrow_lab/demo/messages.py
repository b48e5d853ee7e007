"""The first half of the story: people talk, and everything arrives."""

from collections.abc import Awaitable, Iterable
from typing import Final

from escrow.errors import Reason, UnavailableError
from escrow.node import Node
from escrow.roles.calls import Submit
from escrow.roles.device import report
from escrow.roles.device.commands import Send, Sync
from escrow.roles.device.state import load_me
from escrow.roles.lightview import LightView
from escrow.roles.machine import Read, outbox
from escrow_lab.demo.narrator import Narrator
from escrow_lab.demo.stage import Stage
from escrow_lab.demo.workload import Message, Workload

LEAD: Final = 24 * 3600
"""The deployment's clock is this many seconds ahead of the workload's, which may start at 0: keys come first."""
LOOKS: Final = 30 * 24 * 3600
"""Seconds after which people look for mail though none was announced: who does not for months runs out of prekeys."""
ATTEMPTS: Final = 40
"""How often a device that could not reach its relay tries again; there is a pause before each."""


def lab_time(seconds: int) -> int:
    """Workload seconds as ms of the deployment's clock."""
    return 1000 * (LEAD + seconds)


def workload_time(ms: int) -> int:
    """The other way round."""
    return ms // 1000 - LEAD


async def send_all(stage: Stage, work: Workload, narrator: Narrator) -> None:
    """Every message in order, each at its time. Whoever got mail reads it meanwhile, and before writing again."""
    total = len(work.messages)
    narrator.say("messages-begin", f"{total} messages are on their way.", total=total)
    reading: dict[str, Awaitable[None]] = {}
    looked = dict.fromkeys(work.users, work.messages[0].time)
    for done, message in enumerate(work.messages, start=1):
        await stage.advance_to(lab_time(message.time))
        if message.source in reading:
            await reading.pop(message.source)
        if message.time - looked[message.target] > LOOKS:
            await _read(stage.device(message.target), reading.pop(message.target, None))
        looked[message.target] = message.time
        await _say(stage, stage.device(message.source), message)
        before = reading.get(message.target)
        reading[message.target] = await stage.begin(_read(stage.device(message.target), before))
        narrator.progress(done, total, "messages")
    for each in reading.values():
        await each
    for name in work.users:
        await _finish(stage, name)
    # Once more for everybody: a relay that was away when somebody looked has mail now.
    for each in [await stage.begin(_read(stage.device(name), None)) for name in work.users]:
        await each
    narrator.say("messages-end", "Everybody has read their mail.")


async def _read(device: Node, before: Awaitable[None] | None) -> None:
    """Fetch mail, one fetch after the other."""
    if before is not None:
        await before
    await device.run(Sync())


async def _say(stage: Stage, sender: Node, message: Message) -> None:
    """Send a message. While the relay is being started again the clock stands still: what is said has its time."""
    await sender.run(Send(message.target, message.mode, message.text))
    for _ in range(ATTEMPTS):
        if not await sender.read(_unsent):
            return
        await stage.pause()
        await sender.run(Sync())


def _unsent(view: Read) -> bool:
    """Whether the relay has yet to take something that the user said."""
    waiting = (next(iter(view.scan(place)), None) for place in (b"queue/", b"later/"))
    return any(waiting) or any(isinstance(todo.call, Submit) for todo in outbox(view))


async def _finish(stage: Stage, name: str) -> None:
    """See to it that nothing a user has said stays behind, and that nothing was refused."""
    device, light = stage.device(name), LightView(stage.genesis)
    for _ in range(ATTEMPTS):
        status = await device.read(lambda view: report.status(view, light))
        if status.refused:
            raise UnavailableError(Reason.UNAVAILABLE, f"{name}: a message was refused, {status.refused[0]}")
        if not status.queued and not status.unanswered:
            return
        await stage.pause()
        await device.run(Sync())
    raise UnavailableError(Reason.UNAVAILABLE, f"{name} cannot deliver its messages")


async def inboxes(stage: Stage, names: Iterable[str]) -> list[tuple[str, Message]]:
    """What every user was shown: (owner, message)."""
    shown, light = [], LightView(stage.genesis)
    for name in names:
        inbox = await stage.device(name).read(lambda view: report.inbox(view, light, 0))
        shown += [
            (name, Message(workload_time(each.time), each.sender_name, name, each.mode, each.text))
            for each in inbox.messages
        ]
    return shown


async def account_of(device: Node) -> bytes:
    """A registered user's account id."""
    return (await device.read(load_me)).keys.account
