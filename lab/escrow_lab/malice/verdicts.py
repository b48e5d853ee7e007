"""How the runs of a key generation ended, read off the log as anybody can who has it."""

from collections.abc import Iterable
from dataclasses import dataclass

from escrow.committee.messages import Kind
from escrow.committee.record import Record, Stage
from escrow.errors import Reason
from escrow.roles.authorised import proposal_for
from escrow.tlog.entry import Entry
from escrow.warrant.genesis import Genesis


@dataclass(frozen=True)
class Verdict:
    """One run: why it came to nothing and who was named, or neither."""

    run: int
    reason: Reason | None
    culprit: int | None


def verdicts(genesis: Genesis, period: int, leaves: Iterable[bytes]) -> list[Verdict]:
    """Of all runs that have ended, in order."""
    proposal, found = proposal_for(genesis, period), list[Verdict]()
    record = Record.begin(proposal, 0, genesis.policy.retire_at(period))
    for entry in map(Entry.decode, leaves):
        if entry.type.name not in Kind.__members__:
            continue
        record = record.after(Kind[entry.type.name], entry.submitter, entry.payload)
        if record.verdict is not None:
            reason, culprit = record.verdict
            found.append(Verdict(record.run, Reason[reason], culprit))
            record = Record.begin(proposal, record.run + 1, genesis.policy.retire_at(period))
        elif record.stage is Stage.FINISHED:
            return [*found, Verdict(record.run, None, None)]
    return found
