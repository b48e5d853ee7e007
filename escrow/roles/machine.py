"""What a role is: a pure step over a read-only view, and the vocabulary of its inputs and outputs.

``handle(view, event, now, coins)`` returns the writes that its store must commit before anybody sees the
result. If it raises, nothing is written. ``coins`` are 32 fresh bytes per step; everything random inside
derives from them, so that a repeated step repeats itself. What a role owes others is written beside its
state, in the outbox, and delivered by the driver until it is answered: recovery after a crash is that same path.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Protocol, TypeVar

from escrow.encoding import number, u64
from escrow.errors import EscrowError
from escrow.ids import Millis, Party
from escrow.roles.calls import AnyCall, Call, Reply
from escrow.roles.state import pack, unpack

OUTBOX = b"outbox/"
_NEXT_OWED = b"outbox-next"

R = TypeVar("R")


class Read(Protocol):
    """A consistent, read-only view of one role's state: a sorted map and append-only streams."""

    def get(self, key: bytes) -> bytes | None:
        """The value at ``key``, or None."""
        ...

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = 1 << 30) -> Iterator[tuple[bytes, bytes]]:
        """Keys with ``prefix`` that sort behind ``after``, ascending, with their values."""
        ...

    def last(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """The greatest key with ``prefix`` and its value."""
        ...

    def length(self, stream: str) -> int:
        """How many records ``stream`` holds; they are numbered from 0."""
        ...

    def records(self, stream: str, *, start: int, limit: int) -> list[bytes]:
        """At most ``limit`` records of ``stream`` from number ``start`` on."""
        ...


@dataclass(frozen=True, slots=True)
class Writes:
    """What one step changes: values to put (None deletes) and records to append. All of it lands, or none."""

    puts: Mapping[bytes, bytes | None] = field(default_factory=dict)
    appends: tuple[tuple[str, bytes], ...] = ()
    scrub: bool = False
    """Whether what was replaced or deleted, now or before, must be gone from every file before the step has an end."""


@dataclass(frozen=True, slots=True)
class Todo:
    """A call that this role owes to ``to``; ``number`` is its place in the outbox."""

    number: int
    to: Party
    call: AnyCall


@dataclass(frozen=True, slots=True)
class Called:
    """``caller``, whose identity the transport has proved, asks something."""

    caller: Party
    call: Call


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a to-do: a reply, or the error with which the other side refused it."""

    todo: Todo
    reply: Reply | EscrowError


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: do what is due."""


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Bring the view up to date: a follower follows, the log publishes."""


Event = Called | Answered | Tick | CatchUp


class Role(Protocol):
    """A machine. Implementations are frozen: configuration only, all state lives in the view."""

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        """Take one step. Raises ``EscrowError`` and then changes nothing."""
        ...


class Draft:
    """A view with changes on top that reads its own writes: how a step is written down.

    Used inside one step and then thrown away; ``writes()`` is what the step returns.
    """

    def __init__(self, view: "Read | Draft") -> None:
        self._view = view
        self._puts: dict[bytes, bytes | None] = {}
        self._keys: list[bytes] | None = None
        """The keys of ``_puts`` in order, once somebody has asked for that."""
        self._appends: dict[str, list[bytes]] = {}
        self._scrub = False

    def get(self, key: bytes) -> bytes | None:
        """The value at ``key`` as this step sees it."""
        if key in self._puts:
            return self._puts[key]
        return self._view.get(key)

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = 1 << 30) -> Iterator[tuple[bytes, bytes]]:
        """Like ``Read.scan``, with this step's changes merged in."""
        changes = [(key, self._puts[key]) for key in reversed(self._changed(prefix, after))]
        if not changes:
            yield from self._view.scan(prefix, after=after, limit=limit)
            return
        # One by one: whoever wants to see the first of a hundred thousand keys must not wait for the last.
        merged = _merged(changes, self._view.scan(prefix, after=after))
        yield from islice(((k, v) for k, v in merged if v is not None), limit)

    def last(self, prefix: bytes) -> tuple[bytes, bytes] | None:
        """Like ``Read.last``, with this step's changes merged in."""
        if self._changed(prefix):
            items = list(self.scan(prefix))
            return items[-1] if items else None
        return self._view.last(prefix)

    def length(self, stream: str) -> int:
        """The stream's length, this step's own records included."""
        return self._view.length(stream) + len(self._appends.get(stream, ()))

    def records(self, stream: str, *, start: int, limit: int) -> list[bytes]:
        """Like ``Read.records``, this step's own records included."""
        stored = self._view.length(stream)
        found = self._view.records(stream, start=start, limit=limit)
        mine = self._appends.get(stream, [])
        return found + mine[max(0, start - stored) :][: limit - len(found)]

    def put(self, key: bytes, value: bytes) -> None:
        """Set ``key``."""
        self._change(key, value)

    def delete(self, key: bytes) -> None:
        """Remove ``key``; absent keys are fine."""
        self._change(key, None)

    def _change(self, key: bytes, value: bytes | None) -> None:
        if self._keys is not None and key not in self._puts:
            insort(self._keys, key)
        self._puts[key] = value

    def _changed(self, prefix: bytes, after: bytes = b"") -> list[bytes]:
        """The keys with ``prefix`` behind ``after`` that this step has changed, ascending.

        A follower files thousands of entries in one step, and each asks: looking through all changes would not do.
        """
        if self._keys is None:
            self._keys = sorted(self._puts)
        place = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
        found = islice(self._keys, place, None)
        return list(takewhile(lambda key: key.startswith(prefix), found))

    def scrub(self) -> None:
        """See ``Writes.scrub``. Costly: for what must never be found again."""
        self._scrub = True

    def append(self, stream: str, record: bytes) -> int:
        """Append to ``stream``; return the record's number."""
        mine = self._appends.setdefault(stream, [])
        mine.append(record)
        return self._view.length(stream) + len(mine) - 1

    def owe(self, to: str, call: AnyCall) -> int:
        """Write down that ``call`` is owed to ``to``; return its place in the outbox."""
        place = number(self.get(_NEXT_OWED) or u64(0))
        self.put(_NEXT_OWED, u64(place + 1))
        self.put(OUTBOX + u64(place), pack((to, call)))
        return place

    def settle(self, todo: Todo) -> None:
        """Strike a to-do off: it has been answered for good."""
        self.delete(OUTBOX + u64(todo.number))

    def owed(self, call_type: type[Call]) -> list[Todo]:
        """The open to-dos of one kind, oldest first."""
        return [todo for todo in outbox(self) if isinstance(todo.call, call_type)]

    def absorb(self, inner: "Draft") -> None:
        """Take over what a draft on top of this one has changed: an attempt that succeeded."""
        for key, value in inner._puts.items():  # noqa: SLF001 - its own kind
            self._change(key, value)
        for stream, records in inner._appends.items():  # noqa: SLF001
            self._appends.setdefault(stream, []).extend(records)
        self._scrub |= inner._scrub  # noqa: SLF001

    def writes(self) -> Writes:
        """What this step has changed."""
        appends = tuple((stream, record) for stream, records in self._appends.items() for record in records)
        return Writes(dict(self._puts), appends, self._scrub)


def _merged(
    changes: list[tuple[bytes, bytes | None]], stored: Iterator[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes | None]]:
    """What is ``stored``, ascending, with the ``changes``, which are given from the last one on."""
    for key, value in stored:
        while changes and changes[-1][0] < key:
            yield changes.pop()
        yield changes.pop() if changes and changes[-1][0] == key else (key, value)
    yield from reversed(changes)


def outbox(view: Read | Draft) -> list[Todo]:
    """Every open to-do, oldest first."""
    todos = []
    for key, value in view.scan(OUTBOX):
        to, call = unpack(value, tuple[str, AnyCall])
        todos.append(Todo(number(key[len(OUTBOX) :]), Party(to), call))
    return todos
