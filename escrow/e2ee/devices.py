"""Accounts and their devices: what the key directory says, and what the account's own key vouches for.

An account is the hash of its key, so an id cannot be moved to another key. Its devices stand in a hash chain of lists
that the account signs and the log includes; each device proves that it holds its key. Whether a list is logged, and
which one was in force when, is for whoever follows the log.
"""

import hashlib
from functools import lru_cache
from typing import Self

from msgspec import Struct

from escrow.crypto.sign import SIGNATURE_SIZE, SigningKey, check_public, verify
from escrow.e2ee.keys import Identity, IdentityKeys
from escrow.encoding import number, u32, u64
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo
from escrow.tags import T, Tag, digest, fields

MAX_DEVICES = 16
MAX_NAME = 64
"""Bytes of UTF-8."""

_DEVICE = 132


def account_id(public: bytes) -> AccountId:
    """The id of the account with this Ed25519 key."""
    return AccountId(digest(Tag.ACCOUNT, public))


class Device(Struct, frozen=True):
    """An entry of a device list. ``proof`` is the device's signature over its place and keys."""

    number: DeviceNo
    signing: bytes
    dh: bytes
    proof: bytes

    @classmethod
    def make(cls, me: IdentityKeys) -> Self:
        """The entry of one's own device."""
        own = me.identity
        proof = me.signing_key.sign(claim(own))
        return cls(own.device, own.signing, own.dh, proof)

    def identity(self, account: AccountId) -> Identity:
        """The device as sessions know it."""
        return Identity(account, self.number, self.signing, self.dh)

    def encode(self) -> bytes:
        """132 bytes: number u32 ‖ signing 32 ‖ dh 32 ‖ proof 64."""
        return u32(self.number) + self.signing + self.dh + self.proof

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Cut 132 bytes into their fields."""
        return cls(DeviceNo(number(data[:4])), data[4:36], data[36:68], data[68:])


class DeviceList(Struct, frozen=True):
    """A verified list: every signature and proof in it holds. ``previous`` is the hash of the list before, or zeros."""

    account_key: bytes
    version: int
    previous: bytes
    name: str
    devices: tuple[Device, ...]
    signature: bytes

    @classmethod
    def make(cls, account: SigningKey, name: str, devices: tuple[Device, ...], previous: Self | None = None) -> Self:
        """The next list of an account, signed."""
        version, before = (previous.version + 1, previous.list_hash) if previous else (0, bytes(32))
        ordered = tuple(sorted(devices, key=lambda device: device.number))
        unsigned = cls(account.public, version, before, name, ordered, b"")
        return cls.decode(unsigned.body + account.sign(unsigned.body))

    @property
    def account(self) -> AccountId:
        """Whose list this is."""
        return account_id(self.account_key)

    @property
    def body(self) -> bytes:
        """What the account signs: ``T("device-list", key 32, version u64, previous 32, name, devices 132·n)``."""
        devices = b"".join(device.encode() for device in self.devices)
        return T(Tag.DEVICE_LIST, self.account_key, u64(self.version), self.previous, self.name.encode(), devices)

    @property
    def list_hash(self) -> bytes:
        """SHA-256 of the encoding."""
        return hashlib.sha256(self.encode()).digest()

    def encode(self) -> bytes:
        """Body ‖ signature 64."""
        return self.body + self.signature

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse and verify. Raises ``MalformedError``, or ``RefusedError(SIGNATURE_INVALID)``."""
        return cls(*_verified(data))

    def device(self, place: DeviceNo) -> Device:
        """The device with that number; raise ``RefusedError(DEVICE_UNKNOWN)``."""
        for device in self.devices:
            if device.number == place:
                return device
        raise RefusedError(Reason.DEVICE_UNKNOWN, f"no device {place}")

    def check_follows(self, previous: Self | None) -> None:
        """Return if this is the list right after ``previous`` (None: the first of its account).

        Raises ``RefusedError(KEY_CHANGED)``: whoever shows another order shows another history.
        """
        expected = (previous.account_key, previous.version + 1, previous.list_hash) if previous else None
        if (self.account_key, self.version, self.previous) != (expected or (self.account_key, 0, bytes(32))):
            raise RefusedError(Reason.KEY_CHANGED, "the device list does not follow the one before")


# Every party looks at the same few lists again and again, and a list says the same each time.
@lru_cache(maxsize=1024)
def _verified(data: bytes) -> tuple[bytes, int, bytes, str, tuple[Device, ...], bytes]:
    body, signature = data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]
    key, version, previous, raw_name, raw = fields(Tag.DEVICE_LIST, body, 32, 8, 32, None, None)
    name = _name(raw_name)
    if len(raw) % _DEVICE or len(raw) > MAX_DEVICES * _DEVICE:
        raise MalformedError(f"not a list of at most {MAX_DEVICES} devices")
    devices = tuple(Device.decode(raw[at : at + _DEVICE]) for at in range(0, len(raw), _DEVICE))
    numbers = [device.number for device in devices]
    if numbers != sorted(set(numbers)) or len({device.signing for device in devices}) != len(devices):
        raise MalformedError("devices out of order or twice in a list")
    check_public(key)
    verify(key, body, signature)
    for device in devices:
        check_public(device.signing)
        verify(device.signing, claim(device.identity(account_id(key))), device.proof)
    return key, number(version), previous, name, devices, signature


def claim(identity: Identity) -> bytes:
    """What the proof of a device signs: its place and keys."""
    return T(Tag.DEVICE_POP, identity.encode())


def _name(data: bytes) -> str:
    try:
        name = data.decode()
    except UnicodeDecodeError:
        raise MalformedError("a name that is not UTF-8") from None
    if not 0 < len(data) <= MAX_NAME or not name.isprintable() or name != name.strip():
        raise MalformedError(f"a name is 1 to {MAX_NAME} bytes, printable, without blanks at its ends")
    return name
