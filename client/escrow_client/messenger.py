"""A user's messenger: the device role over its own store, its own certificate and gRPC."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self, cast, final

from escrow.cli.keys import Keys
from escrow.e2ee.file import File
from escrow.e2ee.linking import meeting_of
from escrow.errors import EscrowError, Reason, RefusedError, UnavailableError
from escrow.ids import Party
from escrow.node import Node
from escrow.roles.callers import device_party, newcomer_party
from escrow.roles.calls import Call, Reply
from escrow.roles.device import Device
from escrow.roles.device.commands import (
    ChangeGroup,
    Confirm,
    CreateGroup,
    GetInbox,
    GetSafety,
    GetStatus,
    Inbox,
    Meet,
    Register,
    Registered,
    Safety,
    Send,
    SendFile,
    SendReceipts,
    Status,
    Sync,
    Watched,
    WatchMe,
)
from escrow.roles.device.enrolment import FIRST_NUMBER
from escrow.roles.device.groups import is_group, mode_of
from escrow.roles.device.history import GetHistory, History
from escrow.roles.device.linking import (
    Compare,
    Devices,
    GetDevices,
    GetLinking,
    Host,
    Join,
    Linking,
    Look,
    Publish,
    RemoveDevice,
    Stage,
)
from escrow.roles.device.state import ESCROW, PLAIN
from escrow_client.attaching import attach
from escrow_client.deployment import Deployment
from escrow_client.line import Line
from escrow_client.profile import Profile
from escrow_client.saving import save
from escrow_client.transfer import Progress, unseen

RELAY = Party("relay")
NOT_REGISTERED = Reason.NOT_FOUND
LINKED_LATER = "linked"
"""What the profile of a device is called whose account is not known yet."""


@final
class Messenger:
    """One device at work. Commands may be given from many tasks; they are carried out one after the other.

    What cannot be delivered stays in the profile and goes out with a later command, also after a crash.
    """

    def __init__(self, node: Node, deployment: Deployment, profile: Profile, line: Line) -> None:
        self.node = node
        self._deployment = deployment
        self._profile = profile
        self._line = line
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, profile: Profile, deployment: Deployment | None = None, keys: Keys | None = None
    ) -> AsyncIterator[Self]:
        """The messenger of ``profile``; ``deployment`` is shared where many live in one process.

        ``keys`` opens it, by default the key file that lies in the profile. Raises what ``Profile.open_store`` and
        ``Deployment.open`` raise.
        """
        deployment = deployment or Deployment.open(profile.home, lab=profile.lab)
        profile.check(deployment.genesis)
        async with AsyncExitStack() as stack:
            store = await profile.open_store(deployment, keys or Keys())
            stack.push_async_callback(store.close)
            line = Line()
            stack.push_async_callback(line.close)
            node = deployment.node(
                Party(f"device/{profile.name}"), Device(deployment.genesis, receipts=True), store, line
            )
            messenger = cls(node, deployment, profile, line)
            try:
                status = await messenger.status()
            except RefusedError as error:
                if error.reason is not NOT_REGISTERED:
                    raise
            else:
                await messenger._go_online(status.account, status.device)
            yield messenger

    async def register(self) -> Status:
        """Make the account, log it and publish its prekeys. Repeating it finishes what could not be done before.

        Raises ``UnavailableError`` while a part is out of reach, and ``NAME_TAKEN`` once the relay has said so.
        """
        async with self._one_at_a_time:
            if not self._online:
                registered = cast(Registered, await self.node.ask(self.node.party, Register(self._profile.name)))
                await self._go_online(registered.account, FIRST_NUMBER)
            await self.node.pump()
        return await self._enrolled()

    # -- other devices of the account ---------------------------------------------------------

    async def join(self) -> Linking:
        """On a new device: make keys and a code; or go on with a linking that was begun, or settle in after it.

        Raises ``NAME_TAKEN`` if the profile has an account of its own, ``UnavailableError`` as ``register`` does.
        """
        if self._online:
            return await self._settle_in()
        async with self._one_at_a_time:
            await self.node.ask(self.node.party, Join())
            code = (await self.linking()).code
            self.node.party = newcomer_party(meeting_of(code))
            # For ten minutes: not worth a file.
            await self._line.connect(self._deployment.transport(self._deployment.home.issue(self.node.party)))
            await self.node.pump()
        return await self.linking()

    async def host(self, code: str) -> Linking:
        """On the account's first device: meet the device that shows ``code``."""
        await self._command(Host(code))
        return await self.linking()

    async def look(self) -> Linking:
        """Look what has come of the linking. A new device that is on the list by now settles in."""
        async with self._one_at_a_time:
            await self.node.run(Look())
        return await self._after_step()

    async def compare(self, string: str) -> Linking:
        """The user says that the other screen shows ``string``; if it is another one, the linking has failed."""
        async with self._one_at_a_time:
            await self.node.run(Compare(string))
        return await self._after_step()

    async def linking(self) -> Linking:
        """Where the linking stands; ``NOT_FOUND`` if there is none."""
        return cast(Linking, await self.node.ask(self.node.party, GetLinking()))

    async def devices(self) -> Devices:
        """The devices of this account, as the log shows them now if it can be reached."""
        await self._command(Look())
        return cast(Devices, await self.node.ask(self.node.party, GetDevices()))

    async def remove_device(self, number: int) -> None:
        """On the account's first device: take a device off the list. ``UnavailableError`` while the log is away."""
        before = len((await self.status()).alarms)
        await self._command(RemoveDevice(number))
        alarms = (await self.status()).alarms[before:]
        if alarms:
            raise RefusedError(Reason[alarms[-1].reason], alarms[-1].detail)
        if any(device.number == number for device in (await self.devices()).devices):
            raise self.why_waiting() or UnavailableError(Reason.UNAVAILABLE, "log")

    async def _after_step(self) -> Linking:
        shown = await self.linking()
        joined = shown.stage == Stage.LINKED and self.node.party.startswith("newcomer/")
        return await self._settle_in() if joined else shown

    async def _settle_in(self) -> Linking:
        """On the list: speak as a device of the account from now on, and become reachable."""
        shown = await self.linking()
        async with self._one_at_a_time:
            await self._go_online(shown.account, shown.device)
            await self.node.run(Publish())
        await self._enrolled()
        return shown

    # -- messages -----------------------------------------------------------------------------

    async def send(self, to: str, text: str, *, escrow: bool) -> None:
        """Queue ``text`` for ``to`` (a name, an account id in 64 hex digits, or a group) and send what can be sent.

        What became of it shows in ``status``.
        """
        await self._command(Send(to, ESCROW if escrow else PLAIN, text))

    async def is_escrowed(self, to: str) -> bool:
        """Whether what is sent to ``to`` is escrowed if nobody says: as a group was begun, and never to a user.

        Raises ``NOT_FOUND`` for a group that is not here.
        """
        return is_group(to) and await self.node.read(lambda view: mode_of(view, to)) == ESCROW

    async def create_group(self, name: str, members: Sequence[str], *, escrow: bool) -> None:
        """Begin a group called ``name``, with ``#`` in front, whose mode is for ever; ``NAME_TAKEN``, ``USAGE``.

        What became of it shows in ``status``.
        """
        await self._command(CreateGroup(name, tuple(members), ESCROW if escrow else PLAIN))

    async def change_group(self, name: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add and remove members of a group of ours; ``PERMISSION_DENIED`` for somebody else's, ``NOT_FOUND``."""
        await self._command(ChangeGroup(name, tuple(add), tuple(remove)))

    async def send_file(self, to: str, path: Path, *, escrow: bool, progress: Progress = unseen) -> None:
        """Bring the file at ``path`` to the relay, and then queue the message that names it, as ``send`` does.

        Repeating it after it was cut off goes on where it was. Raises ``RefusedError`` (USAGE, TOO_LARGE, FILE_CHANGED,
        RATE_LIMITED) and ``UnavailableError`` before anything is queued.
        """
        self._check_online()
        file = await attach(self.node, self._ask_relay, path, self._profile.folder, progress)
        await self._command(SendFile(to, ESCROW if escrow else PLAIN, file))

    async def save(self, number: int, folder: Path, progress: Progress = unseen) -> Path:
        """Fetch the file of message ``number`` of the inbox into ``folder``; return where it lies.

        Raises ``RefusedError``: NOT_FOUND if there is no such message or no file in it, NOT_RETAINED, USAGE, and what
        is wrong with what the relay has.
        """
        self._check_online()
        inbox = await self.inbox(number)
        content = inbox.messages[0].content if inbox.start == number and inbox.messages else None
        if not isinstance(content, File):
            raise RefusedError(Reason.NOT_FOUND, f"message {number} has no file")
        return await save(self._ask_relay, content, folder, progress)

    async def sync(self) -> None:
        """Fetch what waits at the relay, and try again what could not be sent."""
        await self._command(Sync())

    async def inbox(self, start: int = 0) -> Inbox:
        """Messages that passed every check, from number ``start`` on."""
        return cast(Inbox, await self.node.ask(self.node.party, GetInbox(start)))

    async def send_receipts(self, *, on: bool) -> None:
        """Tell senders from now on what was shown here, or do not."""
        await self._command(SendReceipts(on))

    async def history(self, peer: str = "") -> History:
        """What was sent and shown in all conversations, or with ``peer``: a name, an account id, or a ``#group``."""
        return cast(History, await self.node.ask(self.node.party, GetHistory(peer)))

    async def status(self) -> Status:
        """What the status screen shows; ``NOT_FOUND`` before ``register``."""
        return cast(Status, await self.node.ask(self.node.party, GetStatus()))

    async def watch(self) -> Watched:
        """Read the log to its end for devices of this account that this device did not approve."""
        await self._command(WatchMe())
        return (await self.status()).watched

    async def safety(self, peer: str) -> Safety:
        """What to compare with ``peer`` (a name, or an account id in 64 hex digits), by the newest view of the log.

        Raises ``NOT_FOUND`` if nobody knows who that is, and ``UnavailableError`` if nobody could be asked.
        """
        await self._command(Meet(peer))
        try:
            return cast(Safety, await self.node.ask(self.node.party, GetSafety(peer)))
        except RefusedError as error:
            raise self.why_waiting() or error from None

    async def confirm(self, peer: str, shown: Safety) -> None:
        """Agree to write to the devices that were ``shown``; what waited for that goes out."""
        await self._command(Confirm(peer, shown.list_hash))

    def why_waiting(self) -> EscrowError | None:
        """Whom we could not get an answer from, if that is why something waits."""
        return self._line.why_waiting()

    @property
    def _online(self) -> bool:
        return self._line.connected

    def _check_online(self) -> None:
        if not self._online:
            raise RefusedError(NOT_REGISTERED, f"{self._profile.folder} is not registered yet")

    async def _ask_relay(self, call: Call) -> Reply:
        return await self._line.call(self.node.party, RELAY, call)

    async def _command(self, call: Call) -> None:
        self._check_online()
        async with self._one_at_a_time:
            await self.node.run(call)

    async def _enrolled(self) -> Status:
        status = await self.status()
        if not status.enrolled:
            raise self.why_waiting() or _refused(status)
        return status

    async def _go_online(self, account: bytes, device: int) -> None:
        self.node.party = device_party(account, device)
        credentials = self._deployment.credentials(self.node.party, self._profile.identity)
        await self._line.connect(self._deployment.transport(credentials))


def _refused(status: Status) -> EscrowError:
    """Why a device that everybody answered is not enrolled."""
    if not status.alarms:
        return UnavailableError(Reason.UNAVAILABLE, "relay")
    latest = status.alarms[-1]
    return RefusedError(Reason[latest.reason], latest.detail)
