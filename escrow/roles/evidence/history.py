"""The log as a bundle carries it, replayed into an empty store: the same register that a custodian keeps.

Every checkpoint must be the log's, under a quorum of its witnesses, and have the root of the entries before it; so what
is read is what everybody else has seen. A checkpoint that is left out can only make entries look later than they were.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from escrow.errors import IntegrityError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.follower import Follower
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read, Writes
from escrow.roles.warrant_ledger import LoggedOrder
from escrow.tlog.frontier import Frontier
from escrow.tlog.merkle import leaf_hash
from escrow.tlog.quorum import Head, verify_head
from escrow.warrant.genesis import Genesis

PAGE = 500
"""Entries a step."""

Step = Callable[[Read], tuple[Writes, None]]


@dataclass(frozen=True, slots=True)
class Past(Ledger):
    """The register as it stood when the log had ``size`` entries, as far as orders are concerned."""

    size: int

    def orders(self, view: Read | Draft, tag: bytes) -> list[LoggedOrder]:
        """The orders about this tag among the first ``size`` entries."""
        # Spelt out: ``super()`` without arguments finds no class cell in a dataclass with slots.
        return [order for order in Ledger.orders(self, view, tag) if order.index < self.size]


@dataclass(frozen=True, slots=True)
class History:
    """Checkpoints that were verified against the entries, smallest first."""

    genesis: Genesis
    heads: tuple[Head, ...]

    @classmethod
    def verified(cls, genesis: Genesis, entries: Sequence[bytes], notes: Sequence[bytes]) -> "History":
        """Check the checkpoints and that they are of these entries.

        Raises what ``verify_head`` raises; ``MalformedError`` unless each checkpoint is larger than the one before or
        as large and later, and the last one covers everything; ``LOG_STALE`` if entries are missing;
        ``IntegrityError(LOG_INCONSISTENT)`` if a root is that of other entries.
        """
        frontier, heads = Frontier(), list[Head]()
        for note in notes:
            head = verify_head(note, genesis.log_key, genesis.witness_rule)
            if heads and (head.size, head.time_ms) <= (heads[-1].size, heads[-1].time_ms):
                raise MalformedError("the checkpoints of a bundle are in order")
            if head.size > len(entries):
                raise RefusedError(Reason.LOG_STALE, f"{head.size - len(entries)} entries are missing")
            frontier = frontier.extend([leaf_hash(data) for data in entries[frontier.size : head.size]])
            # SPEC EVI-1: a checkpoint of another tree than the bundle's entries ends the verification.
            if frontier.root() != head.root:
                raise IntegrityError(Reason.LOG_INCONSISTENT, f"the first {head.size} entries have another root")
            heads.append(head)
        if frontier.size != len(entries) or not heads:
            raise MalformedError("entries behind the last checkpoint prove nothing")
        return cls(genesis, tuple(heads))

    def steps(self, entries: Sequence[bytes]) -> Iterator[Step]:
        """What files all entries, in steps for an empty store to commit one after the other."""
        for start in range(0, len(entries), PAGE):
            yield self._filing(start, entries[start : start + PAGE])

    def _filing(self, start: int, page: Sequence[bytes]) -> Step:
        def step(view: Read) -> tuple[Writes, None]:
            draft, follower = Draft(view), Follower(self.genesis)
            for index, data in enumerate(page, start):
                follower.follow(draft, data, self.first_with(index).time_ms)
            return draft.writes(), None

        return step

    def first_with(self, index: int) -> Head:
        """The first checkpoint that covers the entry at ``index``."""
        return self.heads[bisect_right(self.heads, index, key=lambda head: head.size)]

    def time_before(self, index: int) -> Millis:
        """The time of the last checkpoint without the entry at ``index``; 0 if all cover it."""
        place = bisect_right(self.heads, index, key=lambda head: head.size)
        return self.heads[place - 1].time_ms if place else Millis(0)
