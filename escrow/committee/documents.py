"""Who holds a committee key, which key it is, and who holds which part of it: three documents, no circle.

A ``CommitteeProposal`` names the custodians and is hashed into the run that makes the key. A ``CommitteeKey`` never
changes; labels and capsules are bound to its hash. A ``ShareGeneration`` says which custodian holds which share *now*;
only share proofs are bound to it, so that a handover leaves every old capsule openable.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from escrow.committee.parts import PublicKey, kem_names
from escrow.crypto import sign
from escrow.crypto.group import Group, Point
from escrow.crypto.suites import MOST_KEM_KEYS, group_of, has_group, has_kem
from escrow.encoding import expect, join, number, split, u16, u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag, digest, fields

MOST_MEMBERS: Final = 255
"""Custodians are institutions. The bound keeps every document below the log's limit for an entry."""

_SHARE_KEYS: Final = ({32}, {96})
"""Of which group the points are is for ``verify_holders`` to see: a generation does not name its suite."""

TRANSCRIPT_SIZE: Final = 64
"""The hash of a transcript is SHA-512, as COCKTAIL-DKG has it."""


@dataclass(frozen=True)
class CommitteeProposal:
    """The custodians of one (policy, period). Indices are 1..n in the order of ``members``."""

    suite: int
    members: tuple[bytes, ...]
    """Identity keys, Ed25519, 32 bytes each."""
    threshold: int
    policy_hash: bytes
    period: int

    @property
    def n(self) -> int:
        """How many custodians there are."""
        return len(self.members)

    @property
    def group(self) -> Group:
        """Where its key will live; ``RefusedError(SUITE_MISMATCH)`` if this machine cannot calculate there."""
        return group_of(self.suite)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the encoding."""
        return hashlib.sha256(self.encode()).digest()

    def index_of(self, member: bytes) -> int | None:
        """The index 1..n of an identity key, if it is a custodian's."""
        return self.members.index(member) + 1 if member in self.members else None

    def encode(self) -> bytes:
        """``T("committee-proposal", suite u16, n u32, t u32, members, policy_hash, period u64)``."""
        sizes = u32(self.n), u32(self.threshold)
        return T(Tag.PROPOSAL, u16(self.suite), *sizes, join(*self.members), self.policy_hash, u64(self.period))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; ``MalformedError`` unless 1 <= t <= n and the members are distinct valid keys."""
        suite, n, t, members, policy_hash, period = fields(Tag.PROPOSAL, data, 2, 4, 4, None, 32, 8)
        keys = read_members(members, number(n), number(t))
        if has_kem(number(suite)) and len(keys) > MOST_KEM_KEYS:
            raise MalformedError(f"a committee with KEM keys has at most {MOST_KEM_KEYS} members")
        return cls(number(suite), keys, number(t), policy_hash, number(period))


@dataclass(frozen=True)
class CommitteeKey:
    """The public key of one period, certified by every custodian that holds a part of it."""

    proposal_hash: bytes
    public: bytes
    """What ``PublicKey`` reads: Y, or n X-Wing keys of 1216 bytes, or one after the other."""
    gamma: bytes
    """Ḡ; empty where the suite has none."""
    retire_at: int
    transcript_hash: bytes
    certificate: tuple[bytes, ...]
    """One Ed25519 signature per custodian, in the order of the proposal."""

    @cached_property
    def hash(self) -> bytes:
        """``committee_key_hash``, over what the custodians agree on *before* they sign: so the share generation that
        they sign in the same step can name it. The certificate stands beside it; it proves the hash.
        """
        return digest(Tag.COMMITTEE_KEY, self.proposal_hash, self.public, self.gamma, u64(self.retire_at))

    @property
    def statement(self) -> bytes:
        """What every custodian signs."""
        return T(Tag.DKG_CERTIFY, self.transcript_hash, self.public, self.gamma, u64(self.retire_at))

    def encode(self) -> bytes:
        """``T("committee-key", proposal_hash, public, Ḡ, retire_at u64, transcript_hash 64, signatures)``."""
        agreed = self.proposal_hash, self.public, self.gamma, u64(self.retire_at)
        return T(Tag.COMMITTEE_KEY, *agreed, self.transcript_hash, join(*self.certificate))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; proves nothing yet: ``verify_key`` does."""
        widths = 32, None, None, 8, TRANSCRIPT_SIZE, None
        proposal_hash, public, gamma, retire_at, transcript, signatures = fields(Tag.COMMITTEE_KEY, data, *widths)
        return cls(proposal_hash, public, gamma, number(retire_at), transcript, _signatures(signatures))


def verify_key(key: CommitteeKey, proposal: CommitteeProposal) -> None:
    """Raise ``RefusedError(COMMITTEE_UNAUTHORISED)`` unless *all* custodians of ``proposal`` certified ``key``."""
    if key.proposal_hash != proposal.hash:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the key belongs to another proposal")
    if key.gamma != read_public(key, proposal).gamma:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the second generator is not the derived one")
    all_signed(proposal.members, key.statement, key.certificate)


