"""Error reports: that something went wrong under a warrant, what kind of thing, and how many it touched.

The public learns the kind and the number. Who they are and what happened stands in a written report that the entry
commits to under a salt, so that an oversight body or a court can be shown it, and nobody can rewrite it later.
"""

from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

from escrow.encoding import number, u8, u32, u64
from escrow.errors import MalformedError
from escrow.tags import T, Tag, digest, fields


@unique
class ErrorKind(IntEnum):
    """What went wrong."""

    WRONG_IDENTIFIER = 1
    """The warrant named somebody else than was meant."""
    OVER_COLLECTION = 2
    """More was opened than the warrant covered."""
    LATE_CANCELLATION = 3
    """It went on although it was no longer necessary or proportionate."""
    UNAPPROVED_URGENT = 4
    """It was used as urgent and never had its second lock."""
    MISSING_NOTICE = 5
    """The target was not told in time."""
    OTHER = 255


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """``T("error-report", seal_tag, kind u8, affected u32, found u64, detail 32)``; ``found`` in milliseconds."""

    seal_tag: bytes
    kind: ErrorKind
    affected: int
    """How many people."""
    found: int
    """When the error was found."""
    detail: bytes
    """``detail_commitment`` of the written report."""

    def encode(self) -> bytes:
        """The payload of an ``ERROR_REPORT`` entry."""
        return T(Tag.ERROR_REPORT, self.seal_tag, u8(self.kind), u32(self.affected), u64(self.found), self.detail)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        seal_tag, kind, affected, found, detail = fields(Tag.ERROR_REPORT, data, 32, 1, 4, 8, 32)
        if number(kind) not in set(ErrorKind):
            raise MalformedError("an error report of unknown kind")
        return cls(seal_tag, ErrorKind(number(kind)), number(affected), number(found), detail)


def detail_commitment(salt: bytes, report: bytes) -> bytes:
    """What the entry shows of the written report: ``salt`` has 32 bytes."""
    return digest(Tag.ERROR_DETAIL, salt, report)
