"""DKG-04: the threshold is what was proposed. Nobody raises or lowers it by dealing another degree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee.cocktail import Commitment
from escrow.committee.messages import Kind, Output, ToLog, commitment_hash, entry, read_entry
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.sharing import interpolate_scalars
from escrow.errors import MalformedError, Reason
from tests.claims.keygen import committee, keygen
from tests.claims.measures import Census, effort

pytestmark = pytest.mark.claim("DKG-04")


@effort(0.06)
@given(st.integers(1, 4), st.sampled_from((-1, 1)), st.integers(0, 2**16))
def test_a_dealing_of_another_degree_ends_the_run_and_names_its_dealer(
    census: Census, dealer: int, more: int, seed: int
) -> None:
    honest: dict[int, bytes] = {}

    def tamper(author: int, output: Output) -> Output:
        """Commit to, and then reveal, a dealing with one coefficient more or less; its proof of possession is good."""
        if author != dealer or not isinstance(output, ToLog):
            return output
        session, _ = read_entry(output.payload)
        if output.kind is Kind.DKG_COMMIT:
            honest[dealer] = changed = elevated(story_commitment(seed, dealer), more)
            return ToLog(output.kind, entry(session, commitment_hash(session, dealer, changed)))
        return ToLog(output.kind, entry(session, honest[dealer])) if output.kind is Kind.DKG_REVEAL else output

    story = keygen(4, 3, seed, tamper)
    assert not story.finished
    assert {(one.reason, one.culprits) for one in story.aborted.values()} == {
        (Reason.DEALING_INVALID, frozenset({dealer}))
    }
    with pytest.raises(MalformedError):
        Commitment.decode(honest[dealer], 3)
    census("refused")


def test_fewer_shares_than_the_threshold_lie_on_no_lower_polynomial(census: Census) -> None:
    held = committee(5, 3)
    secret = interpolate_scalars(held.shares)
    for few in ((1, 2), (2, 5), (4,), (3, 4)):
        assert interpolate_scalars({index: held.shares[index] for index in few}) != secret
    assert interpolate_scalars({index: held.shares[index] for index in (1, 3, 5)}) == secret
    census("exact")


def story_commitment(seed: int, dealer: int) -> Commitment:
    """What the dealer would have said: a run is a function of its coins."""
    for kind, _, payload in reveals(seed):
        content = read_entry(payload)[1]
        if kind is Kind.DKG_REVEAL:
            dealer -= 1
            if not dealer:
                return Commitment.decode(content, 3)
    raise AssertionError("everybody reveals")


def reveals(seed: int) -> list[tuple[Kind, bytes, bytes]]:
    return keygen(4, 3, seed).log


def elevated(dealt: Commitment, more: int) -> bytes:
    points = dealt.points[:more] if more < 0 else (*dealt.points, EDWARDS25519.base.encode())
    return b"".join((*points, dealt.proof, dealt.ephemeral))
