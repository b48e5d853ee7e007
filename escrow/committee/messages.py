"""What custodians say during a key generation or a handover, in the log and to each other, and how either ends.

Every log payload is ``T("dkg-entry", session 32, content)``; the session names proposal and run, so that an entry of
another run is none of this one's. Not the meaning of the content: see ``dkg``, ``handover`` and ``dispute``.
"""

from dataclasses import dataclass
from enum import StrEnum, unique

from escrow.encoding import u32
from escrow.errors import Reason
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields


@unique
class Kind(StrEnum):
    """Types of log entries. The names are those of the log's entry types, which is a module beside this one."""

    DKG_TRANSPORT = "DKG_TRANSPORT"
    DKG_COMMIT = "DKG_COMMIT"
    DKG_REVEAL = "DKG_REVEAL"
    DKG_CIPHERTEXTS = "DKG_CIPHERTEXTS"
    DKG_CERTIFY = "DKG_CERTIFY"
    DKG_DISPUTE = "DKG_DISPUTE"
    DKG_ANSWER = "DKG_ANSWER"
    COMMITTEE_KEY = "COMMITTEE_KEY"
    HANDOVER_TRANSPORT = "HANDOVER_TRANSPORT"
    HANDOVER_DEAL = "HANDOVER_DEAL"
    HANDOVER_READY = "HANDOVER_READY"
    HANDOVER_ACKNOWLEDGEMENT = "HANDOVER_ACKNOWLEDGEMENT"
    SHARE_GENERATION = "SHARE_GENERATION"

    @property
    def follows_erasure(self) -> bool:
        """Whether its author has erased what could open others' parts, or make its own again, before it exists."""
        return self in (Kind.DKG_COMMIT, Kind.DKG_CERTIFY, Kind.HANDOVER_DEAL, Kind.HANDOVER_ACKNOWLEDGEMENT)

    @property
    def of_handover(self) -> bool:
        """Whether a handover reads such entries."""
        return self.startswith("HANDOVER_") or self in (Kind.DKG_DISPUTE, Kind.DKG_ANSWER)

    @property
    def of_keygen(self) -> bool:
        """Whether a key generation reads such entries. A handover has disputes and answers of the same two types."""
        return self.startswith("DKG_")


@dataclass(frozen=True, slots=True)
class ToLog:
    """Append this entry under the custodian's identity key."""

    kind: Kind
    payload: bytes


@dataclass(frozen=True, slots=True)
class ToMember:
    """Deliver this ciphertext to custodian ``index``, outside the log."""

    index: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Finished:
    """The run made a key. ``committee_key`` and ``generation`` are the encoded, fully signed documents."""

    committee_key: bytes
    generation: bytes
    index: int
    share: Secret
    """What the scheme opens with: x_i, 32 bytes little-endian; the seed of the KEM key, 32; or one after the other."""


@dataclass(frozen=True, slots=True)
class Aborted:
    """The run failed, for everybody who reads the same log, in the same way. ``culprits`` are indices, never empty."""

    reason: Reason
    culprits: frozenset[int]
    run: int


Output = ToLog | ToMember | Finished | Aborted


@dataclass(frozen=True, slots=True)
class Renewed:
    """The handover made a share generation: the encoded document, with the acknowledgements of all its members.

    The old shares may be erased once the log shows it, not before.
    """

    generation: bytes


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The handover came to nothing and the old generation stays.

    ``culprits`` are identity keys, never empty: an index would not say of which committee.
    """

    reason: Reason
    culprits: frozenset[bytes]


HandoverOutput = ToLog | ToMember | Renewed | Abandoned


def session_id(proposal: bytes, run: int) -> bytes:
    """32 bytes that no other run and no other proposal has."""
    return digest(Tag.DKG_SESSION, proposal, u32(run))


def entry(session: bytes, content: bytes) -> bytes:
    """The payload of a log entry."""
    return T(Tag.DKG_ENTRY, session, content)


def read_entry(payload: bytes) -> tuple[bytes, bytes]:
    """(session, content) of a payload; ``MalformedError`` if it is none."""
    session, content = fields(Tag.DKG_ENTRY, payload, 32, None)
    return session, content


def possession(session: bytes, index: int) -> bytes:
    """What a custodian signs with its transport key, so that nobody can claim the transport key of another."""
    return T(Tag.DKG_TRANSPORT, session, u32(index))


def commitment_hash(session: bytes, dealer: int, commitment: bytes) -> bytes:
    """What a dealer logs before its commitment. It names the dealer: a copied hash opens to nothing."""
    return digest(Tag.DKG_COMMIT, session, u32(dealer), commitment)


def ciphertext_hash(session: bytes, dealer: int, recipient: int, ciphertext: bytes) -> bytes:
    """What a dealer logs of a ciphertext that travels outside the log."""
    return digest(Tag.DKG_CIPHERTEXT, session, u32(dealer), u32(recipient), ciphertext)
