"""The people around the custodians: they look at the log, sign for a root or a custodian, and put it into the log.

Nothing is kept on this side and nobody is asked but the log: how a ceremony stands is what the log shows under a quorum
of its witnesses. So two people who act at once see the same, and an interrupted command may be given again.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self, TypeVar, cast, final

from escrow.committee.documents import ShareGeneration
from escrow.committee.succession import HandoverProposal, reshared_group
from escrow.crypto.sign import SigningKey
from escrow.errors import Reason, RefusedError, UnavailableError
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.authorised import proposal_for
from escrow.roles.calls import Append, Appended
from escrow.roles.handover_orders import Attempt
from escrow.roles.ledger import LoggedKey
from escrow.roles.onlooker import Onlooker
from escrow.roles.onlooker.standing import Look, Standing, State
from escrow.store.memory import MemoryStore
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant import dsse, strict
from escrow.warrant.genesis import Genesis
from escrow.warrant.handover_order import (
    CANCELLATION_TYPE,
    ORDER_TYPE,
    HandoverCancellation,
    HandoverOrder,
    Member,
)
from escrow_client.deployment import Deployment
from escrow_client.line import Line

R = TypeVar("R")

LOG = Party("log")
_TRIES = 3
"""How often a signature is added anew because another root was quicker."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody who begins a handover asks for. ``effective_at`` in ms; none: when the effect delay is over."""

    members: tuple[Member, ...]
    threshold: int
    effective_at: int | None = None


