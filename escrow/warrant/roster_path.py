"""Proof that one account is in the roster of a label, and nothing about any other account.

A leaf is salted per account, epoch and roster version, so neither the root nor the sibling hashes can be tested
against guesses. Only warrants on whole conversations need this proof.
"""

from dataclasses import dataclass
from typing import Self

from escrow.encoding import number, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.tags import T, Tag, fields
from escrow.tlog.merkle import leaf_hash, verify_inclusion


@dataclass(frozen=True, slots=True)
class RosterPath:
    """Opens the leaf of ``account`` at ``index`` of ``size`` under a roster root; account and salt of 32 bytes."""

    account: bytes
    salt: bytes
    index: int
    size: int
    path: tuple[bytes, ...]

    def encode(self) -> bytes:
        """``T("roster-path", account, salt, index u64, size u64, path 32 each)``."""
        return T(Tag.ROSTER_PATH, self.account, self.salt, u64(self.index), u64(self.size), b"".join(self.path))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Strict inverse of ``encode``; ``MalformedError``."""
        account, salt, index, size, path = fields(Tag.ROSTER_PATH, data, 32, 32, 8, 8, None)
        return cls(account, salt, number(index), number(size), split_path(path))

    def member(self, roster_root: bytes) -> bytes:
        """The account, if it is proved under the root; ``ROSTER_PATH``."""
        leaf = leaf_hash(T(Tag.MEMBER, self.salt, self.account))
        try:
            verify_inclusion(leaf, self.index, self.size, self.path, roster_root)
        except EscrowError as error:
            raise RefusedError(Reason.ROSTER_PATH) from error
        return self.account


def split_path(path: bytes) -> tuple[bytes, ...]:
    """The 32-byte hashes of an inclusion path, at most 64 of them; ``MalformedError``."""
    if len(path) % 32 or len(path) > 64 * 32:
        raise MalformedError("an inclusion path is a sequence of at most 64 hashes")
    return tuple(path[at : at + 32] for at in range(0, len(path), 32))
