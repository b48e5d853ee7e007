"""A conversation: its secret, its pins (mode, policy lineage, admin) and its members, version by version.

The admin signs a hash chain of rosters. Each version travels, whole, in sessions of the conversation's own mode; the
relay never sees it. Mode and lineage never change: another mode is another conversation. A removal takes a new secret,
so that who has left cannot compute the tags of what follows.
"""

import hashlib
from collections.abc import Iterable
from typing import Self

from msgspec import Struct

from escrow.crypto.sign import SIGNATURE_SIZE, SigningKey, verify
from escrow.encoding import number, u8, u64
from escrow.errors import DeferredError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields
from escrow.tlog.merkle import root_of


class Conversation(Struct, frozen=True):
    """One version of a conversation, verified. ``roster`` are the admin's signed bytes for it.

    ``id`` (32 bytes) names the conversation through all versions; it is known to its members only.
    """

    id: bytes
    secret: Secret
    mode: int
    lineage: bytes
    admin: AccountId
    members: tuple[AccountId, ...]
    version: int
    roster: bytes

    @classmethod
    def start(
        cls, key: SigningKey, admin: AccountId, secret: Secret, mode: int, lineage: bytes, members: Iterable[AccountId]
    ) -> Self:
        """Version 0, signed by the admin's device ``key``. ``secret`` is 32 fresh bytes."""
        name = _id(secret, mode, lineage, admin)
        everybody = tuple(sorted({admin, *members}))
        roster = _sign(key, name, 0, everybody, secret)
        return cls(name, secret, mode, lineage, admin, everybody, 0, roster)

    def change(self, key: SigningKey, members: Iterable[AccountId], secret: Secret) -> Self:
        """The next version, with other members; ``secret`` must be new if somebody leaves."""
        everybody = tuple(sorted({self.admin, *members}))
        roster = _sign(key, _hash(self.roster), self.version + 1, everybody, secret)
        conversation = type(self)(
            self.id, secret, self.mode, self.lineage, self.admin, everybody, self.version + 1, roster
        )
        self._check_successor(conversation)
        return conversation

    def encode(self) -> bytes:
        """``T("conversation", secret 32, mode u8, lineage 32, admin 32, members 32·n, roster)``.

        The roster is ``T("roster", previous 32, version u64, members_root 32, H(secret) 32)`` ‖ signature 64, where
        previous is the hash of the roster before, or for version 0 the conversation's id.
        """
        return T(
            Tag.CONVERSATION,
            self.secret.expose(),
            u8(self.mode),
            self.lineage,
            self.admin,
            b"".join(self.members),
            self.roster,
        )

    @classmethod
    def decode(cls, data: bytes, admin_key: bytes) -> Self:
        """Parse and verify a first version, signed by ``admin_key``.

        Whether that is a device key of ``admin`` is for the caller to know. Raises ``MalformedError``, or
        ``RefusedError`` with SIGNATURE_INVALID or ROSTER_ROOT (the roster is not that of this content).
        """
        conversation, previous = cls._parse(data, admin_key, None)
        if conversation.version or previous != conversation.id:
            raise RefusedError(Reason.ROSTER_ROOT, "not the first version of a conversation")
        return conversation

    def follow(self, data: bytes, admin_key: bytes) -> Self:
        """Parse and verify the next version.

        Raises as ``decode``; also ``RefusedError`` with ROSTER_STALE for an older version and MODE_MISMATCH for other
        pins, ``DeferredError(ROSTER_UNKNOWN)`` if a version in between is missing.
        """
        conversation, previous = self._parse(data, admin_key, self.id)
        if conversation.version > self.version + 1:
            raise DeferredError(Reason.ROSTER_UNKNOWN, f"version {self.version + 1} is missing")
        self._check_successor(conversation)
        if previous != _hash(self.roster):
            raise RefusedError(Reason.ROSTER_ROOT, "it follows another roster")
        return conversation

    def _check_successor(self, following: Self) -> None:
        if following.version <= self.version:
            raise RefusedError(Reason.ROSTER_STALE, f"version {following.version} after {self.version}")
        if (following.mode, following.lineage, following.admin) != (self.mode, self.lineage, self.admin):
            raise RefusedError(Reason.MODE_MISMATCH, "a conversation keeps its mode, policy and admin")
        if following.secret == self.secret and set(self.members) - set(following.members):
            raise RefusedError(Reason.ROSTER_ROOT, "somebody left and the secret stayed")

    @classmethod
    def _parse(cls, data: bytes, admin_key: bytes, name: bytes | None) -> tuple[Self, bytes]:
        raw_secret, mode, lineage, raw_admin, raw, roster = fields(Tag.CONVERSATION, data, 32, 1, 32, 32, None, None)
        body, signature = roster[:-SIGNATURE_SIZE], roster[-SIGNATURE_SIZE:]
        previous, version, members_root, secret_hash = fields(Tag.ROSTER, body, 32, 8, 32, 32)
        secret, admin = Secret(raw_secret), AccountId(raw_admin)
        members = tuple(AccountId(raw[at : at + 32]) for at in range(0, len(raw), 32))
        if len(raw) % 32 or members != tuple(sorted({admin, *members})):
            raise MalformedError("members are sorted, each once, the admin among them")
        verify(admin_key, body, signature)
        if members_root != root_of(members) or secret_hash != _hash(raw_secret):
            raise RefusedError(Reason.ROSTER_ROOT, "the roster is that of another content")
        name = name or _id(secret, number(mode), lineage, admin)
        return cls(name, secret, number(mode), lineage, admin, members, number(version), roster), previous


def _id(secret: Secret, mode: int, lineage: bytes, admin: AccountId) -> bytes:
    return digest(Tag.CONVERSATION_ID, _hash(secret.expose()), u8(mode), lineage, admin)


def _sign(key: SigningKey, previous: bytes, version: int, members: tuple[AccountId, ...], secret: Secret) -> bytes:
    body = T(Tag.ROSTER, previous, u64(version), root_of(members), _hash(secret.expose()))
    return body + key.sign(body)


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
