"""DSSE v1.0.2: an envelope of exact bytes, their type, and signatures that count by distinct trusted key.

The key id is an unauthenticated hint: it may save work, it never decides. What was verified is returned and
used; nobody parses the envelope again. Not for deciding which keys are trusted: see ``locks`` and ``genesis``.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Self

from msgspec import Meta, Struct

from escrow.crypto import sign as ed25519
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.warrant import strict

MOST_SIGNATURES = 64
"""Bounds the work an unverified envelope can cause."""

MOST = 1 << 17
"""Bytes of the largest envelope: a largest document in base64, and its signatures."""


@dataclass(frozen=True, slots=True)
class Signature:
    """64 bytes of Ed25519 over ``pae``, and a hint which key made them."""

    keyid: str
    sig: bytes


class Verified(NamedTuple):
    """The bytes that were signed, and the names of the trusted keys that signed them."""

    payload: bytes
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a stranger says was signed. Nothing acts on it before ``verify``."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    def encode(self) -> bytes:
        """The JSON form, in standard base64."""
        return strict.encode(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": self.payload_type,
                "signatures": [{"keyid": s.keyid, "sig": base64.b64encode(s.sig).decode()} for s in self.signatures],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read the JSON form. Unknown fields are ignored, as the specification demands; duplicates are not.

        Raises ``MALFORMED``, or ``TOO_LARGE``.
        """
        try:
            outer = strict.decode(data, _Outer, most=MOST)
            signatures = tuple(Signature(s.keyid, _bytes(s.sig)) for s in outer.signatures)
            return cls(outer.payloadType, _bytes(outer.payload), signatures)
        except RefusedError as error:
            if error.reason is Reason.TOO_LARGE:
                raise
            raise MalformedError(f"not a DSSE envelope: {error.detail}") from error

    def makers(self, publics: Iterable[bytes]) -> tuple[bytes | None, ...]:
        """For each signature the one of these keys that made it, or nothing. The hinted key is tried first."""
        message = pae(self.payload_type, self.payload)
        hinted = {keyid(public): public for public in publics}
        return tuple(_maker(signature, hinted, message) for signature in self.signatures)


def pae(payload_type: str, body: bytes) -> bytes:
    """The pre-authentication encoding: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def keyid(public: bytes) -> str:
    """The hint this project writes: SHA-256 of the public key, 64 hexadecimal digits."""
    return hashlib.sha256(public).hexdigest()


def sign(payload_type: str, payload: bytes, key: ed25519.SigningKey) -> Signature:
    """One signature over type and bytes together."""
    return Signature(keyid(key.public), key.sign(pae(payload_type, payload)))


def verify(envelope: Envelope, payload_type: str, trusted: Mapping[str, bytes], threshold: int) -> Verified:
    """Count the distinct trusted keys (name -> 32 bytes) that signed; then check the type.

    Signatures of other keys are ignored. Raises ``SIGNATURE_INVALID`` below the threshold or for another type.
    """
    by_key = {public: name for name, public in trusted.items()}
    names = frozenset(by_key[public] for public in envelope.makers(by_key) if public is not None)
    if len(names) < threshold:
        raise RefusedError(Reason.SIGNATURE_INVALID, f"{len(names)} of {threshold} trusted keys have signed")
    if envelope.payload_type != payload_type:
        raise RefusedError(Reason.SIGNATURE_INVALID, f"signed as another type than {payload_type}")
    return Verified(envelope.payload, names)


class _Inner(Struct, frozen=True):
    sig: str
    keyid: str = ""


class _Outer(Struct, frozen=True):
    payload: str
    payloadType: str  # noqa: N815 - the name the specification gives it
    signatures: Annotated[tuple[_Inner, ...], Meta(max_length=MOST_SIGNATURES)]


def _bytes(text: str) -> bytes:
    """Undo standard or URL-safe base64, padded, each byte string in one spelling of each alphabet."""
    for alphabet in (b"+/", b"-_"):
        try:
            data = base64.b64decode(text, altchars=alphabet, validate=True)
        except (binascii.Error, ValueError):
            continue
        if base64.b64encode(data, altchars=alphabet).decode() == text:
            return data
    raise MalformedError("not base64")


def _maker(signature: Signature, hinted: Mapping[str, bytes], message: bytes) -> bytes | None:
    for public in sorted(hinted.values(), key=lambda public: hinted.get(signature.keyid) != public):
        try:
            ed25519.verify(public, message, signature.sig)
        except EscrowError:
            continue
        return public
    return None
