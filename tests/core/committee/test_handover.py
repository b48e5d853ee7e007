"""Honest handovers: the key stays, the shares change, and nothing of before combines with anything of after."""

from dataclasses import replace
from itertools import combinations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.committee import handover
from escrow.committee.handover import HandoverState, Me
from escrow.committee.messages import Kind, Renewed
from escrow.committee.resharing import Resharing, Stage
from escrow.committee.succession import HandoverProposal, verify_shares, verify_successor
from escrow.crypto.suites import group_of
from escrow.errors import EscrowError, MalformedError, RefusedError
from escrow.secret import Secret
from tests.core.committee.council import interpolated
from tests.core.committee.succession import Handover, Held, done, key_of, made

SAME = (1, 2, 3, 4, 5)
MOVES = [
    (SAME, 3),
    (SAME, 2),
    (SAME, 5),
    ((4, 5, 6, 7), 2),
    ((9, 8, 7, 6, 5, 4, 3), 5),
    ((2,), 1),
    ((5, 4, 3, 2, 1), 3),
]


def check(held: Held) -> None:
    """Any threshold of shares is the logarithm of the key, and no fewer are."""
    group = group_of(held.suite)
    public, t = group.decode(held.key.public), held.generation.threshold
    for index, share in held.shares.items():
        assert group.base_mul(share) == held.generation.share_key(group, index)
    for some in combinations(held.shares, t):
        assert interpolated({index: held.shares[index] for index in some}, held.suite) == public
    for few in combinations(held.shares, t - 1):
        if few:
            assert interpolated({index: held.shares[index] for index in few}, held.suite) != public


@pytest.mark.parametrize(
    ("people", "threshold", "suite"),
    [(*move, suite) for suite in (1, 2) for move in MOVES] + [(*move, 3) for move in (MOVES[0], MOVES[3])],
)
def test_the_key_moves_to_any_members_and_any_threshold(people: tuple[int, ...], threshold: int, suite: int) -> None:
    before = made(suite=suite)
    after = done(before, people, threshold)
    check(after)
    public = group_of(suite).decode(before.key.public)
    verify_successor(after.generation, before.generation, public)
    assert (after.generation.number, after.generation.threshold, after.generation.n) == (1, threshold, len(people))
    assert after.generation.committee_key_hash == before.key.hash


@pytest.mark.parametrize(("people", "threshold"), MOVES[:4])
def test_old_and_new_shares_never_combine(people: tuple[int, ...], threshold: int) -> None:
    """Fewer than a threshold of either make nothing together, however many they are."""
    before, after = made(), done(made(), people, threshold)
    public = group_of(1).decode(before.key.public)
    for few in combinations(before.shares, before.generation.threshold - 1):
        rest = [index for index in after.shares if index not in few][: threshold - 1]
        mixed = {index: before.shares[index] for index in few} | {index: after.shares[index] for index in rest}
        assert rest or threshold == 1
        for size in range(1, len(mixed) + 1):
            for some in combinations(mixed, size):
                assert interpolated({index: mixed[index] for index in some}) != public


def test_handovers_follow_each_other_and_each_generation_is_apart() -> None:
    first = made()
    second = done(first, (2, 3, 4, 6), 2)
    third = done(second, SAME, 4, seed=1)
    check(third)
    assert [held.generation.number for held in (first, second, third)] == [0, 1, 2]
    assert len({held.generation.hash for held in (first, second, third)}) == 3
    public = group_of(1).decode(first.key.public)
    with pytest.raises(RefusedError, match="COMMITTEE_UNAUTHORISED"):
        verify_successor(third.generation, first.generation, public)


def test_a_refresh_changes_every_share() -> None:
    before, after = made(), done(made(), SAME, 3)
    assert all(before.shares[index] != after.shares[index] for index in before.shares)


def test_the_dealers_are_the_first_in_the_log() -> None:
    story = Handover(made(), SAME, 3).settle()
    dealt = [submitter for kind, submitter, _ in story.log if kind is Kind.HANDOVER_DEAL]
    assert story.record.dealers == tuple(story.before.generation.members.index(who) + 1 for who in dealt[:3])


@pytest.mark.parametrize("silent", [(1,), (1, 4)])
def test_as_many_old_members_as_the_threshold_are_enough(silent: tuple[int, ...]) -> None:
    story = Handover(made(), (6, 7, 8), 2, frozenset(silent), lambda *_: ()).settle()
    check(story.after())


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_the_order_of_entries_and_letters_does_not_matter(data: st.DataObject) -> None:
    story = Handover(made(3, 2), (2, 3, 4), 2)
    while story.mail or story.read < len(story.log):
        pending = story.log[story.read :]
        if story.mail and (not pending or data.draw(st.booleans())):
            story.mail.insert(0, story.mail.pop(data.draw(st.integers(0, len(story.mail) - 1))))
            story.read_letter()
        else:
            story.log.insert(story.read, story.log.pop(data.draw(st.integers(story.read, len(story.log) - 1))))
            story.read_entry()
    check(story.after())


