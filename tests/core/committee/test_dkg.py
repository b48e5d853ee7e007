"""Honest runs of key generation: everybody ends with the same key, and any threshold of shares is its logarithm."""

from dataclasses import replace
from itertools import combinations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.committee import dkg
from escrow.committee.dkg import DkgState
from escrow.committee.documents import verify_generation, verify_key
from escrow.committee.messages import Kind
from escrow.errors import EscrowError, MalformedError
from escrow.secret import Secret
from tests.core.committee.council import Council, documents, identity, interpolated, proposal_of, settled, shares

SIZES = [(1, 1), (2, 2), (3, 2), (5, 3)]
every_group = pytest.mark.parametrize("suite", [1, 2, 3])


@every_group
@pytest.mark.parametrize(("n", "t"), SIZES)
def test_everybody_finishes_from_the_log_alone_with_the_same_documents(n: int, t: int, suite: int) -> None:
    council = settled(n, t, suite=suite)
    key, generation = documents(council)
    verify_key(key, council.proposal)
    verify_generation(generation, key, council.proposal)
    assert (generation.n, generation.threshold, generation.number) == (n, t, 0)


@every_group
@pytest.mark.parametrize(("n", "t"), SIZES)
def test_any_threshold_of_shares_is_the_logarithm_of_the_key_and_no_fewer_are(n: int, t: int, suite: int) -> None:
    council = settled(n, t, suite=suite)
    key, generation = documents(council)
    group = council.proposal.group
    held, public = shares(council), group.decode(key.public)
    for index, share in held.items():
        assert group.base_mul(share) == generation.share_key(group, index)
    for some in combinations(held, t):
        assert interpolated({i: held[i] for i in some}, suite) == public
    for few in combinations(held, t - 1):
        assert interpolated({i: held[i] for i in few}, suite) != public


def test_a_key_of_one_group_is_none_of_the_other() -> None:
    (key, generation), council = documents(settled(3, 2, suite=2)), settled(3, 2)
    retold = replace(key, proposal_hash=council.proposal.hash)
    with pytest.raises(EscrowError):
        verify_key(retold, council.proposal)
    with pytest.raises(EscrowError):
        verify_generation(replace(generation, committee_key_hash=retold.hash), retold, council.proposal)


def test_two_runs_share_nothing() -> None:
    first, second = (documents(settled(3, 2, seed)) for seed in (0, 1))
    assert first[0].public != second[0].public
    assert first[0].hash != second[0].hash


def test_the_same_coins_repeat_the_run_byte_for_byte() -> None:
    assert Council(3, 2).settle().log == settled(3, 2).log


@settings(max_examples=15)
@given(st.data())
def test_the_order_of_entries_and_letters_does_not_matter(data: st.DataObject) -> None:
    council = Council(3, 2)
    while council.mail or council.read < len(council.log):
        pending = council.log[council.read :]
        if council.mail and (not pending or data.draw(st.booleans())):
            council.mail.insert(0, council.mail.pop(data.draw(st.integers(0, len(council.mail) - 1))))
            council.read_letter()
        else:
            council.log.insert(
                council.read, council.log.pop(data.draw(st.integers(council.read, len(council.log) - 1)))
            )
            council.read_entry()
    documents(council)


def test_a_repeated_entry_changes_nothing() -> None:
    council = Council(3, 2)
    while council.mail or council.read < len(council.log):
        council.read_letter() if council.mail else council.read_entry()
        before = dict(council.states)
        for kind, submitter, payload in council.log[: council.read]:
            for i, state in before.items():
                assert dkg.on_entry(state, identity(i), kind, submitter, payload, 5) == (state, ())
    documents(council)


def test_entries_of_strangers_and_of_other_runs_are_nothing() -> None:
    council, other = Council(3, 2), Council(3, 2, run=1)
    stranger = identity(77).public
    for index, state in council.states.items():
        for kind, submitter, payload in other.log:
            assert dkg.on_entry(state, identity(index), kind, submitter, payload, 0) == (state, ())
        for kind, _, payload in council.log:
            assert dkg.on_entry(state, identity(index), kind, stranger, payload, 0) == (state, ())
            assert dkg.on_entry(state, identity(index), kind, stranger, b"\xff", 0) == (state, ())


def test_a_replayed_session_makes_nobody_a_culprit() -> None:
    old = settled(3, 2)
    council = Council(3, 2, run=1)
    council.log = old.log + council.log
    documents(council.settle())


def test_a_finished_run_takes_nothing_more() -> None:
    council = settled(3, 2)
    state = council.states[1]
    assert dkg.on_tick(state, 10**9) == (state, ())
    assert dkg.on_ciphertext(state, identity(1), 2, bytes(48)) == (state, ())
    for kind in Kind:
        assert dkg.on_entry(state, identity(1), kind, identity(2).public, b"", 0) == (state, ())


def test_what_cannot_be_a_ciphertext_is_refused() -> None:
    state = settled(3, 2).history[1][0]
    for sender, ciphertext in ((2, bytes(47)), (2, bytes(49)), (0, bytes(48)), (4, bytes(48))):
        with pytest.raises(MalformedError):
            dkg.on_ciphertext(state, identity(1), sender, ciphertext)


def test_a_custodian_runs_under_its_own_identity_only() -> None:
    with pytest.raises(AssertionError):
        dkg.begin(identity(2), 1, proposal_of(3, 2), 0, 1, 0, bytes(32))


def test_every_state_survives_being_written_down() -> None:
    def encode(value: object) -> object:
        assert isinstance(value, Secret)
        return value.expose()

    def decode(kind: type, value: bytes) -> Secret:
        assert kind is Secret
        return Secret(value)

    for state in settled(3, 2).history[2]:
        written = msgspec.msgpack.encode(state, enc_hook=encode)
        assert msgspec.msgpack.decode(written, type=DkgState, dec_hook=decode) == state


def test_no_state_prints_a_secret() -> None:
    for state in settled(3, 2).history[1]:
        for secret in (state.transport, state.dealing, state.share, state.proof_coins):
            if secret is not None:
                assert repr(secret.expose()) not in repr(state)
