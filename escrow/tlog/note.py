"""C2SP signed notes: a text and signature lines under it.

The parser accepts one spelling only, so ``parse`` and ``encode`` are inverses. A parsed note proves nothing before
signatures of trusted keys were checked: ``open_note`` does so for Ed25519, ``cosignature`` for witnesses.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from escrow.crypto.sign import SigningKey, verify
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tlog.spelling import from_base64, to_base64
from escrow.tlog.vkey import KeyType, VerifierKey, check_name

MOST_SIGNATURES = 100
MOST_BYTES = 1_000_000

_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f]")
_MARK = "— "


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who says to have signed, and the signature in the form of that key's type."""

    name: str
    key_id: bytes
    blob: bytes

    def line(self) -> bytes:
        """The line with its newline."""
        return f"{_MARK}{self.name} {to_base64(self.key_id + self.blob)}\n".encode()

    def claims(self, key: VerifierKey) -> bool:
        """Whether this is under the name and id of ``key``."""
        return (self.name, self.key_id) == (key.name, key.key_id)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line without its newline."""
        name, _, encoded = line.removeprefix(_MARK).partition(" ")
        if not line.startswith(_MARK):
            raise MalformedError("a signature line begins with an em dash and a space")
        check_name(name)
        data = from_base64(encoded, "a signature")
        if len(data) < 5:
            raise MalformedError("a signature is cut short")
        return cls(name, data[:4], data[4:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text, newline included, and at least one signature line."""

    text: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a note strictly; raise ``MalformedError``."""
        if len(data) > MOST_BYTES:
            raise MalformedError(f"a note has at most {MOST_BYTES} bytes", Reason.TOO_LARGE)
        check_text(data)
        text, blank, lines = data.rpartition(b"\n\n")
        if not blank or not lines:
            raise MalformedError("a note has a blank line and signatures under it")
        return cls(text + b"\n", parse_lines(lines))

    def encode(self) -> bytes:
        """The bytes that ``parse`` reads."""
        return self.text + b"\n" + b"".join(signature.line() for signature in self.signatures)

    def by(self, key: VerifierKey) -> tuple[bytes, ...]:
        """The distinct, unchecked signatures under the name and id of ``key``; none for a key that did not sign."""
        return tuple(dict.fromkeys(one.blob for one in self.signatures if one.claims(key)))

    def only(self, *keys: VerifierKey) -> Self:
        """The note with the lines under the names and ids of these keys, and no others."""
        return type(self)(self.text, tuple(one for one in self.signatures if any(map(one.claims, keys))))


def parse_lines(lines: bytes) -> tuple[Signature, ...]:
    """Read one or more signature lines: the end of a note, or what a witness answers; raise ``MalformedError``."""
    check_text(lines)
    if lines.count(b"\n") > MOST_SIGNATURES:
        raise MalformedError(f"a note has at most {MOST_SIGNATURES} signatures")
    return tuple(Signature.parse(line) for line in lines.decode().removesuffix("\n").split("\n"))


def check_text(data: bytes) -> None:
    """Raise ``MalformedError`` unless ``data`` is UTF-8 in whole lines without control characters."""
    try:
        data.decode()
    except UnicodeDecodeError:
        raise MalformedError("a note is UTF-8") from None
    if _CONTROL.search(data) or not data.endswith(b"\n"):
        raise MalformedError("a note consists of whole lines without control characters")


def sign_note(text: bytes, name: str, key: SigningKey) -> Signature:
    """An Ed25519 signature (type 0x01) over ``text``, which must be the text of a note."""
    check_text(text)
    return Signature(name, VerifierKey.of(name, key.public).key_id, key.sign(text))


def open_note(note: Note, trusted: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
    """Those of the trusted Ed25519 keys that signed. Unknown keys are ignored.

    Raises ``RefusedError(SIGNATURE_INVALID)`` if none did, and if *any* signature of a trusted key is wrong: whoever
    added it tampered with the note. Two trusted keys that share name and id are our mistake, not the note's.
    """
    keys = tuple(trusted)
    if len({(key.name, key.key_id) for key in keys}) != len(keys):
        raise AssertionError("two trusted keys share a name and an id")
    if any(key.type is not KeyType.ED25519 for key in keys):
        raise AssertionError("a cosignature says when: it is checked in its own module")
    signers = tuple(key for key in keys if note.by(key))
    for key in signers:
        for blob in note.by(key):
            verify(key.public, note.text, blob)
    if not signers:
        raise RefusedError(Reason.SIGNATURE_INVALID, "no trusted key signed the note")
    return signers
