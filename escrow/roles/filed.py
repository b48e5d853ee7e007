"""How a follower keeps an entry of the log that counts."""

from msgspec import Struct


class Filed(Struct, frozen=True):
    """An accepted entry: its index, its payload, and the time of the first head under which it came to us."""

    index: int
    covered_ms: int
    payload: bytes
    after_ms: int = -1
    """For ingest roots: the time of the root before."""
