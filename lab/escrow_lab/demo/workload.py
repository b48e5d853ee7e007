"""What will be said in a run, by whom and when, and what the warrant will cover: the truth that the run is judged by.

Known before the first message is sent and never shown to any party; the oracle compares what parties got with it.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from escrow.errors import MalformedError, Reason
from escrow_lab.demo.trace import Trace

PLAIN, ESCROW = 0, 1
DAY = 24 * 3600

DEFAULT_TEXTS = (
    "Are you coming on Saturday?",
    "The parcel is at the neighbour's.",
    "I'll be ten minutes late.",
    "Can you send me the address again?",
    "Don't forget the bread.",
    "Did you read the article?",
    "See you at the station.",
    "Happy birthday! 🎂",
)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the plan; ``time`` in seconds of the workload's clock."""

    time: int
    source: str
    target: str
    mode: int
    text: str


@dataclass(frozen=True, slots=True)
class Workload:
    """Messages in order, and the warrant: what ``target`` sent within ``[start, end)`` seconds."""

    messages: tuple[Message, ...]
    target: str
    start: int
    end: int
    skipped_self: int

    @property
    def users(self) -> tuple[str, ...]:
        """Everybody, in order of first appearance."""
        return tuple(dict.fromkeys(name for each in self.messages for name in (each.source, each.target)))

    @property
    def in_scope(self) -> tuple[Message, ...]:
        """What the warrant covers: escrowed, sent by the target, within the window."""
        return self.sent_within(self.start, self.end)

    def sent_within(self, start: int, end: int) -> tuple[Message, ...]:
        """What the target sent escrowed within ``[start, end)`` seconds."""
        theirs = (m for m in self.messages if m.mode == ESCROW and m.source == self.target)
        return tuple(m for m in theirs if start <= m.time < end)


def from_trace(
    trace: Trace,
    texts: Sequence[str] | None,
    *,
    target: str | None = None,
    start: int | None = None,
    end: int | None = None,
    seed: int = 0,
) -> Workload:
    """Every message of a trace, escrowed, with texts in turn (drawn by ``seed`` where no file gives them).

    Without ``target`` the busiest sender, without ``start`` and ``end`` the middle third of the time range.
    """
    draw = random.Random(seed)
    said = texts or [draw.choice(DEFAULT_TEXTS) for _ in trace.rows]
    messages = [
        Message(row.time, row.source, row.target, ESCROW, said[place % len(said)])
        for place, row in enumerate(trace.rows)
    ]
    return under_warrant(messages, target=target, start=start, end=end, skipped_self=trace.skipped_self)


def under_warrant(
    messages: Sequence[Message],
    *,
    target: str | None = None,
    start: int | None = None,
    end: int | None = None,
    skipped_self: int = 0,
) -> Workload:
    """Messages in order of time, under a warrant as ``from_trace`` chooses it.

    Raises ``MalformedError(USAGE)`` if nothing is escrowed, the window is empty, or the target sends nothing escrowed.
    """
    escrowed = [message for message in messages if message.mode == ESCROW]
    if not escrowed:
        raise MalformedError("no message is escrowed, so there is nothing that a warrant could open", Reason.USAGE)
    first, last = messages[0].time, messages[-1].time
    third = (last - first) // 3
    start = first + third if start is None else start
    end = max(first + 2 * third, start + 1) if end is None else end
    if start >= end:
        raise MalformedError(f"the window from {start} to {end} is empty", Reason.USAGE)
    senders = Counter(message.source for message in escrowed)
    if target is None:
        target = _busiest(senders, Counter(message.source for message in escrowed if start <= message.time < end))
    elif target not in senders:
        raise MalformedError(f"'{target}' sends nothing that is escrowed", Reason.USAGE)
    return Workload(tuple(messages), target, start, end, skipped_self)


def story(seed: int = 0, texts: Sequence[str] | None = None) -> Workload:
    """Alice, Bob and Carol over six days; the warrant is on Bob for the third and fourth."""
    draw = random.Random(seed)
    said = list(texts or DEFAULT_TEXTS)
    draw.shuffle(said)
    plan = [(0, 9, "alice", "bob", PLAIN), (0, 10, "bob", "alice", PLAIN)]
    for day in range(6):
        plan += [
            (day, 12, "alice", "bob", ESCROW),
            (day, 13, "bob", "alice", ESCROW),
            (day, 18, "bob", "carol", ESCROW),
            (day, 19, "carol", "bob", ESCROW),
            (day, 20, "carol", "alice", ESCROW),
        ]
    messages = tuple(
        Message(day * DAY + hour * 3600 + draw.randrange(3600), source, target, mode, said[place % len(said)])
        for place, (day, hour, source, target, mode) in enumerate(plan)
    )
    return Workload(messages, "bob", 2 * DAY, 4 * DAY, 0)


def _busiest(overall: Counter[str], within: Counter[str]) -> str:
    """The busiest sender of all; if that one is silent in the window, the busiest in it."""
    name = overall.most_common(1)[0][0]
    return name if within[name] or not within else within.most_common(1)[0][0]
