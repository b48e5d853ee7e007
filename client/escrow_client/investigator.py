"""An agency's desk: the agency role over its own store, its own certificate and gRPC."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self, cast, final

from escrow.cli.keys import Keys
from escrow.e2ee.file import File
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.agency import Agency
from escrow.roles.agency.commands import (
    Applied,
    Execute,
    GetOpened,
    GetReport,
    NewApplication,
    Opened,
    Refresh,
    Report,
    Succeed,
    Withdraw,
)
from escrow.roles.agency.state import load_case
from escrow.roles.calls import Call, Found, Lookup, Reply
from escrow.roles.evidence.bundle import Bundle
from escrow.roles.evidence.making import make_bundle
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.etsi.writing import Endpoints, write
from escrow.warrant.genesis import Genesis
from escrow.warrant.identifier import parse_identifier
from escrow.warrant.table import State
from escrow_client.deployment import Deployment
from escrow_client.evidence import gather
from escrow_client.line import Line
from escrow_client.profile import Profile
from escrow_client.saving import save
from escrow_client.transfer import Progress, unseen

RELAY = Party("relay")

_IDENTIFIER = re.compile(r"[0-9a-zA-Z]{50,80}-[0-9a-zA-Z]*")
"""What was meant as an identifier, however badly it was copied; no user's name is as long."""
LOG = Party("log")


@final
class Investigator:
    """One agency at work. Commands may be given from many tasks; they are carried out one after the other."""

    def __init__(self, node: Node, line: Line, genesis: Genesis, clock: Callable[[], Millis]) -> None:
        self.node = node
        self.limits = genesis.policy.limits
        self._genesis = genesis
        self._clock = clock
        self._line = line
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, profile: Profile, deployment: Deployment | None = None, keys: Keys | None = None
    ) -> AsyncIterator[Self]:
        """The desk of ``profile``; ``deployment`` is shared where many clients live in one process.

        ``keys`` opens it, by default the key file that lies at the desk. Raises what ``Profile.open_store`` and
        ``Deployment.open`` raise.
        """
        deployment = deployment or Deployment.open(profile.home, lab=profile.lab)
        profile.check(deployment.genesis)
        async with AsyncExitStack() as stack:
            store = await profile.open_store(deployment, keys or Keys())
            stack.push_async_callback(store.close)
            line = Line()
            stack.push_async_callback(line.close)
            party = Party(f"agency/{profile.name}")
            await line.connect(deployment.transport(deployment.credentials(party, profile.identity)))
            node = deployment.node(party, Agency(deployment.genesis, profile.name), store, line)
            yield cls(node, line, deployment.genesis, deployment.clock)

    async def account_of(self, name: str) -> bytes:
        """The account (32 bytes) that ``name`` stands for: an identifier, bare digits, or a name that the relay knows.

        ``IDENTIFIER_INVALID`` for an identifier that was not copied in full; ``NOT_FOUND``.
        """
        if _IDENTIFIER.fullmatch(name):
            return parse_identifier(name)
        if len(name) == 64 and set(name) <= set("0123456789abcdef"):
            return bytes.fromhex(name)
        return cast(Found, await self._ask_relay(Lookup(name))).account

    async def apply(self, application: NewApplication) -> Report:
        """File an application with the authority. Raises what the policy does not admit, or why it was refused.

        While the authority is out of reach the application waits here, and goes out with a later command.
        """
        return await self._filed(application)

    async def succeed(self, wanted: Succeed) -> Report:
        """Apply for a renewal or a modification of a warrant; as ``apply``."""
        return await self._filed(wanted)

    async def withdraw(self, warrant_id: bytes) -> Report:
        """Take an application back. Raises ``ILLEGAL_STEP`` once it is sealed."""
        await self._command(Withdraw(warrant_id))
        report = await self.report(warrant_id)
        if report.refused:
            raise RefusedError(Reason[report.refused], warrant_id.hex())
        return report

    async def _filed(self, application: NewApplication | Succeed) -> Report:
        applied = cast(Applied, await self._command(application))
        report = await self.report(applied.warrant_id)
        if report.refused:
            raise RefusedError(Reason[report.refused], applied.warrant_id.hex())
        return report

    async def execute(self, warrant_id: bytes) -> Report:
        """Obtain and open what the warrant covers, as far as the custodians release it. May be repeated."""
        await self._command(Execute(warrant_id))
        return await self.report(warrant_id)

    async def refresh(self, warrant_id: bytes) -> Report:
        """Ask the authority where the case stands."""
        await self._command(Refresh(warrant_id))
        return await self.report(warrant_id)

    async def report(self, warrant_id: bytes) -> Report:
        """What is known here of a warrant, asking nobody; ``NOT_FOUND``."""
        return cast(Report, await self.node.ask(self.node.party, GetReport(warrant_id)))

    async def application(self, warrant_id: bytes) -> WarrantPayload:
        """What was applied for; ``NOT_FOUND``."""
        return await self.node.read(lambda view: load_case(view, warrant_id).payload)

    async def opened(self, warrant_id: bytes) -> Opened:
        """Everything that was opened under a warrant."""
        return cast(Opened, await self.node.ask(self.node.party, GetOpened(warrant_id)))

    async def save(self, file: File, folder: Path, progress: Progress = unseen) -> Path:
        """Fetch a file that an opened message names into ``folder``; return where it lies.

        Raises ``NOT_RETAINED`` if the relay no longer has it, and what is wrong with what it has.
        """
        return await save(self._ask_relay, file, folder, progress)

    async def evidence(self, warrant_id: bytes) -> Bundle:
        """All that this desk has about a warrant and others can check, with the log up to now; ``NOT_FOUND``."""
        genesis = self._genesis
        entries, notes = await gather(self._ask_log, genesis, warrant_id)
        return await self.node.read(lambda view: make_bundle(genesis, view, warrant_id, entries, notes))

    async def ts103120(self, warrant_id: bytes) -> bytes:
        """The warrant as a message of ETSI TS 103 120, as its agency knows it; ``NOT_FOUND``."""
        case, now = await self.node.read(lambda view: load_case(view, warrant_id)), self._clock()
        signers = [(role, person) for role, _, person in (one.partition(":") for one in case.signers)]
        state = State(case.state) if case.state else State.DRAFT
        return write(case.payload_bytes, state, signers, now, Endpoints(self.node.party, RELAY))

    def why_waiting(self) -> EscrowError | None:
        """Whom we could not get an answer from, if that is why something waits."""
        return self._line.why_waiting()

    async def _ask_relay(self, call: Call) -> Reply:
        return await self._line.call(self.node.party, RELAY, call)

    async def _ask_log(self, call: Call) -> Reply:
        return await self._line.call(self.node.party, LOG, call)

    async def _command(self, call: Call) -> Reply:
        async with self._one_at_a_time:
            return await self.node.run(call)
