"""Account identifiers as people copy them: the account in hexadecimal digits, and a checksum behind a hyphen.

A mistyped letter, or two that changed places, never gives another account: a CRC of 32 bits notices every error that
spans no more than 32 bits. That the right account was meant is what a second person confirms.
"""

import zlib
from collections.abc import Iterable

from escrow.errors import Reason, RefusedError
from escrow.warrant.documents import WarrantPayload


def identifier(account: bytes) -> str:
    """What people copy: 64 digits, a hyphen, 8 digits."""
    return f"{account.hex()}-{zlib.crc32(account):08x}"


def parse_identifier(text: str) -> bytes:
    """The account (32 bytes); ``IDENTIFIER_INVALID`` for whatever was not copied in full."""
    digits, _, checksum = text.strip().lower().partition("-")
    # SPEC WRT-18: an identifier whose checksum does not fit is nobody's.
    try:
        account = bytes.fromhex(digits)
    except ValueError:
        account = b""
    if len(account) != 32 or identifier(account) != f"{digits}-{checksum}":
        raise RefusedError(Reason.IDENTIFIER_INVALID)
    return account


def confirm(payload: WarrantPayload, identifiers: Iterable[str]) -> None:
    """Refuse unless these are the warrant's targets, all of them; ``IDENTIFIER_INVALID``, ``IDENTIFIER_MISMATCH``."""
    # SPEC WRT-19: whoever confirms names the targets from their own source, and one that differs stops the warrant.
    named = {parse_identifier(text).hex() for text in identifiers}
    if named != {target.account for target in payload.targets}:
        raise RefusedError(Reason.IDENTIFIER_MISMATCH)
