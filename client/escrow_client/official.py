"""A person who holds one of the two locks: reads a case at the authority and signs it, under a key of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, Self, cast, final

from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import Call, CancelCase, Case, GetCase, SignCase
from escrow.rpc.channel import GrpcTransport
from escrow.tlog.entry import EntryType
from escrow.warrant import dsse
from escrow.warrant.documents import PAYLOAD_TYPE, WarrantPayload, check_home, parse_warrant, validate
from escrow.warrant.genesis import Genesis
from escrow.warrant.orders import statement_of
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

    async def issue(self, warrant_id: bytes) -> Case:
        """Sign as issuer: the first lock."""
        return await self._sign(await self.case(warrant_id), "issuer")

    async def approve(self, warrant_id: bytes) -> Case:
        """Sign as approver: the second lock. With it the authority seals the warrant in the log."""
        return await self._sign(await self.case(warrant_id), "approver")

    async def cancel(self, warrant_id: bytes) -> Case:
        """Stop a warrant for good: in the log, and at every custodian at once."""
        statement = statement_of(EntryType.CANCELLATION, seal_tag(warrant_id))
        return await self._ask(CancelCase(warrant_id, self._name, self._key.sign(statement)))

    async def _sign(self, case: Case, role: Role) -> Case:
        """Sign what was read, once it was checked that it is what it should be: custodians would refuse it later."""
        payload = read_warrant(case, self._genesis)
        if case.sealed:
            # An urgent warrant, sealed under the first lock alone: the second is an order about the seal.
            statement = statement_of(EntryType.APPROVAL, seal_tag(payload.id))
        else:
            statement = dsse.pae(PAYLOAD_TYPE, case.payload)
        return await self._ask(SignCase(payload.id, role, self._name, self._key.sign(statement)))

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
