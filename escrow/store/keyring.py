"""Who may open a sealed store: one record that holds its data key under a passphrase or the bytes of a key file.

Values are sealed under the data key, which never changes (``escrow.store.sealed``); a new passphrase costs one record.
The record carries a checksum besides its seal, so that damage is told apart from a wrong key: a typing error must not
look like a broken disk, nor a broken disk like a typing error. Against somebody who rewrites both only the seal counts.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, Self

from escrow.crypto import aead
from escrow.crypto.kdf import argon2id, hkdf_expand
from escrow.encoding import number, u8, u32
from escrow.errors import IntegrityError, MalformedError, Reason, RefusedError, UnavailableError
from escrow.roles.machine import Read, Writes
from escrow.secret import Secret
from escrow.store.port import Store
from escrow.tags import T, Tag, digest, fields

KEY_SIZE: Final = 32
"""Bytes of a data key, and of a key file."""
PLACE: Final = b"keyring"
"""The one key of the inner store under which no sealed value lies."""

_SALT, _NONCE = 16, 24
_WRAPPED: Final = _NONCE + KEY_SIZE + aead.TAG_SIZE
_MOST_PASSES, _LEAST_MEMORY, _MOST_MEMORY = 64, 8, 1 << 20


@unique
class LockKind(IntEnum):
    """What opens a keyring."""

    PASSPHRASE = 1
    KEY_FILE = 2


@dataclass(frozen=True, slots=True)
class Cost:
    """What Argon2id takes: passes over ``memory`` KiB. By default the second choice of RFC 9106, section 4."""

    passes: int = 3
    memory: int = 64 << 10


NOTHING: Final = Cost(0, 0)
"""A key file is random already."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A secret of some kind; ``cost`` is what a passphrase will cost where it makes a new keyring."""

    kind: LockKind
    secret: Secret
    cost: Cost = NOTHING

    @classmethod
    def passphrase(cls, passphrase: Secret, cost: Cost | None = None) -> Self:
        """Bytes as they were typed; never empty."""
        return cls(LockKind.PASSPHRASE, passphrase, cost or Cost())

    @classmethod
    def key_file(cls, key: Secret) -> Self:
        """The 32 random bytes of a key file."""
        return cls(LockKind.KEY_FILE, key)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The record. ``wrapped`` (72 bytes) is nonce, sealed data key and tag; the salt has 16 bytes."""

    kind: LockKind
    cost: Cost
    salt: bytes
    wrapped: bytes

    @classmethod
    def make(cls, key: Secret, lock: Lock) -> Self:
        """``key`` under ``lock``. Slow for a passphrase; raises ``STORE_UNAVAILABLE`` where memory is short."""
        salt, nonce = secrets.token_bytes(_SALT), secrets.token_bytes(_NONCE)
        ring = cls(lock.kind, lock.cost, salt, b"")
        sealed = aead.xseal(ring._wrapping_key(lock), nonce, key.expose(), ring._bound())
        return cls(lock.kind, lock.cost, salt, nonce + sealed)

    def open(self, lock: Lock) -> Secret:
        """The data key. As slow as ``make``. Raises ``STORE_LOCKED`` unless it was made with this very lock."""
        nonce, sealed = self.wrapped[:_NONCE], self.wrapped[_NONCE:]
        return Secret(aead.xopen(self._wrapping_key(lock), nonce, sealed, self._bound(), Reason.STORE_LOCKED))

    def encode(self) -> bytes:
        """What the store keeps."""
        return T(Tag.KEYRING, *self._fields(), self.wrapped, self._checksum())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode``; ``MalformedError`` for damage, and for costs that nobody asks for in good faith."""
        kind, passes, memory, salt, wrapped, checksum = fields(Tag.KEYRING, data, 1, 4, 4, _SALT, _WRAPPED, 32)
        if number(kind) not in set(LockKind):
            raise MalformedError("a keyring of an unknown kind")
        ring = cls(LockKind(number(kind)), Cost(number(passes), number(memory)), salt, wrapped)
        if ring._checksum() != checksum:
            raise MalformedError("the keyring is damaged")
        if not ring._is_affordable():
            raise MalformedError(f"a keyring that costs {ring.cost.passes} passes over {ring.cost.memory} KiB")
        return ring

    def _wrapping_key(self, lock: Lock) -> bytes:
        if lock.kind is not self.kind:
            detail = f"it opens with a {_name(self.kind)}, not with a {_name(lock.kind)}"
            raise RefusedError(Reason.STORE_LOCKED, detail)
        if self.kind is LockKind.KEY_FILE:
            return hkdf_expand(lock.secret.expose(), T(Tag.KEYRING_FILE, self.salt), KEY_SIZE)
        try:
            return argon2id(lock.secret.expose(), self.salt, passes=self.cost.passes, memory=self.cost.memory)
        except MemoryError:
            need = f"{self.cost.memory >> 10} MiB of memory are needed to try a passphrase"
            raise UnavailableError(Reason.STORE_UNAVAILABLE, need) from None

    def _is_affordable(self) -> bool:
        # Checked before anything is allocated: the numbers come from a file that others may have written.
        if self.kind is LockKind.KEY_FILE:
            return self.cost == NOTHING
        return 1 <= self.cost.passes <= _MOST_PASSES and _LEAST_MEMORY <= self.cost.memory <= _MOST_MEMORY

    def _fields(self) -> tuple[bytes, ...]:
        return u8(self.kind), u32(self.cost.passes), u32(self.cost.memory), self.salt

    def _bound(self) -> bytes:
        return T(Tag.KEYRING, *self._fields())

    def _checksum(self) -> bytes:
        return digest(Tag.KEYRING_CHECK, *self._fields(), self.wrapped)


async def unlock(store: Store, choose: Callable[[LockKind | None], Lock], *, name: str, new: bool) -> Secret:
    """The data key of ``store``, called ``name``. ``choose`` is asked for the lock once its kind is known.

    With ``new`` a blank store gets a keyring; ``choose`` is then asked for a lock of any kind (None). Raises
    ``STORE_LOCKED`` for the wrong lock and ``IntegrityError(STORE_CORRUPT)`` for a keyring that is damaged or missing;
    neither changes the store.
    """
    data = await store.read(lambda view: view.get(PLACE))
    if data is None:
        if not (new and await store.read(_is_blank)):
            raise IntegrityError(Reason.STORE_CORRUPT, f"{name} holds no keyring")
        key = Secret(secrets.token_bytes(KEY_SIZE))
        await relock(store, key, choose(None))
        return key
    try:
        ring = Keyring.decode(data)
    except MalformedError as error:
        raise IntegrityError(Reason.STORE_CORRUPT, f"{name}: {error.detail}") from error
    # In a thread: Argon2id takes its time, and others may live on this event loop.
    try:
        return await asyncio.to_thread(ring.open, choose(ring.kind))
    except RefusedError as error:
        raise RefusedError(error.reason, f"{name}: {error.detail}" if error.detail else name) from None


async def relock(store: Store, key: Secret, lock: Lock) -> None:
    """From now on ``lock`` opens ``store``, whose data key is ``key``, and the lock before it does not.

    Whoever kept a copy of the old record still opens it with the old lock: the data key stays what it was. The store
    itself keeps none, not even in its journal.
    """
    record = (await asyncio.to_thread(Keyring.make, key, lock)).encode()
    await store.commit(lambda _: (Writes({PLACE: record}, scrub=True), None))


def _is_blank(view: Read) -> bool:
    return next(iter(view.scan(b"", limit=1)), None) is None


def _name(kind: LockKind) -> str:
    return kind.name.lower().replace("_", " ")
