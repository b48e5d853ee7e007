"""What makes one share generation the successor of another, said before a handover and checked after it.

A handover moves a committee key that never changes to other shares: those of the same members (a refresh) or of others,
with another threshold if that is wanted. Not the run, see ``resharing`` and ``handover``; and not who may ask for one.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from escrow.committee.documents import ShareGeneration, all_signed, read_members
from escrow.crypto.group import Group, Point
from escrow.crypto.sharing import interpolate_points
from escrow.crypto.suites import IBE, IBE_CONVERSATION, TDH2_EDWARDS25519, TDH2_RISTRETTO255, group_of
from escrow.encoding import join, number, u16, u32
from escrow.errors import Reason, RefusedError
from escrow.tags import T, Tag, fields

_RESHARED: Final = frozenset((TDH2_EDWARDS25519, TDH2_RISTRETTO255, IBE, IBE_CONVERSATION))
"""Suites whose shares lie outside the capsules. All others keep theirs until the period ends."""


def reshared_group(suite: int) -> Group:
    """Where the shares of a suite live; ``RefusedError(SUITE_MISMATCH)`` if they cannot be handed over."""
    # SPEC HND-1: only a suite whose shares are outside the capsules has handovers.
    if suite not in _RESHARED:
        raise RefusedError(Reason.SUITE_MISMATCH, f"shares of suite {suite} stay where they are")
    return group_of(suite)


@dataclass(frozen=True)
class HandoverProposal:
    """Which generation hands over, and to whom. New indices are 1..n' in the order of ``members``."""

    suite: int
    generation_hash: bytes
    """Of the generation that ends. It has one successor at most, so no old handover can be repeated."""
    members: tuple[bytes, ...]
    """Identity keys, Ed25519, 32 bytes each."""
    threshold: int
    nonce: bytes
    """16 bytes. The log takes the same entry once; who proposes again after a failure must say something new."""

    @property
    def n(self) -> int:
        """How many new members there are."""
        return len(self.members)

    @property
    def group(self) -> Group:
        """Where the shares live; see ``reshared_group``."""
        return reshared_group(self.suite)

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the encoding."""
        return hashlib.sha256(self.encode()).digest()

    def index_of(self, member: bytes) -> int | None:
        """The new index 1..n' of an identity key, if it will be a member's."""
        return self.members.index(member) + 1 if member in self.members else None

    def encode(self) -> bytes:
        """``T("handover", suite u16, generation_hash, n u32, t u32, members, nonce 16)``."""
        sizes = u32(self.n), u32(self.threshold)
        return T(Tag.HANDOVER, u16(self.suite), self.generation_hash, *sizes, join(*self.members), self.nonce)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read strictly; ``MalformedError`` unless 1 <= t <= n and the members are distinct valid keys."""
        suite, generation_hash, n, t, members, nonce = fields(Tag.HANDOVER, data, 2, 32, 4, 4, None, 16)
        return cls(number(suite), generation_hash, read_members(members, number(n), number(t)), number(t), nonce)


def verify_shares(generation: ShareGeneration, public: Point) -> None:
    """Raise ``COMMITTEE_UNAUTHORISED`` or ``MalformedError`` unless ``threshold`` shares of ``generation`` are the
    logarithm of ``public``, whichever they are.

    Every h_i lies on the one polynomial through ``public`` at 0 and h_1..h_{t-1}.
    """
    keys = {index: generation.share_key(public.group, index) for index in range(1, generation.n + 1)}
    first = {index: keys[index] for index in range(1, generation.threshold)}
    for index in range(generation.threshold, generation.n + 1):
        if interpolate_points({**first, index: keys[index]}) != public:
            raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, f"share {index} is not one of this key")


def verify_successor(generation: ShareGeneration, before: ShareGeneration, public: Point) -> None:
    """Raise ``COMMITTEE_UNAUTHORISED`` or ``MalformedError`` unless ``generation`` may follow ``before``.

    It is the next one of the same key ``public``, and all its members say that they hold their shares. That its members
    are the right ones is for the caller to know.
    """
    if (generation.committee_key_hash, generation.number) != (before.committee_key_hash, before.number + 1):
        raise RefusedError(Reason.COMMITTEE_UNAUTHORISED, "the generation does not follow the one before it")
    verify_later(generation, public)


def verify_later(generation: ShareGeneration, public: Point) -> None:
    """The same where the generation before is not at hand: its shares are of this key, and its members have them."""
    verify_shares(generation, public)
    # SPEC HND-9: a generation counts when every one of its members has acknowledged it.
    all_signed(generation.members, generation.statement, generation.acknowledgements)
