"""The relay's own tree of receipts, and its promise to log a root over them in time.

Receipts get times that never go back, and roots are logged so that a receipt's time lies between the times of the two
roots around it: nobody can be given a receipt that is backdated. A root counts as logged when we have followed it.
"""

from dataclasses import dataclass

from escrow.capsule.receipt import IngestRoot, ingest_leaf
from escrow.crypto.sign import SigningKey
from escrow.encoding import number, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.roles.calls import Append, Appended, GetIngestPaths, IngestPaths, Reply
from escrow.roles.follower import LOG
from escrow.roles.machine import Draft, Read
from escrow.roles.stored_tree import StoredTree
from escrow.tlog.entry import Entry, EntryType
from escrow.tlog.merkle import leaf_hash
from escrow.warrant.genesis import Genesis

TREE = StoredTree(b"ingest")

MOST_PATHS = 256
"""Paths in one answer."""

_CLOCK = b"ingest-clock"
_SENT = b"ingest-sent"
_UNLOGGED = b"ingest-unlogged/"


@dataclass(frozen=True, slots=True)
class Ingest:
    """The ingest half of a relay's state."""

    genesis: Genesis
    key: SigningKey

    def time(self, view: Read | Draft, now: Millis) -> Millis:
        """The time of receipts made now: later than the newest root, never before an earlier receipt."""
        return Millis(max(now, number(view.get(_CLOCK) or b"")))

    def take(self, draft: Draft, receipts: list[bytes], time: Millis) -> None:
        """Add the receipts of one frame, which were numbered from ``TREE.size`` on."""
        first = TREE.grow(draft, [leaf_hash(ingest_leaf(receipt)) for receipt in receipts])
        draft.put(_UNLOGGED + u64(first), u64(time))
        draft.put(_CLOCK, u64(time))

    def paths(self, view: Read | Draft, call: GetIngestPaths) -> IngestPaths:
        """Where receipts stand in the tree of a size, for whoever holds them to compare with a logged root.

        ``MalformedError(TOO_LARGE)``; ``RefusedError``: NOT_FOUND, NOT_LOGGED.
        """
        if len(call.places) > MOST_PATHS:
            raise MalformedError(f"more than {MOST_PATHS} paths", Reason.TOO_LARGE)
        # SPEC RLY-14: a tree that has never been is not shown.
        if not 0 < call.size <= TREE.size(view):
            raise RefusedError(Reason.NOT_FOUND, "the tree of receipts has never been of that size")
        return IngestPaths(tuple(b"".join(TREE.inclusion(view, place, call.size)) for place in call.places))

    def blocked(self, view: Read | Draft, now: Millis) -> bool:
        """Whether a promise is broken: a receipt is older than MMD and not under a logged root."""
        oldest = _oldest(view)
        return oldest is not None and now > oldest + self.genesis.mmd_ms

    def next_due(self, view: Read | Draft) -> Millis | None:
        """When the next root is due, if there is something to log."""
        oldest = _oldest(view)
        return None if oldest is None else Millis(oldest + self.genesis.policy.ingest_cadence)

    def log_root(self, draft: Draft, now: Millis) -> None:
        """Owe the log a root over all receipts, unless one was sent that covers them or is still on its way."""
        size = TREE.size(draft)
        if size <= number(draft.get(_SENT) or b"") or draft.owed(Append):
            return
        time = self.time(draft, now)
        root = IngestRoot(self.key.public, size, TREE.root(draft, size), time)
        entry = Entry.make(EntryType.INGEST_ROOT, root.encode(), self.key, self.genesis.log.origin)
        draft.owe(LOG, Append((entry,)))
        draft.put(_SENT, u64(size))
        draft.put(_CLOCK, u64(time + 1))

    def on_appended(self, draft: Draft, reply: Reply | EscrowError) -> None:
        """Where the log has not taken a root, the next one covers more."""
        if not isinstance(reply, Appended) or [one.reason for one in reply.results] != [""]:
            draft.delete(_SENT)

    def on_followed(self, draft: Draft, entry: Entry) -> None:
        """A root of ours is in the log under a quorum: what it covers is settled."""
        if entry.type is not EntryType.INGEST_ROOT or entry.submitter != self.key.public:
            return
        size = IngestRoot.decode(entry.payload).size
        for key, _ in list(draft.scan(_UNLOGGED)):
            if number(key[len(_UNLOGGED) :]) < size:
                draft.delete(key)


def _oldest(view: Read | Draft) -> int | None:
    first = next(view.scan(_UNLOGGED, limit=1), None)
    return None if first is None else number(first[1])
