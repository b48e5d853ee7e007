"""Overlapping pumps answer a to-do once, and ticks quicken while there is work."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from escrow.encoding import number, u64
from escrow.errors import IntegrityError, Reason, UnavailableError
from escrow.ids import Millis, Party
from escrow.roles.calls import Append, Appended, Call, GetUpdate, Lookup, Reply, Update
from escrow.roles.machine import OUTBOX, Answered, Called, Draft, Event, Read, Tick, Todo, Writes, outbox
from escrow.store.memory import MemoryStore
from escrow_server.driver import QUICK, SLOW, ServedNode, _is_work, keep_ticking

R = TypeVar("R")
LOG = Party("log")


@dataclass(frozen=True, slots=True)
class Counter:
    """Owes one entry at each tick it is told to, and counts the answers."""

    failure: Exception | None = None

    def handle(self, view: Read, event: Event, now: Millis, coins: bytes) -> tuple[Writes, object]:
        draft = Draft(view)
        match event:
            case Called():
                draft.owe(LOG, Append((b"entry",)))
                return draft.writes(), Appended(())
            case Answered(todo=todo):
                draft.settle(todo)
                draft.put(b"answers", u64(number(draft.get(b"answers") or u64(0)) + 1))
            case Tick() if self.failure is not None:
                raise self.failure
            case _:
                draft.put(b"ticks", u64(number(draft.get(b"ticks") or u64(0)) + 1))
        return draft.writes(), None


class Slow:
    """A transport on which every call is still under way when the next pump begins."""

    calls = 0

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        self.calls += 1
        await asyncio.sleep(0.02)
        return Appended(())

    async def together(self, jobs: Sequence[Awaitable[R]]) -> list[R]:
        return list(await asyncio.gather(*jobs))


class Lines:
    """What a log was told."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def warning(self, _event: str, **values: str) -> None:
        self.outcomes.append(values["outcome"])


def node_of(role: Counter, transport: Slow) -> ServedNode:
    return ServedNode(Party("relay"), role, MemoryStore(), transport, lambda: Millis(0), lambda: bytes(32))


def count(node: ServedNode, key: bytes) -> int:
    assert isinstance(node.store, MemoryStore)
    return number(node.store.get(key) or u64(0))


class Away(Slow):
    """A transport to a party that is out of reach, or hangs until somebody loses patience."""

    async def call(self, origin: Party, to: Party, call: Call) -> Reply:
        await super().call(origin, to, call)
        raise UnavailableError(Reason.UNAVAILABLE, to)


def test_a_todo_is_delivered_once_however_many_pumps_find_it() -> None:
    async def story() -> None:
        transport = Slow()
        node = node_of(Counter(), transport)
        await node.ask(Party("authority"), Lookup("a"))
        await asyncio.gather(node.pump(), node.pump(), node.pump())
        assert transport.calls == 1
        assert count(node, b"answers") == 1
        assert await node.read(outbox) == []

    asyncio.run(story())


def test_an_answer_that_comes_twice_counts_once() -> None:
    async def story() -> None:
        node = node_of(Counter(), Slow())
        await node.ask(Party("authority"), Lookup("a"))
        (todo,) = await node.read(outbox)
        for _ in range(2):
            await node.step(Answered(todo, Appended(())))
        assert count(node, b"answers") == 1

    asyncio.run(story())


def test_pumps_share_the_news_that_a_party_is_out_of_reach() -> None:
    async def story() -> None:
        transport = Away()
        node = node_of(Counter(), transport)
        await node.ask(Party("authority"), Lookup("a"))
        first, second = await asyncio.gather(node.pump(), node.pump())
        assert first == second == await node.read(outbox) != []
        assert transport.calls == 1

    asyncio.run(story())


def test_what_a_cancelled_pump_leaves_is_delivered_by_the_one_that_waited() -> None:
    async def story() -> None:
        node = node_of(Counter(), Slow())
        await node.ask(Party("authority"), Lookup("a"))
        first, second = asyncio.ensure_future(node.pump()), asyncio.ensure_future(node.pump())
        await asyncio.sleep(0.005)
        first.cancel()
        assert await second == []
        assert count(node, b"answers") == 1

    asyncio.run(story())


def test_ticks_go_on_after_a_failure_that_may_pass() -> None:
    lines: Any = Lines()

    async def story() -> None:
        node = node_of(Counter(UnavailableError(Reason.UNAVAILABLE, "log")), Slow())
        ticking = asyncio.ensure_future(keep_ticking(node, lines, lambda _: None))
        await asyncio.sleep(3.5 * QUICK)
        ticking.cancel()

    asyncio.run(story())
    assert len(lines.outcomes) >= 2
    assert set(lines.outcomes) == {"UNAVAILABLE"}


def test_a_mistake_of_ours_in_a_tick_does_not_end_them() -> None:
    bugs: list[str] = []

    class Errors:
        def critical(self, _event: str, *, bug: str) -> None:
            bugs.append(bug)

    async def story() -> None:
        lines: Any = Errors()
        ticking = asyncio.ensure_future(keep_ticking(node_of(Counter(IndexError()), Slow()), lines, lambda _: None))
        await asyncio.sleep(3.5 * QUICK)
        assert not ticking.done()
        ticking.cancel()

    asyncio.run(story())
    assert len(bugs) >= 2
    assert set(bugs) == {"IndexError"}


def test_ticks_end_when_integrity_is_lost() -> None:
    lost: list[IntegrityError] = []

    async def story() -> None:
        node = node_of(Counter(IntegrityError(Reason.LOG_INCONSISTENT)), Slow())
        lines: Any = Lines()
        await asyncio.wait_for(keep_ticking(node, lines, lost.append), 5)

    asyncio.run(story())
    assert [error.reason for error in lost] == [Reason.LOG_INCONSISTENT]


def test_ticks_slow_down_when_nothing_happens() -> None:
    lines: Any = Lines()

    async def ticks(*, busy: bool) -> int:
        node = node_of(Counter(), Slow())
        ticking = asyncio.ensure_future(keep_ticking(node, lines, lambda _: None))
        for _ in range(20):
            node.busy = node.busy or busy
            await asyncio.sleep(QUICK)
            if busy:
                await node.step(Called(LOG, Append(())))
        ticking.cancel()
        return count(node, b"ticks")

    async def story() -> None:
        idle, busy = await asyncio.gather(ticks(busy=False), ticks(busy=True))
        assert idle <= 20 * QUICK / SLOW + 5
        assert busy > idle

    asyncio.run(story())


@pytest.mark.parametrize(
    ("event", "key", "work"),
    [
        (Tick(), OUTBOX, False),
        (Called(LOG, Append(())), OUTBOX + u64(3), True),
        (Called(LOG, Append(())), b"item", False),
        (Answered(Todo(0, LOG, Append(())), Appended(())), b"item", True),
        (Answered(Todo(0, LOG, GetUpdate(0, 0, 1)), Update(0, (b"entry",), b"", ())), b"item", False),
    ],
)
def test_work_is_what_leads_to_more(event: Event, key: bytes, *, work: bool) -> None:
    assert _is_work(event, Writes({key: b""})) is work
