"""An RFC 6962 tree that grows in a role's own state: the log's tree of entries, the relay's tree of receipts."""

from collections.abc import Sequence
from dataclasses import dataclass

from escrow.encoding import number, u8, u64
from escrow.roles.machine import Draft, Read
from escrow.tlog import stripes, tree


@dataclass(frozen=True, slots=True)
class StoredTree:
    """The tree kept under ``name`` in whatever view is passed in."""

    name: bytes

    def size(self, view: Read | Draft) -> int:
        """How many leaves there are."""
        return number(view.get(self.name + b"/size") or b"")

    def grow(self, draft: Draft, leaf_hashes: Sequence[bytes]) -> int:
        """Add leaves; return the index of the first of them."""
        first = self.size(draft)
        size, grown = stripes.append(first, leaf_hashes, self._stripes(draft))
        for (band, index), stripe in grown.items():
            draft.put(self._key(band, index), stripe)
        draft.put(self.name + b"/size", u64(size))
        return first

    def root(self, view: Read | Draft, size: int) -> bytes:
        """The root over the first ``size`` leaves."""
        return tree.root(size, self.reader(view))

    def inclusion(self, view: Read | Draft, index: int, size: int) -> tuple[bytes, ...]:
        """The path of leaf ``index`` in the tree of ``size``; ``RefusedError(NOT_LOGGED)`` if it has none."""
        return tree.inclusion(index, size, self.reader(view))

    def consistency(self, view: Read | Draft, size1: int, size2: int) -> tuple[bytes, ...]:
        """The proof between two sizes; empty where none is needed: from the empty tree, or to the same size."""
        return tree.consistency(size1, size2, self.reader(view)) if 0 < size1 < size2 else ()

    def reader(self, view: Read | Draft) -> tree.ReadNode:
        """How ``escrow.tlog`` reads the nodes of this tree, as it is now."""
        return stripes.node_reader(self._stripes(view))

    def _stripes(self, view: Read | Draft) -> stripes.ReadStripe:
        return lambda band, index: view.get(self._key(band, index))

    def _key(self, band: int, index: int) -> bytes:
        return self.name + b"/" + u8(band) + u64(index)
