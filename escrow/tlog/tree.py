"""A growing RFC 6962 tree whose nodes live in the caller's state; this module holds nothing.

Only *complete* subtrees are stored, so a node, once written, never changes: node ``(level, index)`` is the root over
the leaves ``[index << level, (index + 1) << level)``. The log, the ingest tree and the tiles all read the same nodes.
"""

from collections.abc import Callable, Sequence

from escrow.errors import Reason, RefusedError
from escrow.tlog.merkle import node_hash, root_of_peaks

ReadNode = Callable[[int, int], bytes]
"""Look up node ``(level, index)`` of a tree that is large enough to have it complete."""

Nodes = dict[tuple[int, int], bytes]


def append(size: int, leaf_hashes: Sequence[bytes], read: ReadNode) -> tuple[int, Nodes]:
    """Add leaves to a tree of ``size``: the new size, and every subtree that became complete, leaves included."""
    nodes: Nodes = {}
    level, start, row = 0, size, list(leaf_hashes)
    while row:
        for index, node in enumerate(row, start):
            nodes[level, index] = node
        if start & 1:
            start -= 1
            row.insert(0, read(level, start))
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        level, start = level + 1, start >> 1
    return size + len(leaf_hashes), nodes


def root(size: int, read: ReadNode) -> bytes:
    """The root of the tree of ``size``; any earlier size works as well."""
    return _span(0, size, read)


def inclusion(index: int, size: int, read: ReadNode) -> tuple[bytes, ...]:
    """The inclusion proof of a leaf; ``RefusedError(NOT_LOGGED)`` where the tree has no such leaf."""
    if not 0 <= index < size:
        raise RefusedError(Reason.NOT_LOGGED, f"there is no leaf {index} of {size}")
    _, siblings = _descend(index, size, lambda begin, end: end - begin == 1, read)
    return siblings


def consistency(size1: int, size2: int, read: ReadNode) -> tuple[bytes, ...]:
    """The proof that the tree of ``size1`` is a prefix of that of ``size2``; ``RefusedError(NOT_FOUND)`` if none."""
    if not 0 < size1 <= size2:
        raise RefusedError(Reason.NOT_FOUND, f"there is no proof from size {size1} to {size2}")
    begin, siblings = _descend(size1 - 1, size2, lambda _, end: end == size1, read)
    # Where the first tree is a complete subtree, its root starts the proof, and the verifier has that already.
    return (_span(begin, size1, read), *siblings) if begin else siblings


def _descend(
    leaf: int, size: int, arrived: Callable[[int, int], bool], read: ReadNode
) -> tuple[int, tuple[bytes, ...]]:
    """Go from the root towards ``leaf``: where the subtree reached begins, and its siblings, lowest first."""
    begin, end = 0, size
    siblings: list[bytes] = []
    while not arrived(begin, end):
        middle = begin + (1 << (end - begin - 1).bit_length() - 1)
        if leaf < middle:
            siblings.append(_span(middle, end, read))
            end = middle
        else:
            siblings.append(_span(begin, middle, read))
            begin = middle
    return begin, tuple(reversed(siblings))


def _span(begin: int, end: int, read: ReadNode) -> bytes:
    """The root over the leaves ``[begin, end)`` of a subtree, which need not be complete."""
    peaks = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        peaks.append(read(level, begin >> level))
        begin += 1 << level
    return root_of_peaks(peaks)
