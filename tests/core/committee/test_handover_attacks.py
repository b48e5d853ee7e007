"""Every known attack on a handover costs the attacker its part, or ends it with the attacker's name and no other."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.committee import cocktail, handover
from escrow.committee.cocktail import Commitment
from escrow.committee.dispute import Dispute, Ground
from escrow.committee.messages import Abandoned, HandoverOutput, Kind, ToLog, ToMember, ciphertext_hash, entry
from escrow.committee.resharing import Dealing, Side, Stage, name
from escrow.crypto.coins import Coins
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import Polynomial, interpolate_scalars, random_polynomial
from escrow.encoding import u32
from escrow.errors import EscrowError, Reason
from escrow.secret import Secret
from tests.core.committee.council import interpolated
from tests.core.committee.succession import Handover, Tamper, content_of, key_of, made, on, without
from tests.core.crypto.edwards import TORSION, add, decode, encode

OLD, NEW = frozenset((1,)), frozenset((6,))
"""Who is corrupt: an old member that goes, a new one that comes."""


def story(tamper: Tamper, corrupt: frozenset[int] = OLD, n: int = 4, t: int = 2) -> Handover:
    return Handover(made(n, t), (3, 4, 5, 6), 3, corrupt, tamper)


def without_dealer(tamper: Tamper, reason: Reason = Reason.DEALING_INVALID, waits: tuple[int, ...] = ()) -> Handover:
    """The handover succeeds without the corrupt dealer, who is named."""
    told = story(tamper).settle()
    for wait in waits:
        told.wait(wait)
    after = told.after()
    assert told.record.excluded == ((1, reason.name),)
    assert told.record.dealers == (2, 3)
    assert interpolated({i: after.shares[i] for i in (1, 2, 4)}) == EDWARDS25519.decode(after.key.public)
    return told


def names(tamper: Tamper, reason: Reason, waits: tuple[int, ...] = ()) -> None:
    """The handover ends, the corrupt new member is named, and no generation is made."""
    told = story(tamper, NEW).settle()
    for wait in waits:
        told.wait(wait)
    assert told.abandoned() == Abandoned(reason, frozenset((key_of(6).public,)))
    assert Kind.SHARE_GENERATION not in {kind for kind, *_ in told.log}


# -- dealings ---------------------------------------------------------------------------------


def redealt(polynomial: Callable[[Handover, Scalar, int], Polynomial], spoil: frozenset[int] = frozenset()) -> Tamper:
    """Deal another polynomial, proved and encrypted as it should be; parts for new members ``spoil`` are too high."""

    def tamper(told: Handover, person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        if isinstance(output, ToMember):
            return ()
        if not isinstance(output, ToLog) or output.kind is not Kind.HANDOVER_DEAL:
            return (output,)
        record = told.states[person].record
        share = told.before.shares[told.before.people.index(person) + 1]
        chosen, ephemeral = polynomial(told, share, record.proposal.threshold), Scalar(99)
        dealt, sealed = cocktail.commit(record.context, chosen, ephemeral), []
        for index, transport in enumerate(record.transports, start=1):
            route = cocktail.Route(EDWARDS25519, dealt.ephemeral, dealt.ephemeral, transport[:32])
            value = chosen.evaluate(index) + Scalar(1 if index in spoil else 0)
            pair = route.from_dealer(ephemeral, ephemeral)
            sealed.append(cocktail.encrypt_share(record.context, route, pair, value))
        index = told.states[person].giver
        hashes = b"".join(ciphertext_hash(record.session, index, to, one) for to, one in enumerate(sealed, start=1))
        said = ToLog(Kind.HANDOVER_DEAL, entry(record.session, Dealing(dealt, hashes).encode()))
        return (said, *(ToMember(to, one) for to, one in enumerate(sealed, start=1)))

    return tamper


def honestly(_told: Handover, share: Scalar, threshold: int) -> Polynomial:
    return random_polynomial(bytes(32), threshold, share)


def test_the_tool_of_these_tests_deals_well_when_it_is_told_to() -> None:
    told = story(redealt(honestly)).settle()
    assert told.record.excluded == ()
    assert 1 in told.record.dealers
    assert told.after().generation.number == 1


@pytest.mark.spec("HND-4")
def test_whoever_deals_another_value_than_its_share_is_named() -> None:
    without_dealer(redealt(lambda _told, share, threshold: random_polynomial(bytes(32), threshold, share + Scalar(1))))
    without_dealer(redealt(lambda _told, _share, threshold: random_polynomial(bytes(32), threshold)))


@pytest.mark.spec("HND-3")
@pytest.mark.parametrize("more", [-1, 1])
def test_a_dealing_of_another_degree_is_named(more: int) -> None:
    without_dealer(redealt(lambda _told, share, threshold: random_polynomial(bytes(32), threshold + more, share)))


@pytest.mark.spec("HND-5")
def test_a_part_that_is_not_the_committed_one_is_disputed_and_its_dealer_replaced() -> None:
    told = without_dealer(redealt(honestly, frozenset((2,))))
    assert [kind for kind, *_ in told.log].count(Kind.DKG_DISPUTE) == 1


def test_parts_that_are_all_wrong_cost_one_dealer_and_no_new_member() -> None:
    without_dealer(redealt(honestly, frozenset((1, 2, 3, 4))))


@pytest.mark.spec("HND-7")
def test_members_that_were_ready_for_a_bad_dealing_are_ready_again_for_the_good_ones() -> None:
    """Their transport keys still open the others' parts: nobody erases before everybody is ready."""
    told = without_dealer(redealt(honestly, frozenset((4,))))
    said = [submitter for kind, submitter, _ in told.log if kind is Kind.HANDOVER_READY]
    assert sorted(said.count(key_of(person).public) for person in told.people) == [1, 2, 2, 2]


