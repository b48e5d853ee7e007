"""LOG-04: an inclusion proof that is accepted shows a leaf that is in the tree, where it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Reason, RefusedError
from escrow.tlog.merkle import leaf_hash, node_hash, path_of, root_of, verify_inclusion
from tests.claims.measures import Census, effort
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("LOG-04")


@effort(3)
@given(st.integers(1, 80), st.integers(0), st.integers(0), st.integers(0), st.binary(max_size=8))
def test_only_what_is_in_the_tree_is_shown_to_be(
    census: Census, size: int, one: int, other: int, bit: int, foreign: bytes
) -> None:
    leaves = [b"leaf %d" % index for index in range(size)]
    root, here, there = root_of(leaves), one % size, other % size
    leaf, path = leaf_hash(leaves[here]), path_of(leaves, here)
    verify_inclusion(leaf, here, size, path, root)
    census("accepted")
    forged = [
        (leaf_hash(foreign), here, size, path, root),
        (leaf, here, size, path, flip(root, bit)),
        (leaf, here, size, (*path, bytes(32)), root),
        (leaf, size, size, path, root),
        (leaf, -1, size, path, root),
    ]
    if path:
        above = node_hash(leaf, path[0]) if here % 2 == 0 else node_hash(path[0], leaf)
        forged += [(leaf, here, size, path[:-1], root), (leaf, here, size, (flip(path[0], bit), *path[1:]), root)]
        # An inner node presented as a leaf of a tree half the size, and as data of a leaf.
        forged += [(leaf_hash(above), here // 2, (size + 1) // 2, path[1:], root)]
    if here != there:
        forged += [(leaf, there, size, path, root), (leaf_hash(leaves[there]), here, size, path, root)]
    for attempt in forged:
        with pytest.raises(RefusedError) as refused:
            verify_inclusion(*attempt)
        assert refused.value.reason is Reason.NOT_LOGGED
        census("refused")
