"""What a warrant says in the words of TS 103 120, and how its objects hang together.

An AuthorisationObject for the warrant, an LDTaskObject for each target (stored data: HI-1 calls its disclosure *lawful
disclosure*), and a DocumentObject with the exact bytes that the locks sign. Times there are whole seconds.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from uuid import UUID

from escrow.warrant.documents import WarrantPayload
from escrow.warrant.table import State

SECOND: Final = 1000
OWNER: Final = "Doublelock"
"""Whose dictionary has the words that ETSI's does not."""
VERSION: Final = "V1.12.1"

STATUS: Final[Mapping[State, str]] = MappingProxyType(
    {
        State.NONE: "Invalid",
        State.DRAFT: "AwaitingApproval",
        State.SUBMITTED: "AwaitingApproval",
        State.ISSUED_URGENT: "EmergencyApproval",
        State.APPROVED: "Approved",
        State.SEALED: "Approved",
        State.COOLING: "Approved",
        State.ACTIVE: "Approved",
        State.EXHAUSTED: "Approved",
        State.SUSPENDED: "Suspended",
        State.ATTAINED: "Cancelled",
        State.CANCELLED: "Cancelled",
        State.REFUSED: "Rejected",
        State.LAPSED: "Expired",
        State.EXPIRED: "Expired",
        State.DISCLOSURE_DUE: "Expired",
        State.OVERDUE: "Expired",
        State.DISCLOSED: "Expired",
    }
)
"""Their eight states of an authorisation, by ours: they do not tell apart why or how far something has ended."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What both sides can say. Times in milliseconds; ranges are half-open."""

    targets: tuple[tuple[bytes, int | None], ...]
    """Accounts (32 bytes), each with one of its devices if only that one is meant."""
    window: tuple[int, int]
    not_before: int
    not_after: int
    urgent: bool

    @classmethod
    def of(cls, payload: WarrantPayload) -> "Terms":
        """Those of a warrant."""
        return cls(
            tuple((bytes.fromhex(target.account), target.device) for target in payload.targets),
            (payload.message_window.start, payload.message_window.end),
            payload.not_before,
            payload.not_after,
            payload.urgent,
        )

    def in_seconds(self) -> "Terms":
        """As HI-1 can write them: widened to whole seconds, so that nothing that was meant is left out."""
        start, end = self.window
        return Terms(self.targets, (floor(start), ceil(end)), floor(self.not_before), ceil(self.not_after), self.urgent)


def floor(time: int) -> int:
    """The whole second at or before ``time``."""
    return time // SECOND * SECOND


def ceil(time: int) -> int:
    """The whole second at or after ``time``."""
    return -(-time // SECOND) * SECOND


def object_id(warrant_id: bytes, name: str = "") -> str:
    """The identifier of an object: the warrant's own for the authorisation, derived from it for the others."""
    derived = hashlib.sha256(warrant_id + name.encode()).digest()[:16]
    return str(UUID(bytes=derived if name else warrant_id))
