"""DKG-13: what is stolen after a certificate or an acknowledgement exists rebuilds no share; before, it would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.dkg import DkgState
from escrow.committee.record import Stage
from tests.claims.handing import MOVES, moved
from tests.claims.keygen import keygen
from tests.claims.measures import Census, effort
from tests.claims.theft import loot, secrets_in
from tests.core.committee.test_handover_attacks import rebuilt

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


@effort(0.1)
@given(st.sampled_from(range(len(MOVES))), st.integers(0, 2))
def test_total_theft_after_the_acknowledgements_of_a_handover_rebuilds_nothing(
    census: Census, move: int, seed: int
) -> None:
    story, _, after = moved(move, seed)
    for index, person in enumerate(story.people, start=1):
        states = story.history[person]
        taken = next(at for at, state in enumerate(states) if state.share is not None)
        early = states[taken - 1].transport
        assert early is not None
        assert rebuilt(story, person, early) == after.shares[index]
        census("rebuilt while the key existed")
        for state in states[taken:]:
            stolen = [secret for secret in (state.transport, state.dealing, state.proof_coins) if secret is not None]
            assert all(rebuilt(story, person, secret) is None for secret in stolen)
        census("rebuilt nothing")
