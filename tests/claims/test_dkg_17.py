"""DKG-17: shares of ibe are of G2, and shares that lie in the capsules have no handover, whoever begins one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.documents import verify_holders
from escrow.committee.resharing import Resharing
from escrow.committee.succession import HandoverProposal
from escrow.crypto.suites import HYBRID_EDWARDS25519, HYBRID_RISTRETTO255, IBE, PQ, TDH2_EDWARDS25519, TDH2_RISTRETTO255
from escrow.errors import EscrowError, Reason, RefusedError
from tests.claims.measures import Census, effort
from tests.core.committee.council import proposal_of
from tests.core.committee.succession import Held, made

pytestmark = pytest.mark.claim("DKG-17")


@effort(0.2)
@given(st.sampled_from((TDH2_EDWARDS25519, PQ, HYBRID_EDWARDS25519, HYBRID_RISTRETTO255)), st.binary(max_size=2500))
def test_no_handover_of_a_suite_with_shares_in_its_capsules_begins(census: Census, suite: int, public: bytes) -> None:
    held = made(3, 2)
    proposal = HandoverProposal(suite, held.generation.hash, held.generation.members, 2, bytes(16))
    if suite == TDH2_EDWARDS25519:
        Resharing.begin(proposal, held.generation, held.key.public, 7)
        census("begun")
        return
    with pytest.raises(RefusedError) as refused:
        proposal.group  # noqa: B018 - it is the reading that refuses
    assert refused.value.reason is Reason.SUITE_MISMATCH
    for key in (held.key.public, public):
        with pytest.raises(RefusedError) as refused:
            Resharing.begin(proposal, held.generation, key, 7)
        assert refused.value.reason is Reason.SUITE_MISMATCH
    census("refused")


@pytest.mark.parametrize("suite", [TDH2_EDWARDS25519, TDH2_RISTRETTO255, IBE])
@pytest.mark.parametrize("passed_off", [TDH2_EDWARDS25519, IBE])
def test_shares_of_one_group_do_not_pass_for_those_of_another(census: Census, suite: int, passed_off: int) -> None:
    held = made(3, 2, suite)
    proposal = proposal_of(3, 2, suite=passed_off)
    if suite == passed_off:
        verify_holders(held.generation, proposal)
        Resharing.begin(_refresh(suite, held), held.generation, held.key.public, 7)
        census("begun")
        return
    with pytest.raises(EscrowError):
        verify_holders(held.generation, proposal)
    with pytest.raises(EscrowError):
        Resharing.begin(_refresh(passed_off, held), held.generation, held.key.public, 7)
    census("of another group")


def _refresh(suite: int, held: Held) -> HandoverProposal:
    return HandoverProposal(suite, held.generation.hash, held.generation.members, 2, bytes(16))
