"""DKG-05: who deals must know what it deals: chosen sums, borrowed proofs and old sessions are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.committee import cocktail
from escrow.committee.cocktail import Commitment, Context
from escrow.committee.messages import Kind, Output, ToLog, commitment_hash, entry, read_entry
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import random_polynomial
from escrow.errors import EscrowError, Reason
from tests.claims.keygen import coins, keygen
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds
from tests.core.crypto.draws import flip, nonzero

pytestmark = pytest.mark.claim("DKG-05")

contexts: st.SearchStrategy[Context] = seeds.map(lambda value: Context(EDWARDS25519, value))


@effort(0.6)
@given(contexts, nonzero, nonzero)
def test_a_rogue_key_that_cancels_the_others_has_no_proof(
    census: Census, context: Context, chosen: Scalar, honest: Scalar
) -> None:
    victim = cocktail.commit(context, random_polynomial(coins(honest.value), 2, honest), chosen)
    cocktail.verify_commitment(context, victim)
    census("accepted")
    # C_0 = X - C_victim: the sum would be X, whose logarithm the attacker knows.
    rogue = EDWARDS25519.base_mul(chosen) - EDWARDS25519.decode(victim.points[0])
    if rogue.is_identity:
        return
    points = (rogue.encode(), victim.points[1])
    for proof in (victim.proof, cocktail.schnorr_sign(EDWARDS25519, chosen, context.value), bytes(64)):
        with pytest.raises(EscrowError):
            cocktail.verify_commitment(context, Commitment(points, proof, victim.ephemeral))
        census("refused")


@effort(0.6)
@given(contexts, contexts, nonzero, st.integers(0))
def test_a_proof_belongs_to_one_run_and_one_dealing(
    census: Census, context: Context, other: Context, secret: Scalar, bit: int
) -> None:
    dealt = cocktail.commit(context, random_polynomial(coins(secret.value), 3, secret), secret)
    tried = [(context, Commitment(dealt.points, flip(dealt.proof, bit), dealt.ephemeral))]
    tried += [(context, Commitment((dealt.points[0], *dealt.points[:2]), dealt.proof, dealt.ephemeral))]
    tried += [(context, Commitment(dealt.points, dealt.proof, dealt.points[1]))]
    tried += [(other, dealt)] if other != context else []
    for where, what in tried:
        with pytest.raises(EscrowError):
            cocktail.verify_commitment(where, what)
        census("refused")


@pytest.mark.parametrize("kind", [Kind.DKG_TRANSPORT, Kind.DKG_REVEAL])
def test_whoever_repeats_what_another_said_is_named(census: Census, kind: Kind) -> None:
    heard: dict[int, ToLog] = {}

    def tamper(author: int, output: Output) -> Output:
        if isinstance(output, ToLog) and output.kind is kind:
            heard[author] = output
            return heard[1] if author == 3 else output
        if isinstance(output, ToLog) and output.kind is Kind.DKG_COMMIT and author == 3 and kind is Kind.DKG_REVEAL:
            # Committing to the victim's dealing needs it to be known; an attacker who speaks last may know it.
            session, _ = read_entry(output.payload)
            victim = next(payload for said, _, payload in keygen(3, 2, "copy").log if said is Kind.DKG_REVEAL)
            return ToLog(output.kind, entry(session, commitment_hash(session, 3, read_entry(victim)[1])))
        return output

    story = keygen(3, 2, "copy", tamper)
    assert not story.finished
    assert {one.culprits for one in story.aborted.values()} == {frozenset({3})}
    assert {one.reason for one in story.aborted.values()} == {Reason.DEALING_INVALID}
    census("named")
