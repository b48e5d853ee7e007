"""The stage of the World: all parties in this thread, no process, no socket, time as fast as it can be computed."""

from collections.abc import Awaitable, Coroutine, Generator, Sequence
from typing import Any

from escrow.crypto.sign import SigningKey
from escrow.ids import Millis, Party
from escrow.node import Node
from escrow.roles.calls import Call, GetCommittee, GetHead, Reply
from escrow.roles.machine import Read
from escrow.store import MemoryStore
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.note import Note
from escrow.world.world import World


class WorldStage:
    """See ``Stage``. Its coroutines never wait, so ``escrow.world.loop.complete`` runs a story on it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.genesis = world.genesis

    @property
    def now(self) -> Millis:
        """See ``Stage.now``."""
        return self.world.now

    async def advance_to(self, when: int) -> None:
        """See ``Stage.advance_to``."""
        self.world.advance_to(when)

    async def pause(self) -> None:
        """See ``Stage.pause``: nothing here happens by itself."""

    async def begin(self, job: Coroutine[Any, Any, None]) -> Awaitable[None]:
        """See ``Stage.begin``: there is one thread, so it is done at once."""
        await job
        return _Done()

    async def settle(self) -> None:
        """See ``Stage.settle``."""
        self.world.settle()

    async def committee(self) -> int:
        """See ``Stage.committee``."""
        self.world.make_committee_key()
        return 1 + max(int(self.world.ask(party, GetCommittee()).run) for party in self.genesis.custodian_keys)

    async def register(self, names: Sequence[str]) -> None:
        """See ``Stage.register``."""
        for name in names:
            self.world.register(name)

    def device(self, name: str) -> Node:
        """See ``Stage.device``."""
        return self.world.devices[name]

    async def agency(self, name: str) -> Node:
        """See ``Stage.agency``."""
        return self.world.agency(name)

    async def call(self, origin: str, to: str, call: Call) -> Reply:
        """See ``Stage.call``; what the other side then owes, it delivers at once, as its service would."""
        reply = await self.world.network.call(Party(origin), Party(to), call)
        await self.world[to].pump()
        return reply

    def person_key(self, name: str) -> SigningKey:
        """See ``Stage.person_key``."""
        return SigningKey.from_seed(self.world.founding.people[name])

    def party_key(self, party: str) -> SigningKey:
        """See ``Stage.party_key``."""
        return SigningKey.from_seed(self.world.founding.parties[Party(party)])

    async def stolen_disk(self, party: str) -> Read:
        """See ``Stage.stolen_disk``."""
        copy = MemoryStore()
        copy.restore(self.world.store(party).snapshot())
        return copy

    async def log_size(self) -> int:
        """See ``Stage.log_size``."""
        head: Any = await self.call("person/laboratory", "log", GetHead(0, 0))
        return Checkpoint.parse(Note.parse(head.note).text).size


class _Done:
    """Something that has happened already."""

    def __await__(self) -> Generator[None, None, None]:
        return iter(())  # type: ignore[return-value]
