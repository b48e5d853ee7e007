"""When a checkpoint counts: its log signed it, and enough different witnesses did.

A ``Head`` is the proof of that in the type: whoever takes one need not verify again. What it does *not* say is that
it is recent, or consistent with an earlier one, or that anything in the log is authorised.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Protocol

from escrow.errors import IntegrityError, MalformedError, Reason, RefusedError
from escrow.ids import Millis
from escrow.tlog import cosignature
from escrow.tlog.cosignature import verify_checkpoint
from escrow.tlog.merkle import EMPTY_ROOT
from escrow.tlog.note import Note
from escrow.tlog.vkey import VerifierKey


class Rule(Protocol):
    """Which sets of witnesses suffice."""

    @property
    def witnesses(self) -> tuple[VerifierKey, ...]:
        """Everyone whose cosignature is looked at."""

    def suffices(self, cosigned: Set[VerifierKey]) -> bool:
        """Whether these witnesses are enough."""


@dataclass(frozen=True, slots=True)
class Quorum:
    """Any ``k`` of the witnesses. One key under two names would vote twice: ``MalformedError``."""

    witnesses: tuple[VerifierKey, ...]
    k: int

    def __post_init__(self) -> None:
        check_witnesses(self.witnesses)
        if not 1 <= self.k <= len(self.witnesses):
            raise MalformedError(f"a quorum of {self.k} among {len(self.witnesses)} witnesses")

    def suffices(self, cosigned: Set[VerifierKey]) -> bool:
        """Whether ``k`` of ours are among them."""
        return len(cosigned & set(self.witnesses)) >= self.k


@dataclass(frozen=True, slots=True)
class Head:
    """A checkpoint under a quorum. ``time_ms`` is the lower median of its witnesses' times, ``note`` the evidence."""

    origin: str
    size: int
    root: bytes
    time_ms: Millis
    note: bytes


def verify_head(note: bytes, log: VerifierKey, rule: Rule) -> Head:
    """The head that a signed note proves.

    Raises ``MalformedError``; ``RefusedError`` with ``SIGNATURE_INVALID`` if the log, or a known witness, did not sign
    what it is said to, and with ``QUORUM_MISSING``; ``IntegrityError(LOG_INCONSISTENT)`` for an empty tree with a root.
    """
    parsed = Note.parse(note)
    stated = verify_checkpoint(parsed, log)
    if stated.size == 0 and stated.root != EMPTY_ROOT:
        raise IntegrityError(Reason.LOG_INCONSISTENT, "the log signed an empty tree with another root")
    times = {key: time for key in rule.witnesses if (time := cosignature.time_of(parsed, key)) is not None}
    if not rule.suffices(times.keys()):
        raise RefusedError(Reason.QUORUM_MISSING, f"{len(times)} of {len(rule.witnesses)} witnesses have signed")
    return Head(stated.origin, stated.size, stated.root, Millis(1000 * _lower_median(list(times.values()))), note)


def check_witnesses(witnesses: tuple[VerifierKey, ...]) -> None:
    """Raise ``MalformedError`` unless these are cosignature keys, and no two share what is to tell them apart."""
    # SPEC TLG-3: one key under two names would vote twice.
    if not all(key.type.cosigns for key in witnesses):
        raise MalformedError("a witness has a cosignature key")
    if len({key.public for key in witnesses}) != len(witnesses):
        raise MalformedError("two witnesses share a key")
    # Four bytes are found again by trying: one of the two could then spoil every note that the other signs.
    if len({(key.name, key.key_id) for key in witnesses}) != len(witnesses):
        raise MalformedError("two witnesses share a name and a key id")


def _lower_median(times: list[int]) -> int:
    """Fewer than half of the witnesses cannot push it out of the others' range; 0, never fresh, if nobody signed."""
    return sorted(times)[(len(times) - 1) // 2] if times else 0
