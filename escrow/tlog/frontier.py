"""The right edge of a growing tree: enough to add leaves and to know the root, too little to make proofs.

For followers, who read every entry once and keep none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from escrow.encoding import number, u64
from escrow.errors import MalformedError
from escrow.tlog.merkle import node_hash, root_of_peaks


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of ``size`` leaves, as the roots of the complete subtrees it consists of, largest first."""

    size: int = 0
    nodes: tuple[bytes, ...] = ()

    def extend(self, leaf_hashes: Sequence[bytes]) -> "Frontier":
        """The frontier after these leaves."""
        nodes = list(self.nodes)
        for index, node in enumerate(leaf_hashes, self.size):
            grown = node
            # Each trailing one bit of the index is a complete subtree that this leaf doubles.
            for _ in range((index ^ (index + 1)).bit_length() - 1):
                grown = node_hash(nodes.pop(), grown)
            nodes.append(grown)
        return Frontier(self.size + len(leaf_hashes), tuple(nodes))

    def root(self) -> bytes:
        """The root of the tree, to be compared with that of a checkpoint."""
        return root_of_peaks(self.nodes)

    def encode(self) -> bytes:
        """``u64 size``, then one 32-byte hash for each one bit of it."""
        return u64(self.size) + b"".join(self.nodes)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Undo ``encode``; raise ``MalformedError`` for any other length."""
        size = number(data[:8])
        if len(data) != 8 + 32 * size.bit_count():
            raise MalformedError("a frontier has one hash for each one bit of its size")
        return cls(size, tuple(data[at : at + 32] for at in range(8, len(data), 32)))
