"""The relay's directory: names, and the prekeys that devices leave for others while they are away.

A convenience that nobody trusts: names are confirmed by safety numbers, prekeys by their device's signature. One-time
prekeys are handed out once, and never again even if their owner publishes them again.
"""

import hashlib
from dataclasses import dataclass

from escrow.e2ee.bundle import Bundle
from escrow.encoding import u32
from escrow.errors import BehindError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import Done, Enroll, Found, GetBundle, Lookup, PrekeyBundle
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft

MOST_KEYS = 1000
"""One-time keys of a kind that one call may publish."""

_NAME = b"name/"
_BUNDLE = b"bundle/"
_EC = b"prekey/ec/"
_KEM = b"prekey/kem/"
_KNOWN = b"prekey-known/"


@dataclass(frozen=True, slots=True)
class Directory:
    """The directory in a relay's state."""

    ledger: Ledger

    def enroll(self, draft: Draft, account: AccountId, device: DeviceNo, call: Enroll, now: Millis) -> Done:
        """Publish a device's prekeys under its account's name.

        ``BehindError(DEVICE_UNKNOWN)`` while the device is in no list that we have followed, ``NAME_TAKEN``,
        ``BUNDLE_INVALID``, ``MalformedError``.
        """
        devices = self.ledger.device_list(draft, account)
        if devices is None:
            raise BehindError(Reason.DEVICE_UNKNOWN, "the account has no logged device list")
        if not 0 < len(call.name.encode()) <= 64 or max(len(call.ec_keys), len(call.kem_keys)) > MOST_KEYS:
            raise MalformedError("a name or a row of prekeys beyond its limit", Reason.TOO_LARGE)
        holder = draft.get(_NAME + call.name.encode())
        if holder not in (None, account):
            raise RefusedError(Reason.NAME_TAKEN)
        identity = devices.device(device).identity(account)
        if Bundle(call.bundle).verify(identity.signing, now).identity != identity:
            raise RefusedError(Reason.BUNDLE_INVALID, "the bundle is another device's")
        draft.put(_NAME + call.name.encode(), account)
        place = account + u32(device)
        draft.put(_BUNDLE + place, call.bundle)
        for kind, keys in ((_EC, call.ec_keys), (_KEM, call.kem_keys)):
            for key in keys:
                _offer(draft, kind, place, key)
        return Done()

    def lookup(self, draft: Draft, call: Lookup) -> Found:
        """The account under a name; ``NOT_FOUND``."""
        account = draft.get(_NAME + call.name.encode())
        if account is None:
            raise RefusedError(Reason.NOT_FOUND, "nobody has that name")
        return Found(account)

    def hand_out(self, draft: Draft, call: GetBundle) -> PrekeyBundle:
        """A device's bundle and one one-time key of each kind, which is gone with that; ``NOT_FOUND``."""
        place = call.account + u32(call.device)
        bundle = draft.get(_BUNDLE + place)
        if bundle is None:
            raise RefusedError(Reason.NOT_FOUND, "the device has published no prekeys")
        return PrekeyBundle(bundle, _pop(draft, _EC + place), _pop(draft, _KEM + place))


def _offer(draft: Draft, kind: bytes, place: bytes, key: bytes) -> None:
    name = hashlib.sha256(key).digest()
    if draft.get(_KNOWN + place + name) is None:
        draft.put(_KNOWN + place + name, b"")
        draft.put(kind + place + name, key)


def _pop(draft: Draft, prefix: bytes) -> bytes:
    for name, key in draft.scan(prefix, limit=1):
        draft.delete(name)
        return key
    return b""
