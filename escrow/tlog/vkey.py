"""Verifier keys of C2SP signed notes: ``<name>+<key id in hex>+<base64 of type and public key>``.

A key speaks for one name in one signature type. The id finds a key among those that are trusted; it proves nothing.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Self

from escrow.crypto import mldsa, sign
from escrow.encoding import expect, u8
from escrow.errors import MalformedError
from escrow.tlog.spelling import from_base64, to_base64

_NAME = re.compile(r"[^\s+\x00-\x1f\ud800-\udfff]+")


@unique
class KeyType(IntEnum):
    """The signature types of the C2SP registry that we make and check."""

    ED25519 = 0x01
    COSIGNATURE = 0x04
    """Ed25519, with a time."""
    PQ_COSIGNATURE = 0x06
    """ML-DSA-44, with a time."""

    @property
    def cosigns(self) -> bool:
        """Whether a signature of this type says when it was made."""
        return self is not KeyType.ED25519

    @property
    def public_size(self) -> int:
        """Bytes of a public key."""
        return mldsa.PUBLIC_SIZE if self is KeyType.PQ_COSIGNATURE else sign.PUBLIC_SIZE


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A trusted key. ``key_id`` (4 bytes) follows from the rest; make one with ``of`` or ``parse``."""

    name: str
    key_id: bytes
    type: KeyType
    public: bytes

    @classmethod
    def of(cls, name: str, public: bytes, key_type: KeyType = KeyType.ED25519) -> Self:
        """The key of ``name`` with the public key ``public`` (Ed25519: 32 bytes, ML-DSA-44: 1312)."""
        check_name(name)
        expect(public, key_type.public_size, "a public key of this type")
        identity = name.encode() + b"\n" + u8(key_type) + public
        return cls(name, hashlib.sha256(identity).digest()[:4], key_type, public)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a vkey; raise ``MalformedError`` unless ``format`` gives the same text again."""
        name, _, rest = text.partition("+")
        material = from_base64(rest.partition("+")[2], "a verifier key")
        try:
            key_type = KeyType(material[0])
        except (IndexError, ValueError):
            raise MalformedError("a verifier key of unknown type") from None
        key = cls.of(name, material[1:], key_type)
        if key.format() != text:
            raise MalformedError("the id of a verifier key does not fit its name and key")
        return key

    def format(self) -> str:
        """The vkey, one line without its end."""
        return f"{self.name}+{self.key_id.hex()}+{to_base64(u8(self.type) + self.public)}"


def check_name(name: str) -> None:
    """Raise ``MalformedError`` unless ``name`` may name a key: not empty, no space of any kind, no plus sign."""
    if not _NAME.fullmatch(name):
        raise MalformedError("a key name is empty or contains a space, a plus sign or what is no character")
