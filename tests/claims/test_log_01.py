"""LOG-01: of two checkpoints that are accepted one after the other, the second continues the first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import IntegrityError, Reason
from escrow.tlog import tree
from escrow.tlog.merkle import EMPTY_ROOT, leaf_hash, root_of, verify_consistency
from tests.claims.measures import Census, effort
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("LOG-01")


def grown(leaves: list[bytes]) -> tree.Nodes:
    nodes: tree.Nodes = {}

    def read(level: int, index: int) -> bytes:
        return nodes[level, index]

    for size, leaf in enumerate(leaves):
        nodes |= tree.append(size, [leaf_hash(leaf)], read)[1]
    return nodes


@effort(1.5)
@given(st.integers(1, 70), st.integers(0, 70), st.integers(0), st.integers(0), st.booleans())
def test_only_a_continuation_is_consistent(
    census: Census, size: int, more: int, place: int, bit: int, short: bool
) -> None:
    leaves = [b"leaf %d" % index for index in range(size + more)]
    nodes = grown(leaves)
    first, second = root_of(leaves[:size]), root_of(leaves)
    proof = tree.consistency(size, size + more, lambda level, index: nodes[level, index])
    verify_consistency(size, first, size + more, second, proof)
    census("accepted")
    rewritten = list(leaves)
    rewritten[place % size] = b"another past"
    fork = root_of(rewritten)
    altered = list(proof[:-1]) if short else [*proof[: bit % (len(proof) + 1)], bytes(32)]
    forged = [(size, first, size + more, fork, proof), (size, root_of(rewritten[:size]), size + more, second, proof)]
    forged += [(size, first, size + more, flip(second, bit), proof), (0, EMPTY_ROOT, size + more, second, proof)]
    forged += [(size, first, size + more, second, tuple(altered))] if tuple(altered) != proof else []
    for attempt in forged:
        with pytest.raises(IntegrityError) as refused:
            verify_consistency(*attempt)
        assert refused.value.reason is Reason.LOG_INCONSISTENT
        census("refused")
