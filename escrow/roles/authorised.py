"""Logged and witnessed is not authorised: what makes a committee's key and its shares count.

The proposal of a period follows from the policy, so nobody has to be asked for it. A key counts if every custodian
that the policy names has certified it and its end is the one that the policy fixes. Of several in the log, the first.
"""

from functools import lru_cache

from escrow.capsule.schemes.base import CommitteeContext
from escrow.committee.documents import (
    CommitteeKey,
    CommitteeProposal,
    ShareGeneration,
    verify_generation,
    verify_holders,
    verify_key,
)
from escrow.committee.parts import PublicKey
from escrow.committee.succession import reshared_group, verify_later
from escrow.errors import Reason, RefusedError
from escrow.warrant.genesis import Genesis
from escrow.warrant.handover_order import HandoverOrder


def proposal_for(genesis: Genesis, period: int) -> CommitteeProposal:
    """The one proposal that the policy in force admits for ``period``."""
    policy = genesis.policy
    return _proposal(policy.suite, genesis.committee, policy.t, policy.hash, period)


def check_committee_key(genesis: Genesis, period: int, payload: bytes) -> CommitteeKey:
    """The committee key of ``period`` in a logged payload; ``COMMITTEE_UNAUTHORISED`` unless it is authorised."""
    return _checked_key(proposal_for(genesis, period), genesis.policy.retire_at(period), payload)


def check_generation(
    genesis: Genesis, key: CommitteeKey, period: int, payload: bytes, order: HandoverOrder | None = None
) -> ShareGeneration:
    """The share generation of ``key`` in a logged payload; ``COMMITTEE_UNAUTHORISED`` unless it is authorised.

    ``order``: the roots' order that makes its members the holders, where they are not those of the policy.
    """
    generation, proposal = ShareGeneration.decode(payload), proposal_for(genesis, period)
    if not generation.number:
        verify_generation(generation, key, proposal)
        return generation
    held = generation.members, generation.threshold
    if generation.committee_key_hash != key.hash:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the shares are not those of this key")
    # SPEC HND-10: a refresh needs nobody's leave; other members or another threshold need the roots'.
    if held != (proposal.members, proposal.threshold) and (
        order is None or order.key_hash != key.hash or held != order.committee
    ):
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "neither the policy nor an order names these holders")
    check_shares(genesis, key, generation)
    return generation


def check_shares(genesis: Genesis, key: CommitteeKey, generation: ShareGeneration) -> None:
    """Shares after the first ones are of ``key``, and all members say that they have them.

    ``COMMITTEE_UNAUTHORISED``, ``MalformedError``; ``SUITE_MISMATCH`` where there can be no such shares.
    """
    verify_later(generation, reshared_group(genesis.policy.suite).decode(key.public))


def check_holders(genesis: Genesis, payload: bytes) -> ShareGeneration:
    """A share generation that all custodians of the policy acknowledge, whichever key it is of.

    ``COMMITTEE_UNAUTHORISED``, ``MalformedError``.
    """
    generation = ShareGeneration.decode(payload)
    verify_holders(generation, proposal_for(genesis, 0))
    return generation


def context_of(genesis: Genesis, key: CommitteeKey) -> CommitteeContext:
    """What capsules under ``key`` are bound to."""
    policy = genesis.policy
    return _context(policy.suite, policy.n, policy.t, key)


@lru_cache(maxsize=256)
def _proposal(suite: int, members: tuple[bytes, ...], t: int, policy_hash: bytes, period: int) -> CommitteeProposal:
    return CommitteeProposal(suite, members, t, policy_hash, period)


@lru_cache(maxsize=256)
def _checked_key(proposal: CommitteeProposal, retire_at: int, payload: bytes) -> CommitteeKey:
    key = CommitteeKey.decode(payload)
    verify_key(key, proposal)
    if key.retire_at != retire_at:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the key ends when the policy does not say so")
    return key


@lru_cache(maxsize=256)
def _context(suite: int, n: int, threshold: int, key: CommitteeKey) -> CommitteeContext:
    public = PublicKey.read(suite, n, key.proposal_hash, key.public)
    return CommitteeContext(suite, key.hash, threshold, public)