def changed(change: Callable[[Handover, Dealing], Dealing | bytes]) -> Tamper:
    def content(told: Handover, person: int, said: bytes) -> bytes:
        new = change(told, Dealing.decode(said, told.states[person].record.proposal))
        return new if isinstance(new, bytes) else new.encode()

    return on(Kind.HANDOVER_DEAL, content)


def proved(told: Handover, points: tuple[bytes, ...], secret: Scalar, ephemeral: bytes) -> Commitment:
    message = told.states[1].record.context.value + b"".join(points) + ephemeral
    return Commitment(points, cocktail.schnorr_sign(EDWARDS25519, secret, message), ephemeral)


@pytest.mark.parametrize("bad", [bytes([1]) + bytes(31), b"\xff" * 32, *(encode(point) for point in TORSION[:3])])
@pytest.mark.parametrize("place", [1, 2, "ephemeral"])
def test_points_outside_the_subgroup_are_named(bad: bytes, place: int | str) -> None:
    def swap(told: Handover, dealing: Dealing) -> Dealing:
        points, ephemeral, share = list(dealing.dealt.points), dealing.dealt.ephemeral, told.before.shares[1]
        if place == "ephemeral":
            ephemeral = bad
        else:
            points[int(place)] = bad
        return replace(dealing, dealt=proved(told, tuple(points), share, ephemeral))

    told = story(changed(swap)).until(Stage.READY)
    while told.read < len(told.log) and not told.record.excluded:
        told.read_entry()
    assert told.record.excluded == ((1, "DEALING_INVALID"),)


def test_a_torsioned_commitment_is_named() -> None:
    def twist(told: Handover, dealing: Dealing) -> Dealing:
        points = dealing.dealt.points
        odd = encode(add(decode(points[1]), TORSION[1]))
        return replace(
            dealing,
            dealt=proved(told, (points[0], odd, points[2]), told.before.shares[1], dealing.dealt.ephemeral),
        )

    without_dealer(changed(twist))


def test_a_borrowed_proof_and_one_of_another_handover_are_named() -> None:
    other = story(redealt(honestly))
    other.place = 8
    elsewhere = Handover(made(4, 2), (3, 4, 5, 6), 3, place=8).settle().record.dealing(1)
    assert elsewhere is not None
    without_dealer(changed(lambda _told, _dealing: elsewhere))
    without_dealer(changed(lambda _told, d: replace(d, dealt=replace(d.dealt, proof=elsewhere.dealt.proof))))


@given(st.data())
@settings(max_examples=8, deadline=None)
def test_any_changed_byte_of_a_dealing_hurts_its_dealer_only(data: st.DataObject) -> None:
    def flip(_told: Handover, _person: int, content: bytes) -> bytes:
        at = data.draw(st.integers(0, len(content) - 1))
        return content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]

    told = story(on(Kind.HANDOVER_DEAL, flip)).settle()
    if not told.ended:  # a changed hash makes a good ciphertext look missing, and no answer fits it
        told.wait(handover.PATIENCE)
    after = told.after()
    assert {who for who, _ in told.record.excluded} <= {1}
    assert interpolated({i: after.shares[i] for i in (2, 3, 4)}) == EDWARDS25519.decode(after.key.public)


