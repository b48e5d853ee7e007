"""The two canonical spellings inside C2SP texts: padded standard base64 (RFC 4648, section 4) and plain decimal.

Readers accept exactly what the writers produce, so that no two texts mean the same.
"""

import base64
import binascii
import re

from escrow.errors import MalformedError

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_MOST = (1 << 63) - 1


def to_base64(data: bytes) -> str:
    """Spell bytes."""
    return base64.b64encode(data).decode()


def from_base64(text: str, what: str) -> bytes:
    """Read ``to_base64``; ``what`` names the field in the ``MalformedError``."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError(f"{what} is not base64") from None
    # The decoder ignores the unused bits of the last character.
    if to_base64(data) != text:
        raise MalformedError(f"{what} is not canonical base64")
    return data


def from_decimal(text: str, what: str) -> int:
    """Read a number below 2^63 without sign or leading zeros; ``what`` names the field in the ``MalformedError``."""
    if not _DECIMAL.fullmatch(text) or int(text) > _MOST:
        raise MalformedError(f"{what} is not a decimal number")
    return int(text)
