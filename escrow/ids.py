"""Names for the plain values that travel between modules, so that a mix-up is a type error."""

from typing import NewType

AccountId = NewType("AccountId", bytes)
"""32 bytes: hash of the account's public key, so that an id cannot be moved to another key."""

DeviceNo = NewType("DeviceNo", int)
"""u32, unique within the account's logged device list."""

Party = NewType("Party", str)
"""Address of a party: ``relay``, ``log``, ``authority``, ``custodian/3``, ``witness/1``,
``device/<account hex>/1``, ``newcomer/<meeting hex>`` (a device that has no account yet), ``agency/<name>``,
``person/<name>``; the path of its URI SAN."""

Millis = NewType("Millis", int)
"""A point in time: milliseconds since the Unix epoch (or since the lab clock's own zero)."""

Epoch = NewType("Epoch", int)
"""Arithmetic epoch of one policy."""
