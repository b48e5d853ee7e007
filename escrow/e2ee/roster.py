"""What the relay and a custodian may see of a conversation: a tag and a salted root, new in every epoch.

Both derive from the conversation secret. Each member has a salt of its own per (epoch, roster version): opening one
leaf tells nothing about its neighbours (RFC 6962 tree; leaves sorted as bytes, so by salt, which hides the order of
accounts as well). What the conversation *is* stands in ``conversation``.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Self

from msgspec import Struct

from escrow.crypto.kdf import hkdf_expand, hmac_each
from escrow.encoding import join, number, u32, u64
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId
from escrow.secret import Secret
from escrow.tags import T, Tag, fields
from escrow.tlog.merkle import leaf_hash, path_of, root_of, verify_inclusion


def conv_tag(secret: Secret, policy_hash: bytes, epoch: int) -> bytes:
    """32 bytes that name the conversation for one epoch of one policy version, and link to no other epoch."""
    return _tag(secret.expose(), policy_hash, epoch)


def member_salts(
    secret: Secret, policy_hash: bytes, epoch: int, roster_version: int, members: Iterable[AccountId]
) -> dict[AccountId, bytes]:
    """For every member 32 bytes that hide it in the roster tree until they are shown; a device tells them the relay."""
    # HKDF-Expand with the info T("member-salt", policy_hash, epoch, roster_version, account), to 32 bytes: one HMAC.
    accounts, common = list(members), T(Tag.MEMBER_SALT, policy_hash, u64(epoch), u64(roster_version))
    infos = (common + join(account) + b"\x01" for account in accounts)
    return dict(zip(accounts, hmac_each(secret.expose(), *infos), strict=True))


def roster_root(
    secret: Secret, policy_hash: bytes, epoch: int, roster_version: int, members: Iterable[AccountId]
) -> bytes:
    """The root that a label carries."""
    return _root(secret.expose(), policy_hash, epoch, roster_version, tuple(members))


def root_of_salts(salts: Mapping[AccountId, bytes]) -> bytes:
    """The same root from registered salts, without the secret."""
    return root_of(_leaves(salts))


# Each message of a conversation asks for the same two. Its secret lasts as long as the conversation, and is no key of
# anything that is written in it.


@lru_cache(maxsize=256)
def _tag(secret: bytes, policy_hash: bytes, epoch: int) -> bytes:
    return hkdf_expand(secret, T(Tag.CONV_TAG, policy_hash, u64(epoch)), 32)


@lru_cache(maxsize=256)
def _root(secret: bytes, policy_hash: bytes, epoch: int, roster_version: int, members: tuple[AccountId, ...]) -> bytes:
    return root_of_salts(member_salts(Secret(secret), policy_hash, epoch, roster_version, members))


class MemberProof(Struct, frozen=True):
    """Shows that ``account`` is a member under a roster root, and nothing about the others but how many there are."""

    account: AccountId
    salt: bytes
    index: int
    size: int
    path: tuple[bytes, ...]

    @classmethod
    def make(cls, salts: Mapping[AccountId, bytes], account: AccountId) -> Self:
        """The proof for a member; raise ``RefusedError(ROSTER_PATH)`` if it is none."""
        if account not in salts:
            raise RefusedError(Reason.ROSTER_PATH, "the account is not in the roster")
        leaves = _leaves(salts)
        index = leaves.index(_leaf(salts[account], account))
        return cls(account, salts[account], index, len(leaves), path_of(leaves, index))

    def encode(self) -> bytes:
        """``T("member-proof", account 32, salt 32, index u32, size u32, path 32·n)``."""
        return T(Tag.MEMBER_PROOF, self.account, self.salt, u32(self.index), u32(self.size), b"".join(self.path))

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        account, salt, index, size, path = fields(Tag.MEMBER_PROOF, data, 32, 32, 4, 4, None)
        if len(path) % 32:
            raise MalformedError("a path that is not a row of hashes")
        hashes = tuple(path[at : at + 32] for at in range(0, len(path), 32))
        return cls(AccountId(account), salt, number(index), number(size), hashes)

    def verify(self, root: bytes) -> None:
        """Return if the leaf is under ``root``; raise ``RefusedError(ROSTER_PATH)``."""
        leaf = leaf_hash(_leaf(self.salt, self.account))
        try:
            verify_inclusion(leaf, self.index, self.size, self.path, root)
        except EscrowError:
            raise RefusedError(Reason.ROSTER_PATH) from None


def _leaf(salt: bytes, account: AccountId) -> bytes:
    return T(Tag.MEMBER, salt, account)


def _leaves(salts: Mapping[AccountId, bytes]) -> list[bytes]:
    return sorted(_leaf(salt, account) for account, salt in salts.items())
