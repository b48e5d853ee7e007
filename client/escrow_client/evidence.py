"""Evidence on its way: gathered from the log by the agency that gives it, checked by whoever gets it."""

from collections.abc import Awaitable, Callable
from typing import cast

from escrow.errors import IntegrityError, Reason
from escrow.roles.calls import Call, Dating, GetDating, GetHead, GetUpdate, Head, Reply, Update
from escrow.roles.evidence.bundle import Bundle
from escrow.roles.evidence.history import History
from escrow.roles.evidence.making import in_order, worth_dating
from escrow.roles.evidence.verifying import Verified, verify_bundle
from escrow.store.memory import MemoryStore
from escrow.tlog.merkle import verify_consistency
from escrow.tlog.quorum import verify_head
from escrow.warrant.genesis import Genesis

PAGE = 1000
"""Entries asked for at a time."""

AskLog = Callable[[Call], Awaitable[Reply]]


async def gather(ask: AskLog, genesis: Genesis, warrant_id: bytes) -> tuple[list[bytes], list[bytes]]:
    """All entries of the log, and the checkpoints that date those about a warrant; see ``make_bundle``."""
    entries, note = list[bytes](), b""
    while True:
        update = cast(Update, await ask(GetUpdate(len(entries), 0, PAGE)))
        entries += update.entries
        note = update.note
        if not update.entries or len(entries) >= verify_head(note, genesis.log_key, genesis.witness_rule).size:
            break
    notes = [note]
    for index in worth_dating(entries, warrant_id):
        dating = cast(Dating, await ask(GetDating(index)))
        notes += [dating.before, dating.first]
    return entries, in_order(genesis, notes)


async def verify(genesis: Genesis, bundle: Bundle) -> Verified:
    """Replay the bundle's log into memory and check everything. Nobody is asked; raises what is wrong."""
    notes = [note.encode() for note in bundle.checkpoints]
    history, store = History.verified(genesis, bundle.entries, notes), MemoryStore()
    for step in history.steps(bundle.entries):
        await store.commit(step)
    return await store.read(lambda view: verify_bundle(genesis, history, view, bundle))


async def compare(ask: AskLog, genesis: Genesis, bundle: Bundle) -> int:
    """How many entries the log has now, if it still says what the bundle says; ``LOG_INCONSISTENT`` if not.

    ``bundle`` was verified.
    """
    old = verify_head(bundle.checkpoints[-1].encode(), genesis.log_key, genesis.witness_rule)
    reply = cast(Head, await ask(GetHead(old.size, 0)))
    new = verify_head(reply.note, genesis.log_key, genesis.witness_rule)
    if new.size < old.size:
        raise IntegrityError(Reason.LOG_INCONSISTENT, f"the log shrank from {old.size} to {new.size} entries")
    verify_consistency(old.size, old.root, new.size, new.root, reply.proof)
    return new.size
