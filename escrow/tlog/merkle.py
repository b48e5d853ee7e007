"""The Merkle tree of RFC 6962, section 2.1: hashes, proofs and their verification.

``root_of`` and ``path_of`` are for small trees whose leaves are all at hand: the receipts of a frame, the members of
a roster, the fields of a warrant. A log that grows belongs in ``tree``. Hashes are 32 bytes, proofs are tuples of them.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NoReturn

from escrow.errors import IntegrityError, Reason, RefusedError

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf; the prefix keeps leaves and nodes apart."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf *data*, in order."""
    return _rows(leaves)[-1][0] if leaves else EMPTY_ROOT


def root_of_peaks(peaks: Sequence[bytes]) -> bytes:
    """The root of a tree from the roots of the complete subtrees it consists of, largest first."""
    if not peaks:
        return EMPTY_ROOT
    *larger, root = peaks
    for peak in reversed(larger):
        root = node_hash(peak, root)
    return root


def root_of_complete(nodes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree from all its nodes of one level, which are a power of two many."""
    row = list(nodes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def path_of(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The inclusion proof of leaf ``index``, lowest sibling first."""
    if not 0 <= index < len(leaves):
        raise AssertionError(f"there is no leaf {index} of {len(leaves)}")
    return _path(_rows(leaves), index)


def paths_of(leaves: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
    """The inclusion proofs of all leaves, for the price of hashing the tree once."""
    rows = _rows(leaves)
    return tuple(_path(rows, index) for index in range(len(leaves)))


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with hash ``leaf`` is at ``index`` of the tree (RFC 9162, section 2.1.3.2).

    Raises ``RefusedError(NOT_LOGGED)``.
    """
    if not 0 <= index < size:
        _not_logged(f"there is no leaf {index} of {size}")
    _check_widths((leaf, *path), _not_logged)
    here, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            _not_logged("the inclusion proof is too long")
        if here & 1 or here == last:
            found = node_hash(sibling, found)
            here, last = _climb_to_right_child(here, last)
        else:
            found = node_hash(found, sibling)
        here, last = here >> 1, last >> 1
    if last:
        _not_logged("the inclusion proof is too short")
    if found != root:
        _not_logged("the inclusion proof leads to another root")


def verify_consistency(size1: int, root1: bytes, size2: int, root2: bytes, proof: Sequence[bytes]) -> None:
    """Check that the first tree is a prefix of the second (RFC 9162, section 2.1.4.2).

    Every tree extends the empty one, so a proof from size 0 proves nothing: it is refused like a wrong one.
    Raises ``IntegrityError(LOG_INCONSISTENT)``.
    """
    if not 0 < size1 <= size2:
        _inconsistent(f"there is no proof from size {size1} to {size2}")
    _check_widths(proof, _inconsistent)
    if size1 == size2:
        if proof or root1 != root2:
            _inconsistent(f"two trees of size {size1}")
        return
    # The first root is itself the first proof node when it is a complete subtree of the second tree.
    nodes = tuple(proof) if size1 & (size1 - 1) else (root1, *proof)
    if not nodes:
        _inconsistent("the consistency proof is empty")
    start, *rest = nodes
    here, last = _climb_to_left_child(size1 - 1, size2 - 1)
    found1 = found2 = start
    for sibling in rest:
        if last == 0:
            _inconsistent("the consistency proof is too long")
        if here & 1 or here == last:
            found1, found2 = node_hash(sibling, found1), node_hash(sibling, found2)
            here, last = _climb_to_right_child(here, last)
        else:
            found2 = node_hash(found2, sibling)
        here, last = here >> 1, last >> 1
    if last:
        _inconsistent("the consistency proof is too short")
    if (found1, found2) != (root1, root2):
        _inconsistent(f"the tree of size {size1} is no prefix of the tree of size {size2}")


def _rows(leaves: Sequence[bytes]) -> list[list[bytes]]:
    """All levels of the tree, leaves first; a node without sibling moves up unchanged."""
    rows = [[leaf_hash(data) for data in leaves]]
    while len(rows[-1]) > 1:
        row = rows[-1]
        pairs = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)]
        rows.append(pairs + row[2 * len(pairs) :])
    return rows


def _path(rows: list[list[bytes]], index: int) -> tuple[bytes, ...]:
    siblings = ((row, (index >> level) ^ 1) for level, row in enumerate(rows[:-1]))
    return tuple(row[at] for row, at in siblings if at < len(row))


def _climb_to_right_child(here: int, last: int) -> tuple[int, int]:
    """Skip the levels at which the node has no sibling because the tree ends with it."""
    while here and not here & 1:
        here, last = here >> 1, last >> 1
    return here, last


def _climb_to_left_child(here: int, last: int) -> tuple[int, int]:
    """Skip the levels inside the largest complete subtree that ends at ``here``."""
    while here & 1:
        here, last = here >> 1, last >> 1
    return here, last


def _check_widths(hashes: Sequence[bytes], refuse: Callable[[str], NoReturn]) -> None:
    if any(len(node) != 32 for node in hashes):
        refuse("a proof holds hashes of 32 bytes")


def _not_logged(detail: str) -> NoReturn:
    raise RefusedError(Reason.NOT_LOGGED, detail)


def _inconsistent(detail: str) -> NoReturn:
    raise IntegrityError(Reason.LOG_INCONSISTENT, detail)
