"""What log and witness show to anybody over plain HTTP, as pages of bytes: C2SP tlog-tiles and tlog-witness.

How a request arrives is the shell's business. A path here has no leading slash, and one spelling.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum, unique

from escrow.errors import EscrowError, IntegrityError, MalformedError, Reason, RefusedError, UnavailableError
from escrow.roles.calls import Cosigned
from escrow.tlog.spelling import from_decimal
from escrow.tlog.witnessing import CONFLICT, SIZE_TYPE, WitnessRefusal

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"


@unique
class Keep(StrEnum):
    """The value of ``Cache-Control``."""

    NEVER = "no-store"
    SECONDS = "public, max-age=2"
    FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of HTTP."""

    status: int
    body: bytes
    type: str = TEXT
    keep: Keep = Keep.NEVER


NOT_FOUND = Page(404, b"not found\n")


def witness_page(origin: str, note: bytes | None, path: str) -> Page:
    """The checkpoint of a log that a witness cosigned last, with the log's signature and its own."""
    if note is None or path != f"{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint":
        return NOT_FOUND
    return Page(200, note, TEXT, Keep.SECONDS)


def cosigned_page(outcome: Cosigned | EscrowError) -> Page:
    """The answer to ``add-checkpoint``."""
    match outcome:
        case Cosigned(line=b"", size=size):
            return Page(CONFLICT, b"%d\n" % size, SIZE_TYPE)
        case Cosigned(line=line):
            return Page(200, line)
        case WitnessRefusal(status=status):
            return Page(status, f"{outcome.detail}\n".encode())
        case UnavailableError() | IntegrityError():
            return Page(503, f"{outcome.reason.sentence}\n".encode())
        case error:
            return Page(400, f"{error.reason.sentence}\n".encode())


def read_cosigned(page: Page, size: int) -> Cosigned:
    """What a witness's answer to a request for a checkpoint of ``size`` says to our log.

    Raises ``RefusedError``, or ``UnavailableError`` if the witness cannot answer now.
    """
    # SPEC TLG-7: whatever else a witness says costs its cosignature, and nothing more.
    match page:
        case Page(status=200, body=lines):
            return Cosigned(lines, size)
        case Page(status=409, body=body, type=kind) if kind.partition(";")[0].strip() == SIZE_TYPE:
            return Cosigned(b"", _recorded(body))
        case Page(status=status) if status >= 500:
            raise UnavailableError(Reason.UNAVAILABLE, f"the witness answers with status {status}")
        case _:
            raise RefusedError(Reason.CHECKPOINT_CONFLICT, f"the witness answers with status {page.status}")


def _recorded(body: bytes) -> int:
    try:
        return from_decimal(body.decode("ascii").removesuffix("\n"), "the size that the witness has recorded")
    except (MalformedError, UnicodeDecodeError) as error:
        raise RefusedError(Reason.MALFORMED, "a conflict that names no size") from error
