"""The tree as one list of leaves, as stored nodes and as a frontier: three ways to one root, and its proofs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import IntegrityError, MalformedError, Reason, RefusedError
from escrow.tlog import merkle, tree
from escrow.tlog.frontier import Frontier

MOST = 70
LEAVES = [b"leaf %d" % index for index in range(MOST)]
HASHES = [merkle.leaf_hash(data) for data in LEAVES]
ROOTS = [merkle.root_of(LEAVES[:size]) for size in range(MOST + 1)]
_, NODES = tree.append(0, HASHES, lambda level, index: pytest.fail(f"read {level}, {index}"))

sizes = st.integers(1, MOST)
flips = st.tuples(st.integers(0, 31), st.integers(1, 255))


def read(level: int, index: int) -> bytes:
    return NODES[level, index]


def flipped(data: bytes, flip: tuple[int, int]) -> bytes:
    at, mask = flip
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


@given(st.lists(st.lists(st.binary(max_size=3), max_size=9), max_size=9))
def test_tree_frontier_and_list_agree_however_the_leaves_arrive(batches: list[list[bytes]]) -> None:
    size, frontier = 0, Frontier()
    nodes: tree.Nodes = {}

    def stored(level: int, index: int) -> bytes:
        return nodes[level, index]

    for batch in batches:
        hashes = [merkle.leaf_hash(data) for data in batch]
        size, new = tree.append(size, hashes, stored)
        assert not new.keys() & nodes.keys(), "a node is written once"
        nodes.update(new)
        frontier = frontier.extend(hashes)
    leaves = [data for batch in batches for data in batch]
    assert size == frontier.size == len(leaves)
    assert len(nodes) == sum(size >> level for level in range(10))
    assert merkle.root_of(leaves) == frontier.root() == tree.root(size, stored)


def test_every_earlier_size_keeps_its_root() -> None:
    assert [tree.root(size, read) for size in range(MOST + 1)] == ROOTS


def test_every_leaf_of_every_size_is_proved_and_both_provers_agree() -> None:
    for size in range(1, MOST + 1):
        paths = merkle.paths_of(LEAVES[:size])
        for index, path in enumerate(paths):
            assert tree.inclusion(index, size, read) == path
            merkle.verify_inclusion(HASHES[index], index, size, path, ROOTS[size])
    assert merkle.path_of(LEAVES[:13], 9) == merkle.paths_of(LEAVES[:13])[9]


def test_every_pair_of_sizes_is_consistent() -> None:
    for size2 in range(1, MOST + 1):
        for size1 in range(1, size2 + 1):
            proof = tree.consistency(size1, size2, read)
            merkle.verify_consistency(size1, ROOTS[size1], size2, ROOTS[size2], proof)


@given(sizes, st.data())
def test_a_changed_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = merkle.path_of(LEAVES[:size], index)
    flip = data.draw(flips)
    wrong = [
        (flipped(HASHES[index], flip), index, size, path, ROOTS[size]),
        (HASHES[index], index, size, path, flipped(ROOTS[size], flip)),
        (HASHES[index], index, size, (*path, ROOTS[1]), ROOTS[size]),
        (HASHES[index], index, size, (*path, ROOTS[size]), ROOTS[size]),
        (HASHES[index], -1, size, path, ROOTS[size]),
        (HASHES[index], size, size, path, ROOTS[size]),
        (HASHES[index], data.draw(st.integers(0, 2**70).filter(lambda other: other != index)), size, path, ROOTS[size]),
        (HASHES[index], index, size, path, merkle.EMPTY_ROOT),
    ]
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        changed = (*path[:at], flipped(path[at], flip), *path[at + 1 :])
        wrong += [
            (HASHES[index], index, size, changed, ROOTS[size]),
            (HASHES[index], index, size, path[:at] + path[at + 1 :], ROOTS[size]),
            (HASHES[index], index, size, (*path[:at], path[at][:-1], *path[at + 1 :]), ROOTS[size]),
        ]
    for leaf, place, length, proof, root in wrong:
        with pytest.raises(RefusedError) as refusal:
            merkle.verify_inclusion(leaf, place, length, proof, root)
        assert refusal.value.reason is Reason.NOT_LOGGED


@given(sizes, st.data())
def test_a_changed_consistency_proof_is_refused(size2: int, data: st.DataObject) -> None:
    size1 = data.draw(st.integers(1, size2))
    proof = tree.consistency(size1, size2, read)
    root1, root2 = ROOTS[size1], ROOTS[size2]
    flip = data.draw(flips)
    wrong = [
        (size1, flipped(root1, flip), size2, root2, proof),
        (size1, root1, size2, flipped(root2, flip), proof),
        (size1, root1, size2, root2, (*proof, root1)),
        (size1, root1, size2, root2, (root1, *proof)),
        (0, merkle.EMPTY_ROOT, size2, root2, ()),
        (size2 + 1, root1, size2, root2, proof),
        (-1, root1, size2, root2, proof),
    ]
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        wrong += [
            (size1, root1, size2, root2, (*proof[:at], flipped(proof[at], flip), *proof[at + 1 :])),
            (size1, root1, size2, root2, proof[:at] + proof[at + 1 :]),
            (size1, root1, size2, root2, (*proof[:at], proof[at] + b"\0", *proof[at + 1 :])),
            (size1, root1, size2, root2, ()),
        ]
    for old, old_root, new, new_root, nodes in wrong:
        with pytest.raises(IntegrityError) as refusal:
            merkle.verify_consistency(old, old_root, new, new_root, nodes)
        assert refusal.value.reason is Reason.LOG_INCONSISTENT


@given(st.integers(1, MOST - 1), st.integers(0, MOST - 2), st.data())
def test_a_rewritten_history_has_no_consistency_proof(size1: int, changed: int, data: st.DataObject) -> None:
    changed %= size1
    size2 = data.draw(st.integers(size1 + 1, MOST))
    forged = [*HASHES[:changed], merkle.leaf_hash(b"forged"), *HASHES[changed + 1 :]]
    _, nodes = tree.append(0, forged, read)

    def fork(level: int, index: int) -> bytes:
        return nodes[level, index]

    for prover in (read, fork):
        with pytest.raises(IntegrityError):
            merkle.verify_consistency(
                size1, ROOTS[size1], size2, tree.root(size2, fork), tree.consistency(size1, size2, prover)
            )


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    inside = merkle.node_hash(HASHES[0], HASHES[1])
    assert merkle.leaf_hash(HASHES[0] + HASHES[1]) != inside
    with pytest.raises(RefusedError):
        merkle.verify_inclusion(
            merkle.leaf_hash(HASHES[0] + HASHES[1]), 0, 2, merkle.path_of(LEAVES[:4], 0)[1:], ROOTS[4]
        )


def test_proofs_of_a_tree_of_the_largest_size_are_bounded() -> None:
    with pytest.raises(RefusedError):
        merkle.verify_inclusion(HASHES[0], 2**63 - 1, 2**63, HASHES[:63], ROOTS[5])
    with pytest.raises(IntegrityError):
        merkle.verify_consistency(2**62 + 1, ROOTS[1], 2**63, ROOTS[2], HASHES[:64])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_proof_is_made_for_a_leaf_that_is_not_there(index: int, size: int) -> None:
    with pytest.raises(RefusedError) as refusal:
        tree.inclusion(index, size, read)
    assert refusal.value.reason is Reason.NOT_LOGGED
    with pytest.raises(AssertionError):
        merkle.path_of(LEAVES[:size], index)


@pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 3), (4, 3), (-1, 3)])
def test_no_proof_is_made_between_sizes_that_have_none(size1: int, size2: int) -> None:
    with pytest.raises(RefusedError):
        tree.consistency(size1, size2, read)


@given(st.integers(0, MOST))
def test_a_frontier_survives_its_encoding(size: int) -> None:
    frontier = Frontier().extend(HASHES[:size])
    data = frontier.encode()
    assert Frontier.decode(data) == frontier
    assert frontier.extend(HASHES[size:]).root() == ROOTS[MOST]
    for wrong in (data[:-1], data + b"\0", data + bytes(32), b""):
        with pytest.raises(MalformedError):
            Frontier.decode(wrong)
