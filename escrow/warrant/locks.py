"""The two locks: who has signed a warrant, counted by distinct people of the right role.

Every custodian asks this anew from the signed bytes; what the authority's database says is never an input.
The document inside is not read here: a signature is checked before anything it covers is believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from escrow.errors import Reason, RefusedError
from escrow.warrant.documents import PAYLOAD_TYPE
from escrow.warrant.dsse import Envelope
from escrow.warrant.genesis import Genesis, Lock


@dataclass(frozen=True, slots=True)
class Locks:
    """A verified warrant: the signed bytes and the people who signed. ``approved`` when both locks are complete."""

    payload: bytes
    issuers: frozenset[str]
    approvers: frozenset[str]
    approved: bool


def check_locks(envelope: bytes, genesis: Genesis, *, urgent_allowed: bool = False) -> Locks:
    """Check both locks of a DSSE envelope; with ``urgent_allowed`` the second may be missing.

    Raises ``MalformedError``, ``SIGNATURE_INVALID`` (another type, or a signature of nobody we know),
    ``ROLE_KEY_UNAUTHORISED`` (a party that holds no lock), ``LOCKS_INCOMPLETE``, ``SEPARATION_OF_DUTIES``.
    """
    parsed = Envelope.parse(envelope)
    makers = parsed.makers(genesis.keys)
    if parsed.payload_type != PAYLOAD_TYPE:
        raise RefusedError(Reason.SIGNATURE_INVALID, "signed as another type than a warrant")
    counted = count_signers(makers, genesis)
    if not (counted.first and (counted.second or urgent_allowed)):
        raise counted.refusal()
    return Locks(parsed.payload, counted.issuers, counted.approvers, approved=counted.second)


@dataclass(frozen=True, slots=True)
class Signers:
    """Which people are behind some signatures, whether that completes each lock, and what else was among them."""

    issuers: frozenset[str]
    approvers: frozenset[str]
    first: bool
    second: bool
    unknown: bool
    strangers: bool

    def refusal(self) -> RefusedError:
        """Why these signatures do not suffice."""
        if self.unknown:
            return RefusedError(Reason.SIGNATURE_INVALID)
        return RefusedError(Reason.ROLE_KEY_UNAUTHORISED if self.strangers else Reason.LOCKS_INCOMPLETE)


def count_signers(makers: Iterable[bytes | None], genesis: Genesis) -> Signers:
    """Count people, not signatures: the same key twice, or one person under two roles, never counts as two.

    ``makers`` are the keys behind the signatures, nothing for a signature of no known key.
    Raises ``SEPARATION_OF_DUTIES`` if one person appears in both locks.
    """
    made = list(makers)
    issuers, approvers = _people(made, genesis.issuers), _people(made, genesis.approvers)
    # SPEC WRT-4: one person never holds both locks.
    if issuers & approvers:
        raise RefusedError(Reason.SEPARATION_OF_DUTIES)
    role_keys = genesis.issuers.keys.keys() | genesis.approvers.keys.keys()
    return Signers(
        issuers,
        approvers,
        first=len(issuers) >= genesis.issuers.threshold,
        second=len(approvers) >= genesis.approvers.threshold,
        unknown=None in made,
        strangers=any(key is not None and key not in role_keys for key in made),
    )


def _people(makers: Iterable[bytes | None], lock: Lock) -> frozenset[str]:
    people = lock.keys
    return frozenset(people[key] for key in makers if key is not None and key in people)
