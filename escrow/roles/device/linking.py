"""Linking, as both devices see it: the commands of their users, the stages, and where a linking stands.

The new device's half is ``joining``, the half of the account's first device ``hosting``.
"""

from enum import StrEnum, unique
from typing import ClassVar

from msgspec import Struct

from escrow.errors import Reason, RefusedError
from escrow.roles.calls import Call, Done, Reply


@unique
class Stage(StrEnum):
    """How far a linking is, on one of the two devices."""

    MEETING = "meeting"
    """The devices are finding each other."""
    COMPARE = "compare"
    """Both screens show the string; the user has not yet said that they show the same."""
    LOGGING = "logging"
    """The user has; the list with the new device is on its way into the log."""
    LINKED = "linked"
    """It is in the log. The new device has yet to become reachable."""
    FAILED = "failed"
    """Nothing was linked, and ``reason`` says why."""


class Linking(Reply, frozen=True):
    """Where a linking stands. ``string`` is empty before COMPARE, ``name`` and ``account`` on a new device as well."""

    stage: str
    code: str
    string: str
    name: str
    account: bytes
    device: int
    reason: str


class Join(Call, frozen=True):
    """On a new device: make keys and a code. Repeated, it goes on with the same ones while they are good."""

    answer = Done


class Host(Call, frozen=True):
    """On the account's first device: meet the device that shows ``code``, to link it."""

    answer = Done
    code: str


class Look(Call, frozen=True):
    """Look whether the other device, or the log, has answered; on a linked device, whether the list has changed."""

    answer = Done


class Compare(Call, frozen=True):
    """The user says that the other screen shows ``string``. Anything else than our own ends the linking."""

    answer = Done
    string: str


class GetLinking(Call, frozen=True):
    """Where the linking stands; ``NOT_FOUND`` if there is none."""

    answer: ClassVar[type[Reply]] = Linking


class Publish(Call, frozen=True):
    """On a device that was just linked, and by now speaks under its own name: publish its prekeys."""

    answer = Done


class RemoveDevice(Call, frozen=True):
    """On the account's first device: take a device off the list, for good."""

    answer = Done
    number: int


class OwnDevice(Struct, frozen=True):
    """A device of this account: its number, its signing key (32 bytes), and whether it is the one that is asked."""

    number: int
    signing: bytes
    this: bool


class Devices(Reply, frozen=True):
    """The devices of this account, by number. The lowest holds the account's key."""

    devices: tuple[OwnDevice, ...]


class GetDevices(Call, frozen=True):
    """The devices of this account, as far as this one has heard; ``NOT_FOUND`` before there is an account."""

    answer: ClassVar[type[Reply]] = Devices


def no_linking() -> RefusedError:
    """What a step says that needs a linking, where there is none."""
    return RefusedError(Reason.NOT_FOUND, "no linking is under way")