def test_a_dealing_before_the_transport_keys_are_known_is_named() -> None:
    told = story(lambda *_: ())
    told.say(1, Kind.HANDOVER_DEAL, bytes(300))
    told.settle().after()
    assert told.record.excluded == ((1, "DEALING_INVALID"),)


def test_a_second_dealing_is_nothing() -> None:
    def twice(told: Handover, person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        if isinstance(output, ToLog) and output.kind is Kind.HANDOVER_DEAL:
            return (output, *(one for one in redealt(honestly)(told, person, output) if isinstance(one, ToLog)))
        return (output,)

    told = story(twice).settle()
    assert told.record.excluded == ()
    told.after()


# -- ciphertexts ------------------------------------------------------------------------------


def letters(change: bytes | None) -> Tamper:
    def tamper(_told: Handover, _person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        if isinstance(output, ToMember):
            return () if change is None else (ToMember(output.index, change),)
        return (output,)

    return tamper


@pytest.mark.parametrize("sent", [None, bytes(48)])
def test_a_ciphertext_that_did_not_come_is_answered_in_the_log(sent: bytes | None) -> None:
    told = story(letters(sent)).settle()
    assert not told.ended
    told.wait(handover.PATIENCE).after()
    assert told.record.excluded == ()
    assert [kind for kind, *_ in told.log].count(Kind.DKG_ANSWER) == 4


def test_a_dealer_that_neither_sends_nor_answers_is_replaced() -> None:
    def silent(told: Handover, person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        no_answer = isinstance(output, ToLog) and output.kind is Kind.DKG_ANSWER
        return () if no_answer else letters(None)(told, person, output)

    without_dealer(silent, Reason.DEALER_SILENT, (handover.PATIENCE, handover.SILENCE))


def test_an_answer_that_is_not_the_announced_ciphertext_is_named() -> None:
    def lie(told: Handover, person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        if isinstance(output, ToLog) and output.kind is Kind.DKG_ANSWER:
            wrong = content_of(output)[:4] + bytes(48)
            return (ToLog(Kind.DKG_ANSWER, entry(told.record.session, wrong)),)
        return letters(None)(told, person, output)

    without_dealer(lie, waits=(handover.PATIENCE,))


def test_an_answer_that_nobody_asked_for_is_nothing() -> None:
    told = story(lambda _told, _person, output: (output,))
    told.say(1, Kind.DKG_ANSWER, u32(1) + bytes(48))
    told.settle().after()


# -- disputes ---------------------------------------------------------------------------------


def accuse(at: int = 0, by: int = 0) -> Tamper:
    """Instead of being ready, claim that an honest dealer's part is unsound, with real or altered evidence."""

    def tamper(told: Handover, person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        state = told.states[person]
        if not isinstance(output, ToLog) or output.kind is not Kind.HANDOVER_READY or state.transport is None:
            return (output,)
        dealing = state.record.dealing(2)
        assert dealing is not None
        matter = state.record.matter(2, state.taker, dealing)
        evidence = bytearray(matter.accuse(Scalar.decode(state.transport.expose()), state.received[1], bytes(32)))
        evidence[at] ^= by
        dispute = Dispute(Ground.UNSOUND, 2, bytes(evidence)).encode()
        return (ToLog(Kind.DKG_DISPUTE, entry(state.record.session, dispute)),)

    return tamper


def test_a_false_accusation_names_the_accuser() -> None:
    names(accuse(), Reason.DISPUTE_INVALID)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 48 + 64 + 128 - 1), st.integers(1, 255))
def test_no_change_to_the_evidence_turns_a_false_accusation_into_a_true_one(at: int, by: int) -> None:
    names(accuse(at, by), Reason.DISPUTE_INVALID)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x09" + u32(1),
        Dispute(Ground.MISSING, 0).encode(),
        Dispute(Ground.MISSING, 5).encode(),
        Dispute(Ground.MISSING, 1, b"\0").encode(),
        Dispute(Ground.UNSOUND, 1, bytes(240)).encode(),
        Dispute(Ground.UNPROVEN, 1).encode(),
        Dispute(Ground.UNPROVEN, 1, bytes(64)).encode(),
        Dispute(Ground.SILENT, 1, b"").encode(),
        Dispute(Ground.SILENT, 1, b"\x02\0\0\0").encode(),
        Dispute(Ground.SILENT, 0, b"\x01\0\0\0").encode(),
        Dispute(Ground.SILENT, 5, b"\x00\0\0\0").encode(),
    ],
)
def test_disputes_without_sense_hurt_their_author(said: bytes) -> None:
    for who in (1, 6):
        told = Handover(made(4, 2), (3, 4, 5, 6), 3, frozenset((who,))).until(Stage.READY)
        told.log.insert(told.read, (Kind.DKG_DISPUTE, key_of(who).public, entry(told.record.session, said)))
        told.settle()
        if who == 6:
            assert told.abandoned() == Abandoned(Reason.DISPUTE_INVALID, frozenset((key_of(6).public,)))
        else:
            told.after()
            assert told.record.excluded == ((1, "DEALING_INVALID"),)


def test_a_false_complaint_about_a_missing_ciphertext_costs_nobody_anything() -> None:
    def complain(told: Handover, _person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        if isinstance(output, ToLog) and output.kind is Kind.HANDOVER_READY:
            said = ToLog(Kind.DKG_DISPUTE, entry(told.record.session, Dispute(Ground.MISSING, 2).encode()))
            return (said, said, output)
        return (output,)

    told = story(complain, NEW).settle()
    told.after()
    assert told.record.excluded == ()


# -- silence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Kind.HANDOVER_TRANSPORT, Kind.HANDOVER_READY, Kind.HANDOVER_ACKNOWLEDGEMENT])
def test_a_new_member_that_stops_talking_is_named_and_the_old_generation_stays(kind: Kind) -> None:
    told = story(without(kind), NEW).settle().wait(handover.SILENCE - 1)
    assert not told.ended
    told.wait(1)
    assert told.abandoned() == Abandoned(Reason.DEALER_SILENT, frozenset((key_of(6).public,)))
    assert Kind.SHARE_GENERATION not in {kind for kind, *_ in told.log}


def test_an_old_member_that_does_not_deal_is_not_waited_for() -> None:
    told = story(lambda *_: ()).settle()
    assert told.after().generation.number == 1


def test_too_few_old_members_end_it_with_their_names() -> None:
    absent = frozenset((1, 2, 3))
    told = Handover(made(4, 2), (5, 6, 7), 2, absent, lambda *_: ()).settle()
    assert not told.ended
    told.wait(handover.SILENCE)
    assert told.abandoned() == Abandoned(Reason.DEALER_SILENT, frozenset(key_of(person).public for person in absent))


def test_an_acknowledgement_that_comes_too_late_changes_nothing() -> None:
    late: list[HandoverOutput] = []

    def hold(_told: Handover, _person: int, output: HandoverOutput) -> Iterable[HandoverOutput]:
        if isinstance(output, ToLog) and output.kind is Kind.HANDOVER_ACKNOWLEDGEMENT:
            late.append(output)
            return ()
        return (output,)

    told = story(hold, NEW).settle().wait(handover.SILENCE)
    verdict = told.abandoned()
    (said,) = late
    assert isinstance(said, ToLog)
    told.log.append((said.kind, key_of(6).public, said.payload))
    assert told.settle().abandoned() == verdict


@given(st.lists(st.tuples(st.sampled_from((2, 5)), st.sampled_from(list(Side)), st.integers(1, 4)), max_size=6))
@settings(max_examples=6, deadline=None)
def test_fewer_liars_than_both_thresholds_never_blame_an_honest_member(lies: list[tuple[int, Side, int]]) -> None:
    told = Handover(made(4, 2), (3, 4, 5, 6), 3, frozenset((2, 5)))
    for liar, side, victim in lies:
        people = told.before.people if side is Side.OLD else told.people
        if people[victim - 1] in (2, 5):
            continue
        for stage in (Stage.TRANSPORT, Stage.DEAL, Stage.READY):
            evidence = bytes([side, stage, 0, 0])
            told.say(liar, Kind.DKG_DISPUTE, Dispute(Ground.SILENT, victim, evidence).encode())
    told.settle().after()
    assert told.record.excluded == ()


# -- readiness and acknowledgement ------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", bytes(64), bytes(63)])
def test_a_wrong_or_early_acknowledgement_ends_it(content: bytes) -> None:
    names(on(Kind.HANDOVER_ACKNOWLEDGEMENT, lambda *_: content), Reason.DEALING_INVALID)
    told = story(lambda _told, _person, output: (output,), NEW)
    told.say(6, Kind.HANDOVER_ACKNOWLEDGEMENT, content)
    assert told.settle().abandoned().culprits == {key_of(6).public}


def test_an_acknowledgement_of_another_generation_ends_it() -> None:
    other = Handover(made(4, 2), (3, 4, 5, 6), 3, seed=5).settle().record.acknowledgements[3]
    names(on(Kind.HANDOVER_ACKNOWLEDGEMENT, lambda *_: other), Reason.DEALING_INVALID)


@pytest.mark.spec("HND-6")
def test_being_ready_for_other_dealings_is_not_being_ready() -> None:
    told = story(on(Kind.HANDOVER_READY, lambda *_: name((2, 3))), NEW).settle()
    assert told.record.stage is Stage.READY
    assert not told.ended


def test_a_transport_key_needs_its_proof_and_belongs_to_one_member() -> None:
    other = Handover(made(4, 2), (3, 4, 5, 6), 3, place=8)
    theirs = next(content_of(ToLog(kind, said)) for kind, who, said in other.log if who == key_of(6).public)
    names(on(Kind.HANDOVER_TRANSPORT, lambda *_: theirs), Reason.DEALING_INVALID)
    first = next(content_of(ToLog(kind, said)) for kind, *_, said in story(accuse()).log)
    names(on(Kind.HANDOVER_TRANSPORT, lambda *_: first), Reason.DEALING_INVALID)
    names(on(Kind.HANDOVER_TRANSPORT, lambda *_: bytes(95)), Reason.DEALING_INVALID)


# -- theft ------------------------------------------------------------------------------------


def rebuilt(told: Handover, person: int, secret: Secret) -> Scalar | None:
    """The new share of a member, from the log, recorded traffic and ``secret`` taken for its transport key."""
    record, to, parts = told.record, told.people.index(person) + 1, {}
    own = told.states[person].giver
    recorded = {dealer: sealed for dealer, index, sealed in told.traffic if index == to}
    if own:
        recorded[own] = next(state.dealt[to - 1] for state in told.history[person] if state.dealt)
    for dealer in record.dealers:
        dealing = record.dealing(dealer)
        assert dealing is not None
        matter = record.matter(dealer, to, dealing)
        try:
            pair = matter.route.from_recipient(Scalar.decode(secret.expose()))
            parts[dealer] = cocktail.open_share(matter.context, matter.route, pair, to, dealing.dealt, recorded[dealer])
        except EscrowError:
            return None
    return interpolate_scalars(parts)


@pytest.mark.spec("HND-8")
def test_before_the_acknowledgement_a_stolen_transport_key_rebuilds_the_share_and_after_it_nothing_does() -> None:
    told = Handover(made(3, 2), (2, 3, 4), 2).settle()
    after = told.after()
    for index, person in enumerate(told.people, start=1):
        history = told.history[person]
        taken = next(at for at, state in enumerate(history) if state.share is not None)
        early = history[taken - 1].transport
        assert early is not None
        assert rebuilt(told, person, early) == after.shares[index], "the attack works as long as the key exists"
        for state in history[taken:]:
            assert state.transport is None
            assert state.dealing is None
            assert rebuilt(told, person, state.proof_coins) is None
    for state in (state for states in told.history.values() for state in states if state.dealt):
        assert state.dealing is None, "polynomial and ephemeral key are forgotten with the first ciphertext"


def test_coins_of_a_dealing_would_give_the_whole_of_it() -> None:
    """Why they are forgotten first: the negative control of the test above."""
    told = Handover(made(3, 2), (2, 3, 4), 2).settle()
    begun = told.history[1][0]
    assert begun.dealing is not None
    stream = Coins(begun.dealing.expose())
    ephemeral = stream.scalar("ephemeral")
    dealing = told.record.dealing(1)
    assert dealing is not None
    assert EDWARDS25519.base_mul(ephemeral).encode() == dealing.dealt.ephemeral
    polynomial = random_polynomial(stream.take("polynomial", 32), 2, told.before.shares[1])
    assert tuple(point.encode() for point in polynomial.commitments(EDWARDS25519)) == dealing.dealt.points
