"""A conversation: its secret, its pins (mode, policy lineage, admin, title) and its members, version by version.

The admin signs a hash chain of rosters. Each version travels, whole, in sessions of the conversation's own mode; the
relay never sees it. The pins never change: another mode is another conversation. They are hashed into the id and the id
into every roster, so any member may pass a version on and nobody can change what it is a version of. A removal takes a
new secret, so that who has left cannot compute the tags of what follows.

A conversation without a title is a pair's and has one version only. What somebody who comes later cannot check is
whether the versions before were what the others saw.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Self, TypeVar

from msgspec import Struct

from escrow.crypto.sign import SIGNATURE_SIZE, SigningKey, verify
from escrow.encoding import number, u8, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import AccountId
from escrow.secret import Secret
from escrow.tags import T, Tag, digest, fields
from escrow.tlog.merkle import root_of

MOST_MEMBERS = 256
"""As many as the relay takes in one roster."""
MOST_TITLE = 64
"""Bytes of UTF-8."""
PAIR = 2

KeysOf = Callable[[AccountId], Iterable[bytes]]
"""The signing keys of an account's devices, from whoever follows the key directory."""


C = TypeVar("C", bound="Conversation")


class Conversation(Struct, frozen=True):
    """One version of a conversation, verified. ``roster`` are the admin's signed bytes for it.

    ``id`` (32 bytes) names the conversation through all versions; it is known to its members only. ``origin`` is the
    hash of the first secret, ``before`` that of the roster before, or zeros.
    """

    id: bytes
    secret: Secret
    mode: int
    lineage: bytes
    admin: AccountId
    title: str
    members: tuple[AccountId, ...]
    version: int
    origin: bytes
    before: bytes
    roster: bytes

    @classmethod
    def start(
        cls,
        key: SigningKey,
        admin: AccountId,
        secret: Secret,
        mode: int,
        lineage: bytes,
        members: Iterable[AccountId],
        title: str = "",
    ) -> Self:
        """Version 0, signed by the admin's device ``key``. ``secret`` is 32 fresh bytes.

        Raises ``MalformedError`` for a title or a number of members that cannot be.
        """
        origin = _hash(secret.expose())
        name = _id(origin, mode, lineage, admin, title)
        everybody = _everybody(admin, members)
        roster = _sign(key, name, 0, everybody, secret)
        return _checked(cls(name, secret, mode, lineage, admin, title, everybody, 0, origin, bytes(32), roster))

    def change(self, key: SigningKey, members: Iterable[AccountId], secret: Secret) -> Self:
        """The next version, with other members; ``secret`` must be new if somebody leaves."""
        everybody, version, before = _everybody(self.admin, members), self.version + 1, _hash(self.roster)
        roster = _sign(key, _link(self.id, before), version, everybody, secret)
        pins = self.id, secret, self.mode, self.lineage, self.admin, self.title
        following = _checked(type(self)(*pins, everybody, version, self.origin, before, roster))
        self.check_later(following)
        return following

    @property
    def is_pair(self) -> bool:
        """Whether two people simply write to each other, so that nothing ever changes."""
        return not self.title

    def encode(self) -> bytes:
        """``T("conversation", secret 32, mode u8, lineage 32, admin 32, title, members 32·n, origin, before, roster)``.

        The roster is ``T("roster", previous 32, version u64, members_root 32, H(secret) 32)`` ‖ signature 64, where
        previous is the id for version 0 and ``H(T("roster-link", id, before))`` after that.
        """
        return T(
            Tag.CONVERSATION,
            self.secret.expose(),
            u8(self.mode),
            self.lineage,
            self.admin,
            self.title.encode(),
            b"".join(self.members),
            self.origin,
            self.before,
            self.roster,
        )

    @classmethod
    def decode(cls, data: bytes, keys_of: KeysOf) -> Self:
        """Parse and verify a version that a device of its admin has signed, whoever brings it.

        Raises what ``keys_of`` raises, ``MalformedError``, or ``RefusedError`` with SIGNATURE_INVALID, or ROSTER_ROOT
        (the roster is not that of this content).
        """
        raw_secret, raw_mode, lineage, raw_admin, raw_title, raw, origin, before, roster = fields(
            Tag.CONVERSATION, data, 32, 1, 32, 32, None, None, 32, 32, None
        )
        body, signature = roster[:-SIGNATURE_SIZE], roster[-SIGNATURE_SIZE:]
        previous, version, members_root, secret_hash = fields(Tag.ROSTER, body, 32, 8, 32, 32)
        mode, admin, title = number(raw_mode), AccountId(raw_admin), _title(raw_title)
        members = tuple(AccountId(raw[at : at + 32]) for at in range(0, len(raw), 32))
        if len(raw) % 32 or members != _everybody(admin, members):
            raise MalformedError("members are sorted, each once, the admin among them")
        name = _id(origin, mode, lineage, admin, title)
        pins = name, Secret(raw_secret), mode, lineage, admin, title
        conversation = _checked(cls(*pins, members, number(version), origin, before, roster))
        _verify(keys_of(admin), body, signature)
        bound = _previous(conversation), root_of(members), _hash(raw_secret)
        first = not conversation.version
        if (previous, members_root, secret_hash) != bound or (first and (origin, before) != (secret_hash, bytes(32))):
            raise RefusedError(Reason.ROSTER_ROOT, "the roster is that of another content")
        return conversation

    def is_signed_by(self, keys: Iterable[bytes]) -> bool:
        """Whether one of ``keys`` has signed this version, so that others can still be shown who did."""
        try:
            _verify(keys, self.roster[:-SIGNATURE_SIZE], self.roster[-SIGNATURE_SIZE:])
        except RefusedError:
            return False
        return True

    def check_later(self, later: Self) -> None:
        """Return if ``later`` may be a later version of this conversation, right after this one or not.

        Raises ``RefusedError(ROSTER_FORKED)``: the next one follows another roster, or somebody has left and the secret
        has stayed. Either way it is the admin who has signed it, and whoever passes it on did nothing.
        """
        follows = later.version > self.version + 1 or later.before == _hash(self.roster)
        if later.id != self.id or later.version <= self.version or not follows:
            raise RefusedError(Reason.ROSTER_FORKED, "it follows another roster")
        if later.secret == self.secret and set(self.members) - set(later.members):
            raise RefusedError(Reason.ROSTER_FORKED, "somebody left and the secret stayed")


