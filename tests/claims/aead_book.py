"""A book of everything that was ever encrypted: which key and nonce, and what for. Kept while the real cipher works."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from escrow.crypto import aead


class Book:
    """What stands under each key and nonce: all (plaintext, associated data) that were sealed with them."""

    def __init__(self) -> None:
        self._entries: dict[tuple[bytes, bytes], set[tuple[bytes, bytes]]] = {}
        self.seals = 0

    def note(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> None:
        self.seals += 1
        self._entries.setdefault((key, nonce), set()).add((plaintext, ad))

    @property
    def reused(self) -> list[set[tuple[bytes, bytes]]]:
        """Contents that share a key and a nonce: there must be none."""
        return [contents for contents in self._entries.values() if len(contents) > 1]

    @property
    def repeated(self) -> int:
        """How often the same was encrypted once more, which tells nobody anything."""
        return self.seals - sum(len(contents) for contents in self._entries.values())


@contextmanager
def book() -> Iterator[Book]:
    """Note all that is sealed meanwhile."""
    notes, seal = Book(), aead.seal

    def noting(key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        notes.note(key, nonce, plaintext, ad)
        return seal(key, nonce, plaintext, ad)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aead, "seal", noting)
        yield notes