def test_a_repeated_entry_changes_nothing() -> None:
    story = Handover(made(3, 2), (2, 3, 4), 2)
    while story.mail or story.read < len(story.log):
        story.read_letter() if story.mail else story.read_entry()
        before = dict(story.states)
        for kind, submitter, payload in story.log[: story.read]:
            for person, state in before.items():
                assert handover.on_entry(state, story.me(person), kind, submitter, payload, 5) == (state, ())
    check(story.after())


def test_entries_of_strangers_and_of_other_handovers_are_nothing() -> None:
    story, other = Handover(made(3, 2), (2, 3, 4), 2), Handover(made(3, 2), (2, 3, 4), 2, place=8).settle()
    stranger = key_of(77).public
    for person, state in story.states.items():
        for kind, submitter, payload in other.log:
            assert handover.on_entry(state, story.me(person), kind, submitter, payload, 0) == (state, ())
            assert handover.on_entry(state, story.me(person), kind, submitter, b"\xff", 0) == (state, ())
        for kind, _, payload in story.log:
            assert handover.on_entry(state, story.me(person), kind, stranger, payload, 0) == (state, ())


def test_an_old_handover_replayed_into_a_new_one_is_nothing() -> None:
    old = Handover(made(3, 2), (1, 2, 3), 2).settle()
    story = Handover(old.after(), (1, 2, 3), 2, seed=3)
    story.log = old.log + story.log
    check(story.settle().after())
    assert story.record.before.number == 1


@pytest.mark.parametrize("until", list(Stage)[1:4])
def test_wherever_it_stops_the_old_generation_is_whole_and_no_new_one_counts(until: Stage) -> None:
    story = Handover(made(3, 2), (2, 3, 4), 2).until(until)
    assert not story.ended
    assert Kind.SHARE_GENERATION not in {kind for kind, *_ in story.log}
    check(story.before)
    public = group_of(1).decode(story.before.key.public)
    if story.record.dealers:
        with pytest.raises(RefusedError, match="COMMITTEE_UNAUTHORISED"):
            verify_successor(story.record.outcome, story.before.generation, public)


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_whatever_crashes_there_is_always_one_generation_that_can_be_used_in_full(data: st.DataObject) -> None:
    """A step that crashed is as if it had not begun; what it would have said, nobody has heard."""
    story = Handover(made(3, 2), (2, 3, 4), 2)
    while story.mail or story.read < len(story.log):
        letter, person = bool(story.mail), data.draw(st.sampled_from([0, *story.everybody]))
        if person and not letter:
            kind, submitter, payload = story.log[story.read]
            handover.on_entry(story.states[person], story.me(person), kind, submitter, payload, story.now)
        story.read_letter() if letter else story.read_entry()
        logged = any(kind is Kind.SHARE_GENERATION for kind, *_ in story.log)
        holding = [any(state.share is not None for state in story.history[who]) for who in story.people]
        # Old shares are erased when the log shows the new generation; until then nobody has touched them.
        assert all(holding) or not logged
    check(story.after())


@pytest.mark.spec("HND-8")
def test_every_new_member_holds_its_share_before_anybody_hears_that_it_does() -> None:
    story = Handover(made(3, 2), (2, 3, 4), 2).settle()
    for person in story.people:
        acknowledged = next(state for state in story.history[person] if state.share is not None)
        assert acknowledged.transport is None
        assert not any(acknowledged.received)
        assert not acknowledged.record.acknowledgements[acknowledged.taker - 1]


def test_a_finished_handover_takes_nothing_more_and_keeps_nothing() -> None:
    story = Handover(made(3, 2), (2, 3, 4), 2).settle()
    for person, state in story.states.items():
        assert (state.transport, state.dealing, state.share, state.dealt) == (None, None, None, ())
        assert not any(state.received)
        assert handover.on_tick(state, 10**9) == (state, ())
        assert handover.on_ciphertext(state, story.me(person), 2, bytes(48)) == (state, ())
        for kind in Kind:
            payload = story.log[-1][2]
            assert handover.on_entry(state, story.me(person), kind, key_of(2).public, payload, 0) == (state, ())


def test_what_cannot_be_a_ciphertext_is_refused() -> None:
    story = Handover(made(3, 2), (2, 3, 4), 2)
    for sender, ciphertext in ((2, bytes(47)), (2, bytes(49)), (0, bytes(48)), (4, bytes(48))):
        with pytest.raises(MalformedError):
            handover.on_ciphertext(story.states[2], story.me(2), sender, ciphertext)


