"""What every regime can do, in three verbs: seal a message, execute an access, hand over what a set of parties gives.

A regime answers a wish: to read a suspect's words, or to have words taken down; the two are never added up. Whatever
it computes it computes with real keys: an ``Opener`` returns words only if it has decrypted them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, unique
from hashlib import sha256
from typing import ClassVar, final

from escrow.crypto.coins import Coins
from escrow.encoding import join, u64


@unique
class Wish(Enum):
    """What those who propose a regime want from it."""

    NOTHING = "nothing"
    READ = "read a suspect"
    REMOVE = "take words down"


@dataclass(frozen=True, slots=True)
class Message:
    """What somebody says; ``time`` in seconds of the trace's clock."""

    number: int
    time: int
    sender: str
    recipient: str
    text: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """What of a message its operator sees and stores. ``delivered``: its recipient has read what was sent."""

    number: int
    time: int
    sender: str
    recipient: str
    wire: bytes
    delivered: bool


@dataclass(frozen=True, slots=True)
class Order:
    """Whose messages are asked for, sent within ``[start, end)`` seconds."""

    target: str
    start: int
    end: int

    def covers(self, sealed: Sealed) -> bool:
        """Whether a message is in scope."""
        return sealed.sender == self.target and self.start <= sealed.time < self.end


@dataclass(frozen=True, slots=True)
class Access:
    """What came of an order. ``opened`` was handed over, by number; ``openable`` is all that what left a holder opens.

    ``detected``: who has noticed it although it was meant to stay secret; ``refused``: why nothing could be opened.
    """

    opened: Mapping[int, str]
    openable: frozenset[int]
    detected: str = ""
    refused: str = ""


Opener = Callable[[Sealed], str | None]
"""Tries to read a message with all that a corrupt set holds."""


class Regime(ABC):
    """One way to run a messenger. Its parameters are the keyword-only arguments of its constructor."""

    WISH: ClassVar[Wish]
    PARTIES: ClassVar[tuple[str, ...]]
    """Who can be corrupt. The operator's recording is everybody's: each opener is given the wire."""
    PROSPECTIVE: ClassVar[bool] = False
    """Whether an order must be executed before the messages that it covers."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @abstractmethod
    def seal(self, message: Message) -> Sealed:
        """Send a message and have its recipient read it."""

    @abstractmethod
    def access(self, order: Order) -> Access:
        """Do what the regime allows for an order, on what was sealed so far."""

    @abstractmethod
    def give(self, corrupt: frozenset[str]) -> Opener:
        """What these parties can read together, out of order."""

    @final
    def coins(self, *use: str | int) -> Coins:
        """Randomness for one use, which the seed repeats."""
        named = join(*(part.encode() if isinstance(part, str) else u64(part) for part in use))
        return Coins(sha256(join(b"doublelock lab", u64(self._seed), named)).digest())


def nothing(_sealed: Sealed) -> None:
    """The opener of those who hold nothing."""
