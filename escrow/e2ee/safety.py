"""Safety numbers: what two people compare to know that nobody stands between them.

One number per pair of accounts, the same on both sides; devices and sessions do not enter, since the account's key
vouches for them in its device list. So another device does not change the number, and a thief of the account's key is
not seen in it. The text is for a camera: it says who shows it and whom they mean, in full.
"""

import base64
import hashlib
from typing import Final

from escrow.e2ee.devices import account_id
from escrow.errors import MalformedError, Reason, RefusedError
from escrow.tags import T, Tag

_PREFIX: Final = "DOUBLELOCK:1:"
"""Capitals, digits and colons: what a QR code packs best."""
_DIGITS: Final = 60


def safety_number(mine: bytes, theirs: bytes) -> str:
    """60 digits over two accounts' public keys (32 bytes each), in either order."""
    wide = hashlib.sha512(T(Tag.SAFETY, *sorted((mine, theirs)))).digest()
    groups = (int.from_bytes(wide[at : at + 5], "big") % 100_000 for at in range(0, 60, 5))
    return "".join(f"{group:05d}" for group in groups)


def in_groups(number: str) -> str:
    """The number as people read it: groups of five digits."""
    return " ".join(number[at : at + 5] for at in range(0, len(number), 5))


def safety_text(mine: bytes, theirs: bytes) -> str:
    """``DOUBLELOCK:1:`` and the two account ids in base32 (RFC 4648, no padding): first who shows it, then whom."""
    return _PREFIX + ":".join(_base32(account_id(key)) for key in (mine, theirs))


def compare(said: str, mine: bytes, theirs: bytes) -> None:
    """Return if ``said`` is what the other side's screen shows: its text, or the number, grouped or not.

    Raises ``RefusedError(SAFETY_MISMATCH)`` with what differs, ``RefusedError(USAGE)`` for our own screen's text, and
    ``MalformedError`` for what is neither.
    """
    plain = "".join(said.split())
    if plain.isascii() and plain.isdecimal() and len(plain) == _DIGITS:
        # SPEC DIR-7: another number or text than that of exactly this pair is refused.
        if plain != safety_number(mine, theirs):
            raise RefusedError(Reason.SAFETY_MISMATCH, "another number")
        return
    shower, meant = _accounts(plain)
    own, other = account_id(mine), account_id(theirs)
    if (shower, meant) == (own, other):
        raise RefusedError(Reason.USAGE, "this is your own screen's text; take the other one's")
    if shower != other:
        raise RefusedError(Reason.SAFETY_MISMATCH, "who shows this has another account than the one you write to")
    if meant != own:
        raise RefusedError(Reason.SAFETY_MISMATCH, "they write to another account than yours")


def _accounts(text: str) -> tuple[bytes, bytes]:
    try:
        shower, meant = (base64.b32decode(part + "====") for part in text.removeprefix(_PREFIX).split(":"))
    except ValueError:
        raise MalformedError("neither a safety number nor a safety text") from None
    if text != _PREFIX + _base32(shower) + ":" + _base32(meant):
        raise MalformedError("not the one spelling of a safety text")
    return shower, meant


def _base32(account: bytes) -> str:
    return base64.b32encode(account).decode().rstrip("=")
