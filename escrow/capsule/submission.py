"""The one thing a device signs about an escrowed message: what it is, where it stands, who gets it.

The price is named in the threat model: an escrowed message is transferable proof against its sender.
"""

import hashlib

from msgspec import Struct

from escrow.crypto.sign import SigningKey, verify
from escrow.encoding import u32
from escrow.tags import T, Tag


class SignedContent(Struct, frozen=True, gc=False):
    """``T("submit", …)``, 196 bytes. It is never sent: whoever checks it rebuilds it from what was."""

    label_hash: bytes
    cap_hash: bytes
    index: int
    body_id: bytes
    env_root: bytes

    def encode(self) -> bytes:
        """What is signed."""
        return T(Tag.SUBMIT, self.label_hash, self.cap_hash, u32(self.index), self.body_id, self.env_root)

    @property
    def hash(self) -> bytes:
        """``submit_hash``, 32 bytes: what the relay's receipt names."""
        return hashlib.sha256(self.encode()).digest()

    def sign(self, device: SigningKey) -> bytes:
        """The device's signature, 64 bytes."""
        return device.sign(self.encode())

    def verify(self, device: bytes, signature: bytes) -> None:
        """Raise ``RefusedError(SIGNATURE_INVALID)`` unless the device with this key signed it."""
        verify(device, self.encode(), signature)