def read_public(key: CommitteeKey, proposal: CommitteeProposal) -> PublicKey:
    """The public key, read and in itself valid; ``MalformedError``."""
    return PublicKey.read(proposal.suite, proposal.n, proposal.hash, key.public)


@dataclass(frozen=True)
class ShareGeneration:
    """Who holds which share. Generation 0 comes from key generation.

    ``verification[i-1]`` is h_i = x_i·G; where there is no group, the name of the custodian's KEM key.
    """

    committee_key_hash: bytes
    number: int
    members: tuple[bytes, ...]
    threshold: int
    verification: tuple[bytes, ...]
    acknowledgements: tuple[bytes, ...]
    """One Ed25519 signature per member. Without them whoever logs first could put wrong verification shares beside a
    right key, and honest custodians would look as if they cheated."""

    @property
    def n(self) -> int:
        """How many members there are."""
        return len(self.members)

    @cached_property
    def hash(self) -> bytes:
        """``generation_hash``: over everything but the acknowledgements, which sign it."""
        return digest(Tag.GENERATION, *self._agreed())

    @property
    def statement(self) -> bytes:
        """What every member signs once it has stored its share and erased its transport key."""
        return T(Tag.SHARE_ACK, self.hash)

    def share_key(self, group: Group, index: int) -> Point:
        """h_i of member ``index``; ``MalformedError`` for an index that is not 1..n, or for no point of ``group``."""
        return group.decode(self.verification_of(index))

    def verification_of(self, index: int) -> bytes:
        """The same, whatever the suite has in its place; ``MalformedError`` for an index that is not 1..n."""
        if not 1 <= index <= self.n:
            raise MalformedError(f"{index} is not the index of a member")
        return self.verification[index - 1]

    def encode(self) -> bytes:
        """``T("share-generation", committee_key_hash, g u32, n u32, t u32, members, h_1..h_n, signatures)``."""
        return T(Tag.GENERATION, *self._agreed(), join(*self.acknowledgements))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; proves nothing yet: ``verify_generation`` does."""
        key_hash, g, n, t, members, shares, signatures = fields(Tag.GENERATION, data, 32, 4, 4, 4, None, None, None)
        keys = read_members(members, number(n), number(t))
        verification = _exactly(split(shares, most=MOST_MEMBERS), number(n), "verification shares")
        if {len(share) for share in verification} not in _SHARE_KEYS:
            raise MalformedError("verification shares have one width, that of a name or of a point")
        return cls(key_hash, number(g), keys, number(t), verification, _signatures(signatures))

    def _agreed(self) -> tuple[bytes, ...]:
        sizes = u32(self.number), u32(self.n), u32(self.threshold)
        return (self.committee_key_hash, *sizes, join(*self.members), join(*self.verification))


def verify_generation(generation: ShareGeneration, key: CommitteeKey, proposal: CommitteeProposal) -> None:
    """Raise ``RefusedError(COMMITTEE_UNAUTHORISED)`` unless this is the generation that key generation ended with."""
    if generation.committee_key_hash != key.hash:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the shares are not those of this key")
    if not has_group(proposal.suite) and generation.verification != kem_names(read_public(key, proposal).kems):
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the shares are named after other keys")
    verify_holders(generation, proposal)


def verify_holders(generation: ShareGeneration, proposal: CommitteeProposal) -> None:
    """The same, of a generation whose key is not at hand: its holders are those proposed, and all acknowledge it."""
    if (generation.members, generation.threshold) != (proposal.members, proposal.threshold):
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the shares are not those of this proposal")
    if generation.number != 0:
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "a later generation needs the one before it")
    for share in generation.verification if has_group(proposal.suite) else ():
        proposal.group.decode(share)
    all_signed(generation.members, generation.statement, generation.acknowledgements)


def all_signed(members: Sequence[bytes], statement: bytes, signatures: Sequence[bytes]) -> None:
    """Raise ``RefusedError(COMMITTEE_UNAUTHORISED)`` unless each member signed, in the order of the members."""
    if len(signatures) != len(members):
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "a signature per custodian is needed")
    for index, (member, signature) in enumerate(zip(members, signatures, strict=True), start=1):
        try:
            sign.verify(member, statement, signature)
        except RefusedError:
            raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, f"custodian {index} did not sign this") from None


def read_members(data: bytes, n: int, threshold: int) -> tuple[bytes, ...]:
    """The ``n`` identity keys of a committee; ``MalformedError`` unless it can be one."""
    members = _exactly(split(data, most=MOST_MEMBERS), n, "members")
    if not 1 <= threshold <= n or len(set(members)) != n:
        raise MalformedError("a committee has distinct members and a threshold from 1 to their number")
    for member in members:
        sign.check_public(member)
    return members


def _signatures(data: bytes) -> tuple[bytes, ...]:
    return tuple(expect(one, sign.SIGNATURE_SIZE, "a signature") for one in split(data, most=MOST_MEMBERS))


def _exactly(found: tuple[bytes, ...], n: int, what: str) -> tuple[bytes, ...]:
    if len(found) != n:
        raise MalformedError(f"{len(found)} {what}, not {n}")
    return found
