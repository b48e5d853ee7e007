"""The long-term keys of one device, and the type byte that keeps every kind of key apart.

``Identity`` is what a device is to others, ``IdentityKeys`` what only it holds. Which identity belongs to which
account is the device list's business (``roster``), not this module's. Encoded keys carry their ``Purpose``: without it
a KEM key could be taken for a DH key (Bhargavan, Jacomme, Kiefer, Schmidt: formal analysis of PQXDH, 2024).
"""

from enum import IntEnum, unique
from functools import lru_cache
from typing import Self

from msgspec import Struct

from escrow.crypto.coins import Coins
from escrow.crypto.dh import DhKey
from escrow.crypto.kem import MlKemKey
from escrow.crypto.sign import SigningKey
from escrow.encoding import expect, number, u8, u32
from escrow.errors import MalformedError
from escrow.ids import AccountId, DeviceNo
from escrow.secret import Secret


@unique
class Purpose(IntEnum):
    """What a public key is for; one byte, never reused."""

    IDENTITY_DH = 1
    SIGNED_PREKEY = 2
    ONE_TIME_PREKEY = 3
    KEM_LAST_RESORT = 4
    KEM_ONE_TIME = 5


class Identity(Struct, frozen=True):
    """A device as others see it: its Ed25519 key ``signing`` and its X25519 key ``dh``, 32 bytes each."""

    account: AccountId
    device: DeviceNo
    signing: bytes
    dh: bytes

    SIZE = 101

    @property
    def place(self) -> bytes:
        """36 bytes: account 32 ‖ device u32, which no other device has."""
        return self.account + u32(self.device)

    def encode(self) -> bytes:
        """101 bytes: account 32 ‖ device u32 ‖ signing 32 ‖ purpose u8 ‖ dh 32."""
        return self.account + u32(self.device) + self.signing + u8(Purpose.IDENTITY_DH) + self.dh

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode`` or raise ``MalformedError``."""
        expect(data, cls.SIZE, "an identity")
        if data[68] != Purpose.IDENTITY_DH:
            raise MalformedError("an identity without an identity key")
        return cls(AccountId(data[:32]), DeviceNo(number(data[32:36])), data[36:68], data[69:])


class IdentityKeys(Struct, frozen=True):
    """The private keys of a device: seeds of 32 bytes. They live as long as the device does."""

    account: AccountId
    device: DeviceNo
    signing: Secret
    dh: Secret

    @classmethod
    def make(cls, account: AccountId, device: DeviceNo, coins: bytes) -> Self:
        """New keys for a device of ``account``."""
        draw = Coins(coins)
        return cls(account, device, Secret(draw.take("signing", 32)), Secret(draw.take("dh", 32)))

    @property
    def signing_key(self) -> SigningKey:
        """The live Ed25519 key."""
        return _signing_key(self.signing.expose())

    @property
    def dh_key(self) -> DhKey:
        """The live X25519 key."""
        return lasting_dh_key(self.dh.expose())

    @property
    def identity(self) -> Identity:
        """The public half."""
        return Identity(self.account, self.device, self.signing_key.public, self.dh_key.public)


# Building a key from its seed costs as much as using it. Only keys that last for weeks are remembered, never those
# whose erasure is what protects the past.


@lru_cache(maxsize=1024)
def _signing_key(seed: bytes) -> SigningKey:
    return SigningKey.from_seed(seed)


@lru_cache(maxsize=1024)
def lasting_dh_key(seed: bytes) -> DhKey:
    """The live key of an identity key or signed prekey."""
    return DhKey.from_seed(seed)


@lru_cache(maxsize=1024)
def lasting_kem_key(seed: bytes) -> MlKemKey:
    """The live key of a last-resort KEM prekey."""
    return MlKemKey.from_seed(seed)