def _previous(conversation: Conversation) -> bytes:
    return _link(conversation.id, conversation.before) if conversation.version else conversation.id


def _checked(conversation: C) -> C:
    _title(conversation.title.encode())
    if not PAIR <= len(conversation.members) <= MOST_MEMBERS:
        raise MalformedError(
            f"a conversation of {len(conversation.members)}; {PAIR} to {MOST_MEMBERS} is what there is"
        )
    if conversation.is_pair and (conversation.version or len(conversation.members) != PAIR):
        raise MalformedError("a conversation without a title is that of two, for ever")
    return conversation


def _everybody(admin: AccountId, members: Iterable[AccountId]) -> tuple[AccountId, ...]:
    return tuple(sorted({admin, *members}))


def _id(origin: bytes, mode: int, lineage: bytes, admin: AccountId, title: str) -> bytes:
    return digest(Tag.CONVERSATION_ID, origin, u8(mode), lineage, admin, title.encode())


def _link(name: bytes, before: bytes) -> bytes:
    return digest(Tag.ROSTER_LINK, name, before)


def _sign(key: SigningKey, previous: bytes, version: int, members: tuple[AccountId, ...], secret: Secret) -> bytes:
    body = T(Tag.ROSTER, previous, u64(version), root_of(members), _hash(secret.expose()))
    return body + key.sign(body)


def _verify(keys: Iterable[bytes], body: bytes, signature: bytes) -> None:
    for key in keys:
        try:
            return verify(key, body, signature)
        except RefusedError:
            continue
    raise RefusedError(Reason.SIGNATURE_INVALID, "no device of the admin has signed this roster")


def _title(data: bytes) -> str:
    try:
        title = data.decode()
    except UnicodeDecodeError:
        raise MalformedError("a title that is not UTF-8") from None
    if len(data) > MOST_TITLE or not title.isprintable() or title != title.strip():
        raise MalformedError(f"a title is at most {MOST_TITLE} bytes, printable, without blanks at its ends")
    return title


def _hash(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