def test_only_members_take_part() -> None:
    record = Handover(made(3, 2), (2, 3, 4), 2).record
    with pytest.raises(AssertionError):
        handover.begin(Me(key_of(9)), record, 0, bytes(32))


def test_every_state_survives_being_written_down_and_none_prints_a_secret() -> None:
    def encode(value: object) -> object:
        assert isinstance(value, Secret)
        return value.expose()

    def decode(kind: type, value: bytes) -> Secret:
        assert kind is Secret
        return Secret(value)

    for state in Handover(made(3, 2), (2, 3, 4), 2).settle().history[2]:
        written = msgspec.msgpack.encode(state, enc_hook=encode)
        assert msgspec.msgpack.decode(written, type=HandoverState, dec_hook=decode) == state
        for secret in (state.transport, state.dealing, state.share, state.proof_coins):
            assert secret is None or repr(secret.expose()) not in repr(state)


@pytest.mark.spec("HND-2")
def test_only_the_named_generation_hands_over() -> None:
    before, after = made(3, 2), done(made(3, 2), (1, 2, 3), 2)
    proposal = HandoverProposal(1, before.generation.hash, before.generation.members, 2, bytes(16))
    with pytest.raises(RefusedError, match="GENERATION_MISMATCH"):
        Resharing.begin(proposal, after.generation, before.key.public, 7)
    wrong = replace(before.generation, verification=tuple(reversed(before.generation.verification)))
    with pytest.raises(RefusedError, match="COMMITTEE_UNAUTHORISED"):
        Resharing.begin(replace(proposal, generation_hash=wrong.hash), wrong, before.key.public, 7)


@pytest.mark.spec("HND-1")
@pytest.mark.parametrize("suite", [0, 4, 5, 6, 8])
def test_schemes_whose_shares_lie_in_the_capsules_have_no_handover(suite: int) -> None:
    before = made(3, 2)
    proposal = HandoverProposal(suite, before.generation.hash, before.generation.members, 2, bytes(16))
    with pytest.raises(RefusedError, match="SUITE_MISMATCH"):
        Resharing.begin(proposal, before.generation, before.key.public, 7)


def test_a_proposal_is_read_back_or_refused() -> None:
    proposal = Handover(made(3, 2), (2, 3, 4), 2).proposal
    data = proposal.encode()
    assert HandoverProposal.decode(data) == proposal
    assert HandoverProposal.decode(data).hash == proposal.hash
    for bad in (
        data + b"\0",
        data[:-1],
        replace(proposal, threshold=4).encode(),
        replace(proposal, threshold=0).encode(),
    ):
        with pytest.raises(MalformedError):
            HandoverProposal.decode(bad)


@pytest.mark.spec("HND-9")
def test_no_other_generation_passes_for_the_successor() -> None:
    before, after = made(3, 2), done(made(3, 2), (1, 2, 3), 2)
    public, good = group_of(1).decode(before.key.public), after.generation
    other = done(before, (1, 2, 3), 2, seed=9).generation
    verify_successor(good, before.generation, public)
    for wrong in (
        replace(good, number=0),
        replace(good, number=2),
        replace(good, threshold=1),
        replace(good, threshold=3),
        replace(good, committee_key_hash=bytes(32)),
        replace(good, acknowledgements=()),
        replace(good, acknowledgements=good.acknowledgements[:2]),
        replace(good, acknowledgements=(*good.acknowledgements[:2], other.acknowledgements[2])),
        replace(good, verification=(*good.verification[:2], other.verification[2])),
        replace(good, verification=before.generation.verification),
        replace(good, verification=(bytes([1]) + bytes(31), *good.verification[1:])),
        replace(good, members=tuple(reversed(good.members))),
    ):
        with pytest.raises(EscrowError):
            verify_successor(wrong, before.generation, public)


def test_shares_of_another_key_or_degree_are_not_those_of_this_key() -> None:
    held = made(5, 3)
    public = group_of(1).decode(held.key.public)
    verify_shares(held.generation, public)
    for wrong in (replace(held.generation, threshold=2), made(5, 3, seed=4).generation):
        with pytest.raises(RefusedError, match="COMMITTEE_UNAUTHORISED"):
            verify_shares(wrong, public)


def test_everybody_ends_with_the_same_document() -> None:
    story = Handover(made(3, 2), (2, 3, 4), 2).settle()
    assert {type(end) for end in story.ended.values()} == {Renewed}
    assert len({payload for kind, _, payload in story.log if kind is Kind.SHARE_GENERATION}) == 1
