"""What we log: a typed payload under its submitter's signature. The encoded entry is the data of one leaf.

The signature covers the log's origin, so no entry can be moved to another log. Whether the submitter is *entitled* to
its type is decided by the log and again by every follower, not here.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

from escrow.crypto.sign import SigningKey, verify
from escrow.encoding import number, u16
from escrow.errors import MalformedError, Reason
from escrow.tags import T, Tag, fields
from escrow.tlog.merkle import leaf_hash

MOST_PAYLOAD = 60_000
"""Bytes; an entry must fit the two-byte length of an entry bundle. Larger objects are logged by hash."""


@unique
class EntryType(IntEnum):
    """What an entry is. The tens group what belongs together; a number is never reused."""

    GENESIS = 1
    POLICY = 2
    ROLE_KEY = 3
    RELAY_KEY = 4
    DEVICE_LIST = 5

    COMMITTEE_PROPOSAL = 10
    DKG_TRANSPORT = 11
    DKG_COMMIT = 12
    DKG_REVEAL = 13
    DKG_CIPHERTEXTS = 14
    DKG_DISPUTE = 15
    DKG_ANSWER = 16
    DKG_CERTIFY = 17
    COMMITTEE_KEY = 18

    HANDOVER_PROPOSAL = 20
    HANDOVER_TRANSPORT = 21
    HANDOVER_DEAL = 22
    HANDOVER_ACKNOWLEDGEMENT = 23
    SHARE_GENERATION = 24
    ERASURE = 25
    HANDOVER_READY = 26
    HANDOVER_ORDER = 27
    HANDOVER_CANCELLATION = 28

    INGEST_ROOT = 30

    WARRANT_SEALED = 40
    APPROVAL = 41
    REFUSAL = 42
    SUSPENSION = 43
    RESUMPTION = 44
    CANCELLATION = 45
    ATTAINMENT = 46

    RELEASE_INTENT = 50
    RELEASE_RECORD = 51
    DENIAL = 52

    NONDISCLOSURE_EXTENDED = 60
    DISCLOSURE = 61
    NOTICE_DELIVERED = 62
    NOTICE_DELAYED = 63
    AUDIT = 64
    ERROR_REPORT = 65


@dataclass(frozen=True, slots=True)
class Entry:
    """``T("entry", type u16, payload, submitter 32, signature 64)``; ``submitter`` is an Ed25519 public key."""

    type: EntryType
    payload: bytes
    submitter: bytes
    signature: bytes

    @classmethod
    def make(cls, entry_type: EntryType, payload: bytes, key: SigningKey, origin: str) -> bytes:
        """An encoded entry for the log ``origin``, signed by its submitter; ``MalformedError(TOO_LARGE)``."""
        _check_length(payload)
        return cls(entry_type, payload, key.public, key.sign(_statement(origin, entry_type, payload))).encode()

    def encode(self) -> bytes:
        """The leaf data."""
        return T(Tag.ENTRY, u16(self.type), self.payload, self.submitter, self.signature)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode``; raise ``MalformedError``. The signature is not checked yet."""
        code, payload, submitter, signature = fields(Tag.ENTRY, data, 2, None, 32, 64)
        _check_length(payload)
        try:
            entry_type = EntryType(number(code))
        except ValueError:
            raise MalformedError(f"no entry has type {number(code)}") from None
        return cls(entry_type, payload, submitter, signature)

    def verify(self, origin: str) -> None:
        """Raise ``RefusedError(SIGNATURE_INVALID)`` unless the submitter signed this for the log ``origin``."""
        verify(self.submitter, _statement(origin, self.type, self.payload), self.signature)

    def leaf_hash(self) -> bytes:
        """The hash under which an inclusion proof finds this entry."""
        return leaf_hash(self.encode())


def _statement(origin: str, entry_type: EntryType, payload: bytes) -> bytes:
    return T(Tag.ENTRY_SIG, origin.encode(), u16(entry_type), hashlib.sha256(payload).digest())


def _check_length(payload: bytes) -> None:
    if len(payload) > MOST_PAYLOAD:
        raise MalformedError(f"a payload has at most {MOST_PAYLOAD} bytes", Reason.TOO_LARGE)
