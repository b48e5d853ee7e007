"""Merkle proofs of transparency-dev/merkle: 196 inclusion and consistency cases, and the roots of small trees."""

import json
from base64 import b64decode
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from escrow.errors import EscrowError, IntegrityError, RefusedError
from escrow.tlog import merkle, tree

FOLDER = "vectors/transparency-dev-merkle"


def nothing(level: int, index: int) -> bytes:
    raise AssertionError(f"an empty tree has no node {level}, {index}")


def check_inclusion(case: dict[str, Any]) -> None:
    path = [b64decode(node) for node in case["proof"] or ()]
    leaf, root = b64decode(case["leafHash"] or ""), b64decode(case["root"] or "")
    merkle.verify_inclusion(leaf, case["leafIdx"], case["treeSize"], path, root)


def check_consistency(case: dict[str, Any]) -> None:
    proof = [b64decode(node) for node in case["proof"] or ()]
    root1, root2 = b64decode(case["root1"] or ""), b64decode(case["root2"] or "")
    merkle.verify_consistency(case["size1"], root1, case["size2"], root2, proof)


@pytest.mark.parametrize(
    ("kind", "check", "error"),
    [("inclusion", check_inclusion, RefusedError), ("consistency", check_consistency, IntegrityError)],
)
def test_every_published_proof_is_judged_as_published(
    shared: Path, kind: str, check: Callable[[dict[str, Any]], None], error: type[EscrowError]
) -> None:
    files = sorted((shared / FOLDER / "testdata" / kind).rglob("*.json"))
    assert len(files) == 98
    for file in files:
        case = json.loads(file.read_text())
        with pytest.raises(error) if case["wantErr"] else nullcontext():
            check(case)


def test_the_published_trees_grow_the_same_nodes_and_roots(shared: Path) -> None:
    constants = json.loads((shared / FOLDER / "constants.json").read_text())
    leaves = [bytes.fromhex(data) for data in constants["leaf_inputs"]]
    roots = [bytes.fromhex(root) for root in constants["root_hashes_by_size"]]
    assert [merkle.root_of(leaves[:size]) for size in range(9)] == roots
    _, nodes = tree.append(0, [merkle.leaf_hash(data) for data in leaves], nothing)
    assert [nodes[place].hex() for place in sorted(nodes)] == constants["node_hashes_flat_level_order"]
