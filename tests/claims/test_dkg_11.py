"""DKG-11: with a threshold of honest shares a capsule opens, and every bad share is laid at its custodian's door."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.crypto.group import SIZE
from escrow.errors import Reason, RefusedError
from tests.claims.keygen import coins, committee
from tests.claims.measures import Census, effort
from tests.claims.sealing import capsule, numbers, request, seeds, shares
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("DKG-11")

HELD = committee()
THRESHOLD = HELD.generation.threshold


def garbage(honest: dict[int, bytes], kind: int, index: int) -> bytes:
    """A share that looks more or less like one."""
    if kind == 0:
        return coins("garbage", index) * 3
    if kind == 1:
        return b""
    if kind == 2:
        return honest[index % 5 + 1]
    return flip(honest[index], kind)


@effort(0.4)
@given(numbers, seeds, st.dictionaries(st.integers(1, 5), st.integers(0, 2) | st.integers(3, 700), max_size=5))
@example(1, bytes(32), {1: 2})
def test_garbage_never_prevents_what_enough_honest_shares_allow(
    census: Census, number: int, seed: bytes, bad: dict[int, int]
) -> None:
    asked = request(HELD, number, capsule(HELD, number, seed))
    honest = shares(HELD, asked, 1, 2, 3, 4, 5)
    sent = honest | {index: garbage(honest, kind, index) for index, kind in bad.items()}
    if len(bad) <= len(sent) - THRESHOLD:
        opened = open_capsule(asked, HELD.generation, sent)
        assert opened.seed.expose() == seed
        proofs_only = {index for index in bad if sent[index][:SIZE] == honest[index][:SIZE]}
        assert bad.keys() - proofs_only <= opened.culprits <= bad.keys()
        assert set(opened.used) <= honest.keys() - (bad.keys() - proofs_only)
        census("opened")
        return
    # A share whose proof alone is bad may still help to open; with too few right points nothing does.
    sent = {index: share if index not in bad else coins("garbage", index) * 3 for index, share in sent.items()}
    with pytest.raises(RefusedError) as refused:
        open_capsule(asked, HELD.generation, sent)
    assert refused.value.reason is Reason.NOT_ENOUGH_SHARES
    assert refused.value.culprits == {f"custodian/{index}" for index in bad}
    census("refused")
