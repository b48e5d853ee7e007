"""Checking a page of the log: the entries continue what was read before, and stand in a tree that witnesses have seen.

For whoever reads every entry in order, whatever it keeps of them: ``follower`` files them all, a device looks for
those about its own account. What an entry means, and whether it counts, is not asked here.
"""

from escrow.errors import IntegrityError, Reason, RefusedError
from escrow.roles.calls import Update
from escrow.tlog.frontier import Frontier
from escrow.tlog.merkle import leaf_hash, verify_consistency
from escrow.tlog.quorum import Head, verify_head
from escrow.warrant.genesis import Genesis


def check_update(genesis: Genesis, read: Frontier, update: Update) -> tuple[Frontier, Head]:
    """The frontier behind the update's entries, and the head of whose tree they are a prefix.

    ``read`` is what was read before. Raises what ``verify_head`` raises, ``RefusedError(LOG_STALE)`` for a head without
    the entries up to it, and ``IntegrityError(LOG_INCONSISTENT)`` if the log contradicts itself.
    """
    head = verify_head(update.note, genesis.log_key, genesis.witness_rule)
    grown = read.extend([leaf_hash(data) for data in update.entries])
    if not update.entries and grown.size < head.size:
        raise RefusedError(Reason.LOG_STALE, "the log keeps entries back")
    if grown.size > head.size:
        raise IntegrityError(Reason.LOG_INCONSISTENT, f"the log shrank from {grown.size} to {head.size} entries")
    if grown.size:
        verify_consistency(grown.size, grown.root(), head.size, head.root, update.proof)
    return grown, head
