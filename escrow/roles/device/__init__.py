"""The device: a user's messenger, as a pure machine."""

from escrow.roles.device.machine import Device

__all__ = ["Device"]
