"""The relay's directory: names, and who may leave prekeys under them for others to find.

A convenience that nobody trusts: names are confirmed by safety numbers, prekeys by their device's signature. What
becomes of published prekeys is ``shelves``' business.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from escrow.e2ee.bundle import Bundle, verify_one_time
from escrow.e2ee.keys import Purpose
from escrow.encoding import u32
from escrow.errors import BehindError, EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import AccountId, DeviceNo, Millis
from escrow.roles.calls import Done, Enroll, Found, GetBundle, Lookup, PrekeyBundle, PrekeyStock
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read
from escrow.roles.relay import shelves

MOST_KEYS = 256
"""One-time keys of a kind that one call may publish, hence that lie there for one device."""

_NAME = b"name/"


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
        if devices is None or all(one.number != device for one in devices.devices):
            raise BehindError(Reason.DEVICE_UNKNOWN, "the device is in no logged list of its account")
        if not 0 < len(call.name.encode()) <= 64 or max(len(call.ec_keys), len(call.kem_keys)) > MOST_KEYS:
            raise MalformedError("a name or a row of prekeys beyond its limit", Reason.TOO_LARGE)
        holder = draft.get(_NAME + call.name.encode())
        if holder not in (None, account):
            raise RefusedError(Reason.NAME_TAKEN)
        identity = devices.device(device).identity(account)
        # SPEC PRK-1: only what the device itself has signed, and what has not expired, is offered to others.
        bundle = Bundle(call.bundle).verify(identity.signing, now)
        if bundle.identity != identity:
            raise RefusedError(Reason.BUNDLE_INVALID, "the bundle is another device's")
        ec = _row(call.ec_keys, identity.signing, Purpose.ONE_TIME_PREKEY, now)
        kem = _row(call.kem_keys, identity.signing, Purpose.KEM_ONE_TIME, now)
        draft.put(_NAME + call.name.encode(), account)
        # SPEC PRK-2: a number that was published once stands for nothing else, and a key handed out stays gone.
        shelves.fill(draft, account + u32(device), call.bundle, bundle, ec, kem)
        return Done()

    def lookup(self, draft: Draft, call: Lookup) -> Found:
        """The account under a name; ``NOT_FOUND``."""
        account = draft.get(_NAME + call.name.encode())
        if account is None:
            raise RefusedError(Reason.NOT_FOUND, "nobody has that name")
        return Found(account)

    def hand_out(self, draft: Draft, asker: AccountId, call: GetBundle, now: Millis) -> PrekeyBundle:
        """A device's bundle and at most one one-time key of each kind; ``NOT_FOUND``, ``PREKEYS_EXPIRED``."""
        return shelves.take(draft, call.account + u32(call.device), asker, now)

    def stock(self, view: Read | Draft, account: AccountId, device: DeviceNo) -> PrekeyStock | None:
        """What others find of a device."""
        return shelves.stock(view, account + u32(device))


def _row(keys: Sequence[bytes], device_key: bytes, purpose: Purpose, now: Millis) -> shelves.Row:
    try:
        row = [(verify_one_time(key, device_key, purpose), key) for key in keys]
    except EscrowError as error:
        raise RefusedError(Reason.BUNDLE_INVALID, error.detail) from None
    if any(key.not_after <= now for key, _ in row):
        raise RefusedError(Reason.BUNDLE_INVALID, "a prekey has expired")
    return row
