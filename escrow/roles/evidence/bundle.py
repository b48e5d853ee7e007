"""The evidence of one warrant as one JSON document: readable by people, strict, and without any secret key.

It carries the whole log up to its last checkpoint: only who has read all of it can say that nothing stopped the
warrant. Bytes stand in base64, hashes and ids in hexadecimal digits, times in milliseconds.
"""

from typing import Annotated, Final, Literal, Self

from msgspec import Meta

from escrow.committee.documents import ShareGeneration
from escrow.roles.agency.commands import OpenedItem
from escrow.warrant import strict
from escrow.warrant.release import ReleaseResponse
from escrow.warrant.request import ReleaseRequest
from escrow.warrant.strict import Bytes16, Bytes32, Number

MOST: Final = 1 << 30
"""Bytes of the largest bundle that is read."""

Text = Annotated[str, Meta(max_length=1 << 20)]


class Answer(strict.Document, frozen=True):
    """What one custodian released for one request, opened with the warrant's key: its shares and their proofs."""

    custodian: Number
    """Its index in the committee, 1..n."""
    response: bytes


class Asked(strict.Document, frozen=True):
    """One release request as every custodian got it, and what they answered."""

    request: bytes
    """With the warrant under its signatures, the opening of the seal, and every item with its proofs."""
    signature: bytes
    generation: bytes
    """The shares that were used."""
    answers: tuple[Answer, ...]

    @property
    def terms(self) -> ReleaseRequest:
        """The request, read; ``MalformedError``."""
        return ReleaseRequest.decode(self.request)

    @property
    def shares(self) -> ShareGeneration:
        """The generation, read; ``MalformedError``."""
        return ShareGeneration.decode(self.generation)

    def responses(self) -> dict[int, ReleaseResponse]:
        """The answers by index, read; ``MalformedError``."""
        return {one.custodian: ReleaseResponse.decode(one.response) for one in self.answers}


class Said(strict.Document, frozen=True):
    """One message that was opened, or with a ``reason`` one that could not be."""

    body_id: Bytes32
    sender_account: Bytes32
    sender_device: Number
    ingest_seq: Number
    """Its place among all that the relay has taken."""
    ingest_time: Number
    text: Text
    reason: Text

    @classmethod
    def of(cls, item: OpenedItem) -> Self:
        """What the agency says of an item that it has opened."""
        return cls(
            body_id=item.body_id.hex(),
            sender_account=item.sender_account.hex(),
            sender_device=item.sender_device,
            ingest_seq=item.ingest_seq,
            ingest_time=item.ingest_time,
            text=item.text,
            reason=item.reason,
        )


class Bundle(strict.Document, frozen=True):
    """The document."""

    schema_version: Literal[1]
    genesis_hash: Bytes32
    warrant_id: Bytes16
    requests: tuple[Asked, ...]
    opened: tuple[Said, ...]
    checkpoints: tuple[Annotated[str, Meta(max_length=1 << 16)], ...]
    """Cosigned checkpoints (C2SP signed notes) by size, then time; the last one covers all entries."""
    entries: tuple[bytes, ...]
    """The log, entry by entry from its first one on."""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a bundle; ``SCHEMA_INVALID`` or ``TOO_LARGE``. Nothing in it is believed yet."""
        return strict.decode(data, cls, most=MOST)

    def encode(self) -> bytes:
        """The document."""
        return strict.encode(self)
