"""A person who holds one of the two locks: reads a case at the authority and signs it, under a key of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Self, cast, final

from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import Call, Case, GetCase, OrderCase, SignCase
from escrow.rpc.channel import GrpcTransport
from escrow.tlog.entry import EntryType
from escrow.warrant import dsse
from escrow.warrant.documents import PAYLOAD_TYPE, WarrantPayload, check_home, parse_warrant, validate
from escrow.warrant.genesis import Genesis
from escrow.warrant.orders import REPEATED, statement_of
from escrow.warrant.postponing import postponed
from escrow.warrant.sealing import seal_tag
from escrow_client.deployment import Deployment

AUTHORITY = Party("authority")

Role = Literal["issuer", "approver"]


@final
class Official:
    """One person at the authority's desk. Nothing is kept on this side."""

    def __init__(self, genesis: Genesis, name: str, key: SigningKey, transport: GrpcTransport) -> None:
        self._genesis = genesis
        self._name = name
        self._party = Party(f"person/{name}")
        self._key = key
        self._transport = transport

    @classmethod
    @asynccontextmanager
    async def open(cls, deployment: Deployment, name: str) -> AsyncIterator[Self]:
        """The person called ``name``. Raises ``CERTIFICATE_MISSING`` if the deployment keeps no key of theirs."""
        key = deployment.home.person(name)
        transport = deployment.transport(deployment.home.issue(Party(f"person/{name}")))
        try:
            yield cls(deployment.genesis, name, key, transport)
        finally:
            await transport.close()

    async def case(self, warrant_id: bytes) -> Case:
        """The case of a warrant (16 bytes); ``NOT_FOUND``."""
        return await self._ask(GetCase(warrant_id))

    async def issue(self, warrant_id: bytes, identifiers: tuple[str, ...] = ()) -> Case:
        """Sign as issuer: the first lock. ``identifiers`` are the targets, read from a source of this person's own."""
        return await self._sign(await self.case(warrant_id), "issuer", identifiers)

    async def approve(self, warrant_id: bytes, identifiers: tuple[str, ...] = ()) -> Case:
        """Sign as approver: the second lock. With it the authority seals the warrant in the log."""
        return await self._sign(await self.case(warrant_id), "approver", identifiers)

    async def refuse(self, warrant_id: bytes) -> Case:
        """Say no as approver: before the seal, or of an urgent warrant that still lacks the second lock."""
        return await self._order(warrant_id, EntryType.REFUSAL)

    async def suspend(self, warrant_id: bytes) -> Case:
        """Stop a warrant until both locks resume it: in the log, and at every custodian at once."""
        return await self._order(warrant_id, EntryType.SUSPENSION)

    async def resume(self, warrant_id: bytes) -> Case:
        """Sign for a suspended warrant to go on, which both locks must do."""
        return await self._order(warrant_id, EntryType.RESUMPTION)

    async def attain(self, warrant_id: bytes) -> Case:
        """End a warrant whose aim is attained."""
        return await self._order(warrant_id, EntryType.ATTAINMENT)

    async def extend(self, warrant_id: bytes, until: int) -> Case:
        """Sign for a warrant to stay secret until a later time (ms), which both locks must do."""
        statement = postponed(EntryType.NONDISCLOSURE_EXTENDED, seal_tag(warrant_id), until)
        return await self._said(warrant_id, EntryType.NONDISCLOSURE_EXTENDED, until, statement)

    async def delay_notice(self, warrant_id: bytes, until: int) -> Case:
        """Sign for the target to be told later (ms), which both locks must do."""
        statement = postponed(EntryType.NOTICE_DELAYED, seal_tag(warrant_id), until)
        return await self._said(warrant_id, EntryType.NOTICE_DELAYED, until, statement)

    async def cancel(self, warrant_id: bytes) -> Case:
        """Stop a warrant for good: in the log, and at every custodian at once."""
        return await self._order(warrant_id, EntryType.CANCELLATION)

    async def _order(self, warrant_id: bytes, kind: EntryType) -> Case:
        turn = (await self.case(warrant_id)).turn if kind in REPEATED else 0
        return await self._said(warrant_id, kind, turn, statement_of(kind, seal_tag(warrant_id), turn))

    async def _said(self, warrant_id: bytes, kind: EntryType, detail: int, statement: bytes) -> Case:
        return await self._ask(OrderCase(warrant_id, kind, detail, self._name, self._key.sign(statement)))

    async def _sign(self, case: Case, role: Role, identifiers: tuple[str, ...]) -> Case:
        """Sign what was read, once it was checked that it is what it should be: custodians would refuse it later."""
        payload = read_warrant(case, self._genesis)
        if case.sealed:
            # An urgent warrant, sealed under the first lock alone: the second is an order about the seal.
            statement = statement_of(EntryType.APPROVAL, seal_tag(payload.id))
        else:
            statement = dsse.pae(PAYLOAD_TYPE, case.payload)
        ending = b""
        if payload.supersedes is not None and role == "issuer":
            # Whoever issues a successor ends what it replaces: one without the other would leave two in force, or none.
            ending = self._key.sign(statement_of(EntryType.CANCELLATION, bytes.fromhex(payload.supersedes)))
        signature = self._key.sign(statement)
        return await self._ask(SignCase(payload.id, role, self._name, signature, ending, identifiers))

    async def _ask(self, call: Call) -> Case:
        return cast(Case, await self._transport.call(self._party, AUTHORITY, call))


def read_warrant(case: Case, genesis: Genesis) -> WarrantPayload:
    """The warrant of a case, checked under the policy. Raises as ``warrant.documents`` does, and ``SEAL_MISMATCH``."""
    payload = parse_warrant(case.payload)
    if payload.id != case.warrant_id:
        raise RefusedError(Reason.SEAL_MISMATCH, "the authority shows another warrant")
    check_home(payload, genesis)
    validate(payload, genesis.policy)
    return payload
