"""Following the whole log: the verified view that relay, custodians and authority keep in their own store.

Every update is checked before anything of it is kept (``updates``). What the entries mean is ``ledger``'s business.
Whoever needs less than everything keeps a ``lightview``.
"""

from dataclasses import dataclass

from msgspec import Struct

from escrow.encoding import u64
from escrow.errors import BehindError, EscrowError, Reason, RefusedError
from escrow.ids import Millis, Party
from escrow.roles.calls import GetUpdate, Reply, Update
from escrow.roles.ledger import LEAVES, Ledger
from escrow.roles.machine import Draft, Read, Todo
from escrow.roles.state import pack, unpack
from escrow.roles.updates import check_update
from escrow.tlog.entry import Entry
from escrow.tlog.frontier import Frontier
from escrow.tlog.quorum import Head

LOG = Party("log")
LIMIT = 2000
"""Entries per question."""

_FRONTIER = b"log/frontier"
_HEAD = b"log/head"
_ASKED = b"log/asked"
_CAUGHT_UP = b"log/caught-up"


class _Head(Struct, frozen=True):
    origin: str
    size: int
    root: bytes
    time_ms: int
    note: bytes


@dataclass(frozen=True, slots=True)
class Follower(Ledger):
    """A ``Ledger`` that keeps itself up to date.

    A role calls ``catch_up`` on ``Tick``, and with ``asked=True`` on ``CatchUp``, and hands every answer to a
    ``GetUpdate`` to ``on_update``.
    """

    # -- asking -------------------------------------------------------------------------------

    def catch_up(self, draft: Draft, now: Millis, *, asked: bool = False) -> None:
        """Owe the question for what is missing, unless it is owed already.

        ``asked`` marks a catch-up that a step has demanded by ``BehindError``: it wants a head as new as can be.
        """
        draft.delete(_CAUGHT_UP)
        if asked:
            draft.put(_ASKED, b"")
        if not draft.owed(GetUpdate):
            patience = 0 if asked else min(self.genesis.fresh_ms, self.genesis.skew_ms) // 2
            draft.owe(LOG, GetUpdate(self.size(draft), max(0, now - patience), LIMIT))

    def on_update(
        self, draft: Draft, todo: Todo, reply: Reply | EscrowError, now: Millis
    ) -> tuple[tuple[int, Entry], ...]:
        """Take an answer; return the entries newly accepted, with their indices, in log order.

        Raises ``MalformedError``, ``RefusedError(QUORUM_MISSING)``, and ``IntegrityError(LOG_INCONSISTENT)`` if the
        log contradicts itself; nothing is kept then.
        """
        draft.settle(todo)
        frontier = _frontier(draft)
        if not isinstance(reply, Update):
            draft.delete(_ASKED)
            return ()
        if reply.start != frontier.size:
            return ()  # delivered twice
        known = self.head(draft)
        if known is not None and not reply.entries and reply.note == known.note:
            self._caught_up(draft, now)
            return ()
        grown, head = check_update(self.genesis, frontier, reply)
        draft.put(_FRONTIER, grown.encode())
        followed = [
            (index, entry)
            for index, data in enumerate(reply.entries, frontier.size)
            if (entry := self.follow(draft, data, head.time_ms)) is not None
        ]
        if grown.size < head.size:
            draft.owe(LOG, GetUpdate(grown.size, 0, LIMIT))
        else:
            self._keep(draft, head)
            self._caught_up(draft, now)
        return tuple(followed)

    # -- how far, how fresh -------------------------------------------------------------------

    def size(self, view: Read | Draft) -> int:
        """How many entries we hold."""
        return _frontier(view).size

    def head(self, view: Read | Draft) -> Head | None:
        """The newest checkpoint under a quorum all of whose entries we hold."""
        data = view.get(_HEAD)
        if data is None:
            return None
        kept = unpack(data, _Head)
        return Head(kept.origin, kept.size, kept.root, Millis(kept.time_ms), kept.note)

    def require_fresh(self, view: Read | Draft, now: Millis) -> Head:
        """The head, if one may act on it.

        Raises ``BehindError`` with ``LOG_STALE`` or ``CLOCK_SKEW`` where catching up may help, and
        ``RefusedError(CLOCK_SKEW)`` where the witnesses are ahead of our clock, which it cannot.
        """
        head = self.head(view)
        if head is None or now - head.time_ms > self.genesis.fresh_ms:
            raise BehindError(Reason.LOG_STALE)
        if now - head.time_ms > self.genesis.skew_ms:
            raise BehindError(Reason.CLOCK_SKEW)
        if head.time_ms - now > self.genesis.skew_ms:
            raise RefusedError(Reason.CLOCK_SKEW, "the witnesses are ahead of this clock")
        return head

    def settled(self, draft: Draft) -> bool:
        """Whether the last thing that happened before this ``Called`` step was a catch-up that a step had demanded.

        If not, a step that misses something in the log raises ``BehindError`` and is run again; if so, what is missing
        is not in the log. A role asks once in every ``Called`` step, which uses the answer up.
        """
        known = draft.get(_CAUGHT_UP) is not None
        if known:
            draft.delete(_CAUGHT_UP)
        return known

    def _not_before(self, draft: Draft, covered_ms: Millis) -> int:  # noqa: ARG002 - that is when we learnt of it
        """See ``Ledger``: behind the head that we held, because that covers everything from before it."""
        head = self.head(draft)
        return 0 if head is None else head.time_ms

    def _keep(self, draft: Draft, head: Head) -> None:
        known = self.head(draft)
        if known is None or (head.size, head.time_ms) > (known.size, known.time_ms):
            draft.put(_HEAD, pack(_Head(head.origin, head.size, head.root, head.time_ms, head.note)))

    def _caught_up(self, draft: Draft, now: Millis) -> None:
        if draft.get(_ASKED) is not None:
            draft.delete(_ASKED)
            draft.put(_CAUGHT_UP, u64(now))


def leaf_of(view: Read | Draft, index: int) -> bytes:
    """The entry at ``index`` as it stands in the log; ``RefusedError(NOT_FOUND)`` beyond what we hold."""
    found = view.records(LEAVES, start=index, limit=1)
    if not found:
        raise RefusedError(Reason.NOT_FOUND, f"entry {index} is not here yet")
    return found[0]


def _frontier(view: Read | Draft) -> Frontier:
    data = view.get(_FRONTIER)
    return Frontier() if data is None else Frontier.decode(data)
