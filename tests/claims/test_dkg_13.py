"""DKG-13: what is stolen after a certificate exists rebuilds no share; before, it would (NCL-STATIC)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.dkg import DkgState
from escrow.committee.record import Stage
from tests.claims.keygen import keygen
from tests.claims.measures import Census, effort
from tests.claims.theft import loot, secrets_in

pytestmark = pytest.mark.claim("DKG-13")


@effort(0.1)
@given(st.sampled_from(((2, 2), (3, 2), (4, 3))), st.integers(0, 2**32))
def test_total_theft_after_the_certificates_rebuilds_nothing(census: Census, size: tuple[int, int], seed: int) -> None:
    story = keygen(*size, seed)
    finished = story.states[1].record
    assert finished.stage is Stage.FINISHED
    for state in (*story.at_certificate.values(), *story.states.values()):
        assert loot(state, story, finished) == []
        assert state.transport is None
        census("rebuilt nothing")
    for state in story.states.values():
        assert held_after_the_run(state) == set()


def held_after_the_run(state: DkgState) -> set[str]:
    """The names of what a finished state still holds of its secrets and ciphertexts."""
    kept = {name for name in ("transport", "dealing", "share") if getattr(state, name) is not None}
    assert len(secrets_in(state)) <= 1  # the coins of proofs, which made no key
    return kept | {name for name in ("dealt", "received") if getattr(state, name)}
