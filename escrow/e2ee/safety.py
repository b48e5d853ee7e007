"""Safety numbers: what two people compare to know that nobody stands between them.

One number per pair of accounts, the same on both sides; devices and sessions do not enter, since the account's key
vouches for them in its device list.
"""

import hashlib

from escrow.tags import T, Tag


def safety_number(mine: bytes, theirs: bytes) -> str:
    """60 digits over two accounts' public keys (32 bytes each), in either order."""
    wide = hashlib.sha512(T(Tag.SAFETY, *sorted((mine, theirs)))).digest()
    groups = (int.from_bytes(wide[at : at + 5], "big") % 100_000 for at in range(0, 60, 5))
    return "".join(f"{group:05d}" for group in groups)


def in_groups(number: str) -> str:
    """The number as people read it: groups of five digits."""
    return " ".join(number[at : at + 5] for at in range(0, len(number), 5))
