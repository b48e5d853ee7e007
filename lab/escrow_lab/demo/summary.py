"""What a run found, as one object; the oracle that compares it with the truth."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from escrow_lab.demo.workload import ESCROW, Message, Workload

Opening = tuple[str, int, str]
"""(sender's name, time in seconds of the workload's clock, text)."""


@dataclass(slots=True)
class Summary:
    """Counts and verdicts. A ``refused_*`` is true because it was tried and refused."""

    messages_sent: int = 0
    messages_delivered: int = 0
    messages_escrowed: int = 0
    skipped_self: int = 0
    users: int = 0
    target: str = ""
    window: tuple[int, int] = (0, 0)
    in_scope: int = 0
    opened: int = 0
    over_collected: int = 0
    """Opened beside the window, because a key that opens an epoch does not stop at it."""
    opened_out_of_scope: int = 0
    plaintext_mismatches: int = 0
    refused_one_lock: bool = False
    refused_two_custodians: bool = False
    refused_after_expiry: bool = False
    refused_replay_other_key: bool = False
    impersonation_rejected: bool = False
    custodians_released: list[str] = field(default_factory=list)
    custodians_missing: list[str] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)
    log_size: int = 0
    seconds: float = 0.0

    def facts(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def as_promised(self) -> bool:
        """Whether everything was delivered, exactly the scope was opened, and everything else was refused."""
        counts = (
            self.messages_delivered == self.messages_sent
            and self.opened == self.in_scope + self.over_collected
            and self.opened_out_of_scope == self.plaintext_mismatches == 0
        )
        refusals = (
            self.refused_one_lock,
            self.refused_two_custodians,
            self.refused_after_expiry,
            self.refused_replay_other_key,
            self.impersonation_rejected,
        )
        return counts and all(refusals)


def judge(summary: Summary, work: Workload, opened: Iterable[Opening], reach: tuple[int, int] | None = None) -> None:
    """Compare what the agency opened with the truth: who, when, what.

    ``reach``: what the warrant's window is rounded out to, in seconds, where keys open whole epochs.
    """
    opened, reached = list(opened), work.sent_within(*(reach or (work.start, work.end)))
    truth = Counter((m.source, m.time, m.text) for m in reached)
    places = Counter((m.source, m.time) for m in reached)
    found = Counter(opened)
    found_places = Counter((source, time) for source, time, _ in opened)
    summary.in_scope = len(work.in_scope)
    summary.opened = len(opened)
    beside = Counter((m.source, m.time) for m in reached) - Counter((m.source, m.time) for m in work.in_scope)
    summary.over_collected = (found_places & beside).total()
    summary.opened_out_of_scope = (found_places - places).total()
    summary.plaintext_mismatches = (found - truth).total() - summary.opened_out_of_scope


def delivered(work: Workload, shown: Iterable[tuple[str, Message]]) -> int:
    """How many planned messages were shown to whom they were for; ``shown`` is what each inbox holds."""
    planned = Counter((m.target, m.source, m.mode, m.text) for m in work.messages)
    arrived = Counter((owner, m.source, m.mode, m.text) for owner, m in shown)
    return (planned & arrived).total()


def escrowed(work: Workload) -> int:
    """Messages of escrowed conversations."""
    return sum(message.mode == ESCROW for message in work.messages)
