"""Where a story is told: the same parties, in the World or as processes. The story knows only this interface.

Besides what honest people do, a stage offers what the story's villains do: read the disk of a party that was broken
into, act with a key that was misused, hand a device a delivery that its relay never accepted.
"""

from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, Protocol

from escrow.crypto.sign import SigningKey
from escrow.ids import Millis
from escrow.node import Node
from escrow.roles.calls import Call, Reply
from escrow.roles.machine import Read
from escrow.warrant.genesis import Genesis


class Stage(Protocol):
    """A running deployment and the people around it."""

    genesis: Genesis

    @property
    def now(self) -> Millis:
        """The deployment's clock, in ms."""
        ...

    async def advance_to(self, when: int) -> None:
        """Let time pass until ``when``; what falls due on the way is done on its day. Never back."""
        ...

    async def pause(self) -> None:
        """Give parts that are being started again a moment of real time; the deployment's clock stands still."""
        ...

    async def begin(self, job: Coroutine[Any, Any, None]) -> Awaitable[None]:
        """Start ``job`` beside what follows. Await the result before relying on it: it raises what the job raised."""
        ...

    async def settle(self) -> None:
        """Everybody does what is due, and follows the log: a moment passes without the clock moving."""
        ...

    async def committee(self) -> int:
        """Wait until every custodian holds its share of the present period; return the runs it took."""
        ...

    async def register(self, names: Sequence[str]) -> None:
        """Make an account with one device for each name."""
        ...

    def device(self, name: str) -> Node:
        """The messenger of a registered user."""
        ...

    async def agency(self, name: str) -> Node:
        """The tool of an agency; a new one has an empty store."""
        ...

    async def call(self, origin: str, to: str, call: Call) -> Reply:
        """Ask ``to`` as ``origin``, a person or an agency of this deployment."""
        ...

    def person_key(self, name: str) -> SigningKey:
        """The signing key of a person who holds a lock."""
        ...

    def party_key(self, party: str) -> SigningKey:
        """The identity key of a party: what a misuse of its office needs."""
        ...

    async def stolen_disk(self, party: str) -> Read:
        """A copy of everything a party has stored, as a thief would read it."""
        ...

    async def log_size(self) -> int:
        """Entries in the log."""
        ...
