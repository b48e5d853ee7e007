"""DKG-01: all honest custodians end with one key and one set of shares, or all with one verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.documents import CommitteeKey, ShareGeneration, verify_generation, verify_key
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow_lab.malice.deviations import DEVIATIONS
from tests.claims.cheated import Assembly, plots
from tests.claims.measures import Census, effort

pytestmark = pytest.mark.claim("DKG-01")


def agrees(story: Assembly, census: Census) -> None:
    ends, finished = story.ends(), story.finished()
    if any(ends.values()):
        assert not finished
        assert len(set(ends.values())) == 1
        census("one verdict")
        return
    assert finished.keys() == ends.keys()
    ((key_bytes, generation_bytes),) = {(each.committee_key, each.generation) for each in finished.values()}
    key, generation = CommitteeKey.decode(key_bytes), ShareGeneration.decode(generation_bytes)
    verify_key(key, story.proposal)
    verify_generation(generation, key, story.proposal)
    for index, each in finished.items():
        share = Scalar.decode(each.share.expose())
        assert EDWARDS25519.base_mul(share) == generation.share_key(EDWARDS25519, index)
    census("one key")


@pytest.mark.parametrize("name", DEVIATIONS)
def test_honest_custodians_agree_whichever_known_deviation_is_played(census: Census, name: str) -> None:
    agrees(Assembly(3, 2, {2: [name]}, 1).play(), census)


@effort(0.5)
@given(plots(), st.integers(0, 1 << 32))
def test_honest_custodians_agree_on_any_mixture_in_any_order(
    census: Census, plot: dict[int, list[str]], order: int
) -> None:
    n, t = (3, 2) if len(plot) == 1 else (5, 3)
    agrees(Assembly(n, t, plot, order).play(), census)
