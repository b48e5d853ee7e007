"""DKG-13: what is stolen after a certificate or an acknowledgement exists rebuilds no share; before, it would."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.dkg import DkgState
from escrow.committee.record import Stage
from escrow.ids import Party
from tests.claims.handing import MOVES, moved
from tests.claims.keygen import keygen
from tests.claims.measures import Census, effort
from tests.claims.theft import loot, secrets_in
from tests.claims.total_theft import Theft
from tests.core.committee.test_handover_attacks import rebuilt
from tests.core.roles.test_erasing import CUSTODIANS
from tests.core.roles.test_handing_over import NEW

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


@cache
def stolen() -> Theft:
    return Theft.of_a_handover_to_others()


@effort(0.1)
@given(st.sampled_from(NEW), st.sampled_from(CUSTODIANS))
def test_every_key_every_disk_the_log_and_all_traffic_rebuild_nothing_of_a_period_that_is_erased(
    census: Census, taker: int, owner: Party
) -> None:
    theft = stolen()
    index = NEW.index(taker) + 1
    kept = theft.transports[f"custodian/{taker}"]
    assert theft.rebuilt(index, kept) is not None, "what did not get lost would have been enough"
    census("rebuilt while the key existed")
    assert theft.is_key({at: theft.rebuilt(at, theft.transports[f"custodian/{who}"]) for at, who in enumerate(NEW, 1)})
    for secret in (*theft.shares.values(), *theft.transports.values()):
        assert not any(secret in value for value in theft.disks)
    # Nor does any long-term key open a part: no transport key is made of one.
    for candidate in theft.long_term(owner):
        assert theft.rebuilt(index, candidate) is None
    census("rebuilt nothing")