@final
class Ceremonies:
    """One person's view of the log, followed afresh from its first entry on."""

    def __init__(self, genesis: Genesis, node: Node, line: Line, now: Millis) -> None:
        self._genesis = genesis
        self._node = node
        self._line = line
        self._now = now
        self._role = Onlooker(genesis)

    @classmethod
    @asynccontextmanager
    async def open(cls, deployment: Deployment) -> AsyncIterator[Self]:
        """Follow the log of ``deployment``; raises why it cannot be followed."""
        me, line = Party("person/onlooker"), Line()
        try:
            await line.connect(deployment.transport(deployment.home.issue(me)))
            node = deployment.node(me, Onlooker(deployment.genesis), MemoryStore(), line)
            ceremonies = cls(deployment.genesis, node, line, deployment.clock())
            await ceremonies.follow()
            yield ceremonies
        finally:
            await line.close()

    async def follow(self) -> None:
        """Read what the log has taken since."""
        await self._node.catch_up()
        if (silence := self._line.why_waiting()) is not None:
            raise silence

    # -- looking ------------------------------------------------------------------------------

    async def standing(self, ceremony: str, period: int, nonce: str = "") -> Standing:
        """How it stands; ``CEREMONY_STALE`` if ``nonce`` is not that of the attempt."""

        def query(view: object) -> Standing:
            look = Look(self._genesis, cast("MemoryStore", view), self._now)
            if ceremony == "handover":
                return look.handover(period, nonce)
            return look.erasure(period) if ceremony == "erase" else look.key_generation(ceremony, period)

        standing = await self._node.read(query)
        standing.require_nonce(nonce)
        return standing

    # -- what custodians' operators begin -----------------------------------------------------

    async def propose_key(self, ceremony: str, period: int, custodian: SigningKey) -> Standing:
        """Ask the custodians to make the key of a period now. What is under way or done already stays as it is."""
        if (await self.standing(ceremony, period)).state is State.NONE:
            proposal = proposal_for(self._genesis, period).encode()
            await self._log(EntryType.COMMITTEE_PROPOSAL, proposal, custodian)
        return await self.standing(ceremony, period)

    async def refresh(self, period: int, custodian: SigningKey) -> Standing:
        """Ask the holders of a period's shares to replace them; ``CEREMONY_RUNNING`` while they do, or are to."""
        _, newest = await self._in_force(period)
        before = await self.standing("handover", period)
        if before.state in (State.SIGNING, State.WAITING, State.RUNNING):
            raise RefusedError(Reason.CEREMONY_RUNNING, before.nonce)
        nonce = secrets.token_bytes(16)
        proposal = HandoverProposal(self._genesis.policy.suite, newest.hash, newest.members, newest.threshold, nonce)
        await self._log(EntryType.HANDOVER_PROPOSAL, proposal.encode(), custodian)
        return await self.standing("handover", period)

    # -- what roots order ---------------------------------------------------------------------

    async def order(self, period: int, wish: Wish, root: SigningKey) -> Standing:
        """Begin a handover to others, as the first root that signs it."""
        logged, newest = await self._in_force(period)
        soon = self._now + self._genesis.effect_delay_ms
        order = HandoverOrder(
            version=1,
            genesis=self._genesis.hash.hex(),
            committee_key=logged.key.hash.hex(),
            generation=newest.hash.hex(),
            members=wish.members,
            threshold=wish.threshold,
            nonce=secrets.token_hex(16),
            effective_at=soon if wish.effective_at is None else wish.effective_at,
        )
        await self._sign(dsse.Envelope(ORDER_TYPE, strict.encode(order), ()), root)
        return await self.standing("handover", period, order.nonce)

    async def submit(self, period: int, nonce: str, root: SigningKey) -> Standing:
        """Add a root's signature to the attempt with that nonce. Signing twice is signing once.

        ``CEREMONY_STALE`` if another attempt is under way, or none, or if it needs no more.
        """
        for _ in range(_TRIES):
            attempt, _ = await self._attempt(period, nonce)
            if root.public in attempt.signers:
                break
            try:
                await self._sign(dsse.Envelope.parse(attempt.envelope), root)
            except RefusedError as error:
                if error.reason is not Reason.CEREMONY_STALE:
                    raise
                await self.follow()
        return await self.standing("handover", period, nonce)

    async def cancel(self, period: int, nonce: str, root: SigningKey) -> Standing:
        """Stop the attempt with that nonce, as one root."""
        _, order = await self._attempt(period, nonce)
        document = HandoverCancellation(version=1, genesis=order.genesis, order=order.hash.hex())
        payload = strict.encode(document)
        envelope = dsse.Envelope(CANCELLATION_TYPE, payload, (dsse.sign(CANCELLATION_TYPE, payload, root),))
        await self._log(EntryType.HANDOVER_CANCELLATION, envelope.encode(), root)
        return await self.standing("handover", period, nonce)

    async def _attempt(self, period: int, nonce: str) -> tuple[Attempt, HandoverOrder]:
        _, newest = await self._in_force(period)
        handovers = self._role.follower.handovers
        attempt = await self._node.read(lambda view: handovers.under_way(view, newest))
        order = None if attempt is None else attempt.order(self._genesis)
        if attempt is None or order is None or order.nonce != nonce:
            standing = await self.standing("handover", period)
            raise RefusedError(Reason.CEREMONY_STALE, f"{standing.nonce or 'none'} is {standing.state}")
        return attempt, order

    async def _sign(self, envelope: dsse.Envelope, root: SigningKey) -> None:
        mine = dsse.sign(ORDER_TYPE, envelope.payload, root)
        signed = dsse.Envelope(ORDER_TYPE, envelope.payload, (*envelope.signatures, mine))
        await self._log(EntryType.HANDOVER_ORDER, signed.encode(), root)

    # -- the log ------------------------------------------------------------------------------

    async def _in_force(self, period: int) -> tuple[LoggedKey, ShareGeneration]:
        """The key of a period and who holds it; ``SUITE_MISMATCH`` where shares stay where they are."""
        reshared_group(self._genesis.policy.suite)
        ledger, policy = self._role.follower, self._genesis.policy.hash
        logged = await self._node.read(lambda view: ledger.committee_key(view, policy, period))
        newest = (
            None if logged is None else await self._node.read(lambda view: ledger.generation(view, logged.key.hash))
        )
        if logged is None or newest is None:
            raise UnavailableError(Reason.NO_COMMITTEE_KEY, f"period {period}")
        return logged, newest

    async def _log(self, entry_type: EntryType, payload: bytes, key: SigningKey) -> None:
        """Put an entry into the log and see it there; raises the log's reason."""
        entry = Entry.make(entry_type, payload, key, self._genesis.log.origin)
        reply = cast(Appended, await self._line.call(self._node.party, LOG, Append((entry,))))
        (result,) = reply.results
        if result.reason:
            raise RefusedError(Reason[result.reason])
        await self.follow()
