"""Putting something into the log, as every role does it: sign an entry and owe it."""

from escrow.crypto.sign import SigningKey
from escrow.ids import Party
from escrow.roles.calls import Append
from escrow.roles.machine import Draft
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.genesis import Genesis

LOG = Party("log")


def owe_entry(draft: Draft, genesis: Genesis, key: SigningKey, entry_type: EntryType, payload: bytes) -> None:
    """Owe the log an entry under ``key``; delivered until it answers, and the same entry twice is one."""
    draft.owe(LOG, Append((Entry.make(entry_type, payload, key, genesis.log.origin),)))
