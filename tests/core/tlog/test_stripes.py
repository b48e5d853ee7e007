"""The stored form of a tree: however the leaves arrive, the nodes are those of the tree, and none can be missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import IntegrityError
from escrow.tlog import stripes, tree
from escrow.tlog.merkle import leaf_hash, root_of


def grown(batches: list[int]) -> tuple[int, stripes.Stripes, tree.Nodes]:
    """Leaves in batches: the size, the stripes, and the nodes as ``tree`` has them."""
    size = 0
    kept: stripes.Stripes = {}
    nodes: tree.Nodes = {}

    def node(level: int, index: int) -> bytes:
        return nodes[level, index]

    def stripe_at(band: int, index: int) -> bytes | None:
        return kept.get((band, index))

    for batch in batches:
        hashes = [leaf_hash(b"%d" % index) for index in range(size, size + batch)]
        _, more = tree.append(size, hashes, node)
        size, changed = stripes.append(size, hashes, stripe_at)
        for place, stripe in changed.items():
            assert stripe != kept.get(place), "what did not change is not written"
        kept |= changed
        nodes |= more
    return size, kept, nodes


@given(st.lists(st.integers(0, 40) | st.sampled_from([1, 15, 16, 17, 255, 256, 257]), max_size=12))
def test_every_node_of_the_tree_is_in_its_stripe_and_no_other(batches: list[int]) -> None:
    size, kept, nodes = grown(batches)
    read = stripes.node_reader(lambda band, index: kept.get((band, index)))
    assert all(read(level, index) == node for (level, index), node in nodes.items())
    assert sum(len(stripe) for stripe in kept.values()) == 32 * len(nodes)
    for level in range(10):
        with pytest.raises(IntegrityError):
            read(level, size >> level)
    if size:
        assert tree.root(size, read) == root_of([b"%d" % index for index in range(size)])


@given(st.integers(1, 300), st.integers(0), st.integers(1, 40))
def test_a_stripe_that_is_damaged_stops_the_tree(size: int, which: int, batch: int) -> None:
    _, kept, _ = grown([size])
    last = max(index for band, index in kept if band == 0)
    damaged = kept | {(0, last): kept[0, last][:-32]}
    if size % stripes.WIDTH:
        with pytest.raises(IntegrityError):
            stripes.append(size, [bytes(32)] * batch, lambda band, index: damaged.get((band, index)))
    gone = sorted(kept)[which % len(kept)]
    read = stripes.node_reader(lambda band, index: None if (band, index) == gone else kept.get((band, index)))
    with pytest.raises(IntegrityError):
        read(stripes.HEIGHT * gone[0], stripes.WIDTH * gone[1])
