"""What a witness decides: C2SP tlog-witness, call ``add-checkpoint``, without its storage and its clock.

The caller reads its record, decides, writes the new record and only then cosigns, all in *one* transaction: two
requests decided against the same record would roll one of them back.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from escrow.encoding import expect
from escrow.errors import EscrowError, IntegrityError, MalformedError, Reason, RefusedError
from escrow.tlog.checkpoint import Checkpoint
from escrow.tlog.cosignature import verify_checkpoint
from escrow.tlog.merkle import EMPTY_ROOT, verify_consistency
from escrow.tlog.note import Note, check_text
from escrow.tlog.spelling import from_base64, from_decimal, to_base64
from escrow.tlog.vkey import VerifierKey

MOST_PROOF_LINES = 63
CONFLICT = 409
"""The one refusal that helps: its body is the size that the witness has recorded."""
SIZE_TYPE = "text/x.tlog.size"
"""The media type of that body."""


class WitnessRefusal(RefusedError):  # noqa: N818 - to the witness it is an answer
    """The witness does not cosign: ``status`` and ``body`` are the HTTP answer of the specification."""

    def __init__(self, status: int, reason: Reason, detail: str, body: bytes = b"") -> None:
        super().__init__(reason, detail)
        self.status = status
        self.body = body


@dataclass(frozen=True, slots=True)
class Request:
    """A log asks for a cosignature of ``checkpoint``, which is what the note says, still unverified."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def of(cls, old: int, proof: tuple[bytes, ...], note: bytes) -> Self:
        """The request to go from ``old`` leaves to the checkpoint in ``note``; raise ``MalformedError``."""
        parsed = Note.parse(note)
        return cls(old, proof, parsed, Checkpoint.parse(parsed.text))

    def encode(self) -> bytes:
        """The body that ``parse`` reads."""
        lines = (f"old {self.old}", *map(to_base64, self.proof), "", "")
        return "\n".join(lines).encode() + self.note.encode()

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a request body strictly.

        Raises ``WitnessRefusal``: 403 where the checkpoint is no signed note, 400 for any other fault of form.
        """
        head, _, rest = body.partition(b"\n\n")
        with _refusing(400):
            old, proof = _read_head(head)
        with _refusing(403):
            note = Note.parse(rest)
        with _refusing(400):
            return cls(old, proof, note, Checkpoint.parse(note.text))


def decide(
    recorded: tuple[int, bytes] | None, request: Request, log_keys: Mapping[str, VerifierKey]
) -> tuple[int, bytes]:
    """The size and root to be recorded for the request's origin; afterwards its checkpoint may be cosigned.

    ``recorded`` is what this witness last cosigned for that origin. Raises ``WitnessRefusal``, whose status is

    - 404: the origin is unknown;
    - 403: its key did not sign, or a signature under its name and id is wrong;
    - 400: the old size is larger than the new one;
    - 409: the old size is not the recorded one, which is the body;
    - 422: the new tree does not extend the old one.
    """
    new = request.checkpoint
    key = log_keys.get(new.origin)
    if key is None:
        raise WitnessRefusal(404, Reason.NOT_FOUND, "this witness does not know the log")
    with _refusing(403):
        verify_checkpoint(request.note, key)
    if request.old > new.size:
        raise WitnessRefusal(400, Reason.MALFORMED, "the old size is larger than the new one")
    size, root = recorded or (0, EMPTY_ROOT)
    if request.old != size:
        raise WitnessRefusal(
            CONFLICT, Reason.CHECKPOINT_CONFLICT, f"the witness has cosigned size {size}", b"%d\n" % size
        )
    with _refusing(422):
        _check_extension(size, root, request)
    return new.size, new.root


@contextmanager
def _refusing(status: int) -> Iterator[None]:
    """Answer whatever is wrong inside with ``status``."""
    try:
        yield
    except EscrowError as error:
        raise WitnessRefusal(status, error.reason, error.detail) from None


def _read_head(head: bytes) -> tuple[int, tuple[bytes, ...]]:
    check_text(head + b"\n")
    first, *lines = head.decode().split("\n")
    if not first.startswith("old ") or len(lines) > MOST_PROOF_LINES:
        raise MalformedError(f"a request has an old size and at most {MOST_PROOF_LINES} proof lines")
    proof = tuple(expect(from_base64(line, "a proof line"), 32, "a proof line") for line in lines)
    return from_decimal(first.removeprefix("old "), "the old size"), proof


def _check_extension(size: int, root: bytes, request: Request) -> None:
    new = request.checkpoint
    if new.size == 0 and new.root != EMPTY_ROOT:
        raise IntegrityError(Reason.LOG_INCONSISTENT, "the empty tree has another root")
    if size:
        verify_consistency(size, root, new.size, new.root, request.proof)
    elif request.proof:
        raise IntegrityError(Reason.LOG_INCONSISTENT, "from the empty tree no proof is needed")
