"""Key generation where every custodian has a KEM key: possession is proved, and whoever lies about it is named."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.committee import kem_possession
from escrow.committee.dispute import Dispute, Ground
from escrow.committee.documents import (
    CommitteeKey,
    CommitteeProposal,
    ShareGeneration,
    read_public,
    verify_generation,
    verify_key,
)
from escrow.committee.messages import Kind, Output, ToLog, entry
from escrow.committee.parts import kem_names
from escrow.crypto.suites import MOST_KEM_KEYS, SUITES, has_group, has_kem
from escrow.crypto.xwing import CIPHERTEXT_SIZE, PUBLIC_SIZE, XWingKey, encapsulate
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from tests.core.committee.council import Council, Tamper, documents, identity, on, proposal_of, secrets, settled

WITH_KEM = [suite for suite in SUITES.values() if has_kem(suite)]
every = pytest.mark.parametrize("suite", WITH_KEM)

N = 3
STRANGER = XWingKey.from_seed(b"\x99" * 32)
LOW_ORDER = bytes(32)


def council(suite: int, tamper: Tamper | None = None) -> Council:
    if tamper is None:
        return Council(N, 2, suite=suite).settle()
    return Council(N, 2, corrupt=frozenset({2}), tamper=tamper, suite=suite).settle()


def last(content: bytes, size: int, other: bytes) -> bytes:
    """What is said of KEM keys stands last."""
    return content[: len(content) - size] + other


def blamed(run: Council, reason: Reason = Reason.DEALING_INVALID) -> None:
    verdict = run.aborted()
    assert (verdict.reason, verdict.culprits) == (reason, frozenset({2}))


@every
def test_everybody_ends_with_the_documents_and_the_secret_of_its_own_key(suite: int) -> None:
    run = settled(N, 2, suite=suite)
    key, generation = documents(run)
    verify_key(key, run.proposal)
    verify_generation(generation, key, run.proposal)
    kems = read_public(key, run.proposal).kems
    for index, secret in secrets(run).items():
        own = XWingKey.from_seed(secret.expose()[-32:])
        shared, ciphertext = encapsulate(kems[index - 1], bytes(64))
        assert own.public == kems[index - 1]
        assert own.decapsulate(ciphertext) == shared
    assert CommitteeKey.decode(key.encode()) == key
    assert ShareGeneration.decode(generation.encode()) == generation


@every
def test_no_state_keeps_the_seed_or_the_challenges_once_the_run_is_over(suite: int) -> None:
    run = settled(N, 2, suite=suite)
    for state in run.states.values():
        assert (state.kem, state.challenge, state.share) == (None, None, None)


@pytest.mark.spec("PQ-4")
@every
@pytest.mark.parametrize(
    "wrong",
    [
        STRANGER.public[:-1],
        STRANGER.public + b"\0",
        STRANGER.public[:-32] + LOW_ORDER,
        b"\xff" * 3 + STRANGER.public[3:],  # a coefficient beyond the modulus
        b"",
    ],
    ids=["short", "long", "low order", "not reduced", "none"],
)
def test_what_is_no_key_names_whoever_logged_it(suite: int, wrong: bytes) -> None:
    blamed(council(suite, on(Kind.DKG_TRANSPORT, lambda _c, _i, said: last(said, PUBLIC_SIZE, wrong))))


@every
def test_the_key_of_another_member_is_refused(suite: int) -> None:
    def copy(run: Council, _index: int, said: bytes) -> bytes:
        first = run.log[0][2]
        return last(said, PUBLIC_SIZE, first[-PUBLIC_SIZE:])

    blamed(council(suite, on(Kind.DKG_TRANSPORT, copy)))


@every
def test_whoever_logs_a_key_without_having_it_is_named(suite: int) -> None:
    blamed(council(suite, on(Kind.DKG_TRANSPORT, lambda _c, _i, said: last(said, PUBLIC_SIZE, STRANGER.public))))


@every
@pytest.mark.parametrize("size", [N * CIPHERTEXT_SIZE - 1, (N - 1) * CIPHERTEXT_SIZE])
def test_challenges_that_are_too_few_name_the_challenger(suite: int, size: int) -> None:
    blamed(council(suite, on(Kind.DKG_COMMIT, lambda _c, _i, said: said[: len(said) - N * CIPHERTEXT_SIZE + size])))


@every
def test_a_challenge_without_an_answer_names_the_challenger(suite: int) -> None:
    blamed(council(suite, on(Kind.DKG_COMMIT, lambda _c, _i, said: said[:-32] + LOW_ORDER)))


@pytest.mark.spec("PQ-5")
@every
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_wrong_answer_is_named_by_its_challenger(suite: int, place: int) -> None:
    def lie(_run: Council, _index: int, said: bytes) -> bytes:
        answers = bytearray(said[-N * 32 :])
        answers[32 * (place - 1)] ^= 1
        return last(said, N * 32, bytes(answers))

    run = council(suite, on(Kind.DKG_REVEAL, lie))
    if place == 2:  # to itself: nobody but the liar is concerned
        assert len(run.finished()) == N
    else:
        blamed(run)


@every
def test_an_answer_too_few_names_whoever_owes_it(suite: int) -> None:
    blamed(council(suite, on(Kind.DKG_REVEAL, lambda _c, _i, said: said[:-32])))


@every
def test_whoever_does_not_answer_is_named_by_the_others(suite: int) -> None:
    run = council(suite, on(Kind.DKG_REVEAL, lambda _c, _i, _said: None))
    blamed(run.wait(60_000), Reason.DEALER_SILENT)


def accusing(ground: Ground, evidence: bytes = b"") -> Tamper:
    """Certifies, and disputes just before."""

    def tamper(run: Council, index: int, output: Output) -> Iterable[Output]:
        if isinstance(output, ToLog) and output.kind is Kind.DKG_CERTIFY:
            said = Dispute(ground, 1, evidence).encode()
            return ToLog(Kind.DKG_DISPUTE, entry(run.session, said)), output
        return (output,)

    return tamper


@every
@pytest.mark.parametrize("evidence", [b"", bytes(63), bytes(64), bytes(65)])
def test_a_false_accusation_names_the_accuser(suite: int, evidence: bytes) -> None:
    blamed(council(suite, accusing(Ground.UNPROVEN, evidence)), Reason.DISPUTE_INVALID)


@every
def test_an_accusation_with_the_true_coins_of_a_right_answer_names_the_accuser(suite: int) -> None:
    def tamper(run: Council, index: int, output: Output) -> Iterable[Output]:
        if isinstance(output, ToLog) and output.kind is Kind.DKG_CERTIFY:
            kept = run.history[index][-2].challenge
            assert kept is not None
            coins = kem_possession.coins_of(run.session, index, 1, kept.expose())
            return accusing(Ground.UNPROVEN, coins)(run, index, output)
        return (output,)

    blamed(council(suite, tamper), Reason.DISPUTE_INVALID)


@pytest.mark.parametrize("suite", [suite for suite in SUITES.values() if not has_kem(suite)])
def test_a_key_that_a_suite_does_not_have_is_not_disputed(suite: int) -> None:
    blamed(council(suite, accusing(Ground.UNPROVEN, bytes(64))))


@pytest.mark.parametrize("suite", [suite for suite in SUITES.values() if not has_group(suite)])
@pytest.mark.parametrize("ground", [Ground.MISSING, Ground.UNSOUND])
def test_a_ciphertext_that_a_suite_does_not_have_is_not_disputed(suite: int, ground: Ground) -> None:
    blamed(council(suite, accusing(ground)))


@settings(max_examples=20)
@given(challenged=st.binary(max_size=40), answered=st.binary(max_size=100), evidence=st.binary(max_size=70))
def test_a_judgement_names_one_of_the_two_whatever_they_have_logged(
    challenged: bytes, answered: bytes, evidence: bytes
) -> None:
    for said in (challenged, encapsulate(STRANGER.public, bytes(64))[1] + challenged):
        for shown in (evidence, bytes(64)):
            assert kem_possession.judge(bytes(32), 2, 1, STRANGER.public, said, answered, shown) in {1, 2}


@every
def test_documents_with_other_keys_are_not_authorised(suite: int) -> None:
    run = settled(N, 2, suite=suite)
    key, generation = documents(run)
    other, others = documents(settled(N, 2, seed=1, suite=suite))
    for wrong in (key.public[:-1], key.public + b"\0", key.public[:-PUBLIC_SIZE] * 2, key.public[:-32] + LOW_ORDER):
        with pytest.raises(MalformedError):
            verify_key(replace(key, public=wrong), run.proposal)
    for changed in (other.public, key.public[:-PUBLIC_SIZE] + STRANGER.public):
        with pytest.raises(RefusedError) as refused:
            verify_key(replace(key, public=changed), run.proposal)
        assert refused.value.reason is Reason.COMMITTEE_UNAUTHORISED
    renamed = replace(generation, verification=others.verification)
    for generation_ in (others, renamed):
        with pytest.raises(RefusedError) as refused:
            verify_generation(generation_, key, run.proposal)
        assert refused.value.reason is Reason.COMMITTEE_UNAUTHORISED


def test_where_there_is_no_group_share_keys_are_the_names_of_the_kem_keys() -> None:
    for suite in WITH_KEM:
        if not has_group(suite):
            key, generation = documents(settled(N, 2, suite=suite))
            assert generation.verification == kem_names(read_public(key, proposal_of(N, 2, suite=suite)).kems)


def test_a_committee_whose_keys_no_entry_of_the_log_can_hold_is_no_committee() -> None:
    for suite in WITH_KEM:
        most = proposal_of(MOST_KEM_KEYS, 2, suite=suite)
        assert CommitteeProposal.decode(most.encode()) == most
        members = (*most.members, identity(MOST_KEM_KEYS + 1).public)
        with pytest.raises(EscrowError):
            CommitteeProposal.decode(replace(most, members=members).encode())
