"""Every known attack on a run ends it, names the attacker, and never anybody else."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.committee import cocktail, dkg
from escrow.committee.cocktail import Commitment
from escrow.committee.dispute import Dispute, Ground
from escrow.committee.messages import Aborted, Kind, Output, ToLog, ToMember, ciphertext_hash, entry, possession
from escrow.committee.record import Stage
from escrow.crypto.coins import Coins
from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import ORDER, Scalar
from escrow.encoding import u32
from escrow.errors import EscrowError, Reason
from tests.core.committee.council import (
    Council,
    Tamper,
    documents,
    identity,
    interpolated,
    on,
    proved,
    redealt,
    settled,
    shares,
)
from tests.core.crypto.edwards import TORSION, add, decode, encode

EVIL = frozenset((2,))


def outcome(tamper: Tamper, n: int = 3, t: int = 2, corrupt: frozenset[int] = EVIL) -> Aborted:
    return Council(n, t, corrupt, tamper).settle().aborted()


def named(tamper: Tamper, reason: Reason = Reason.DEALING_INVALID) -> None:
    assert outcome(tamper) == Aborted(reason, EVIL, 0)


def test_more_or_fewer_commitments_than_the_threshold_are_named() -> None:
    def longer(council: Council, _: int, dealt: Commitment) -> Commitment:
        points = (*dealt.points, EDWARDS25519.base_mul(Scalar(5)).encode())
        secret = Scalar(7)
        return proved(council, (EDWARDS25519.base_mul(secret).encode(), *points[1:]), secret, dealt.ephemeral)

    def shorter(council: Council, _: int, dealt: Commitment) -> Commitment:
        return proved(council, (EDWARDS25519.base_mul(Scalar(7)).encode(),), Scalar(7), dealt.ephemeral)

    named(redealt(longer))
    named(redealt(shorter))


@pytest.mark.parametrize(
    "bad", [bytes([1]) + bytes(31), bytes(32), b"\xff" * 32, *(encode(point) for point in TORSION)]
)
@pytest.mark.parametrize("place", [0, 1, "ephemeral"])
def test_points_outside_the_subgroup_are_named(bad: bytes, place: int | str) -> None:
    def swap(council: Council, _: int, dealt: Commitment) -> Commitment:
        if place == "ephemeral":
            return proved(council, dealt.points, Scalar(7), bad)
        points = list(dealt.points)
        points[int(place)] = bad
        return proved(council, tuple(points), Scalar(7), dealt.ephemeral)

    named(redealt(swap))


@pytest.mark.parametrize("torsion", TORSION[1:])
def test_a_torsioned_commitment_is_named(torsion: tuple[int, int]) -> None:
    def twist(council: Council, _: int, dealt: Commitment) -> Commitment:
        points = (EDWARDS25519.base_mul(Scalar(7)).encode(), encode(add(decode(dealt.points[1]), torsion)))
        return proved(council, points, Scalar(7), dealt.ephemeral)

    named(redealt(twist))


def test_a_rogue_key_is_named() -> None:
    """C_20 = X - ΣC_j0 would make the joint key X. It cannot be proved."""
    wanted = EDWARDS25519.base_mul(Scalar(1234))

    def rogue(council: Council, index: int, dealt: Commitment) -> Commitment:
        others = [state.commitment for i, state in council.states.items() if i != index and state.commitment]
        point = wanted
        for other in others:
            point = point - EDWARDS25519.decode(other[:32])
        return Commitment((point.encode(), *dealt.points[1:]), dealt.proof, dealt.ephemeral)

    named(redealt(rogue))


def test_a_proof_from_another_run_is_named() -> None:
    old = settled(3, 2, 3)

    def replay(_council: Council, index: int, _: Commitment) -> bytes:
        return old.states[index].record.rows[Stage.DKG_REVEAL][index - 1]

    named(redealt(replay))


def test_a_copied_commitment_is_named_with_and_without_the_copied_dealing() -> None:
    """Bound to its dealer, it opens to nothing, not even to what it was copied from."""

    def copy_commit(council: Council, _: int, _content: bytes) -> bytes:
        said = next(p for kind, who, p in council.log if kind is Kind.DKG_COMMIT and who == identity(1).public)
        return said[-32:]

    def copy_both(council: Council, index: int, output: Output) -> Iterable[Output]:
        if _is(output, Kind.DKG_COMMIT):
            return on(Kind.DKG_COMMIT, copy_commit)(council, index, output)
        return on(Kind.DKG_REVEAL, lambda *_: council.states[1].commitment)(council, index, output)

    named(on(Kind.DKG_COMMIT, copy_commit))
    council = Council(3, 2, EVIL, copy_both).settle()
    assert council.aborted().culprits == EVIL
    assert Kind.DKG_CIPHERTEXTS not in {kind for kind, *_ in council.log}, "it was noticed too late"


def _is(output: Output, kind: Kind) -> bool:
    return isinstance(output, ToLog) and output.kind is kind


def test_changing_the_dealing_after_seeing_others_is_named() -> None:
    def second_thought(council: Council, _: int, content: bytes) -> bytes:
        dealt = Commitment.decode(content, council.t)
        points = (EDWARDS25519.base_mul(Scalar(9)).encode(), *dealt.points[1:])
        return proved(council, points, Scalar(9), dealt.ephemeral).encode()

    named(on(Kind.DKG_REVEAL, second_thought))


def test_the_transport_key_of_another_cannot_be_claimed() -> None:
    def steal(council: Council, _: int, content: bytes) -> bytes:
        theirs = council.log[0][2][-96:-64]
        return theirs + content[32:]

    def replay(council: Council, _: int, _content: bytes) -> bytes:
        return council.log[0][2][-96:]

    named(on(Kind.DKG_TRANSPORT, steal))
    named(on(Kind.DKG_TRANSPORT, replay))


def test_an_honest_member_is_not_blamed_when_its_transport_key_is_claimed_before_it_speaks() -> None:
    council = Council(3, 2, EVIL)
    mine = council.log[0]
    assert mine[1] == identity(1).public
    stolen = (Kind.DKG_TRANSPORT, identity(2).public, mine[2])
    council.log = [stolen, mine, council.log[2]]
    assert council.settle().aborted().culprits == EVIL


def test_a_degenerate_transport_key_is_named() -> None:
    for key in (bytes([1]) + bytes(31), encode(TORSION[1])):
        proof = cocktail.schnorr_sign(EDWARDS25519, Scalar(5), b"")
        named(on(Kind.DKG_TRANSPORT, lambda *_, key=key, proof=proof: key + proof))
    named(on(Kind.DKG_TRANSPORT, lambda *_: b""))


def test_a_valid_transport_proof_names_session_and_index() -> None:
    key = Scalar(99)

    def wrong_index(council: Council, _: int, _content: bytes) -> bytes:
        return EDWARDS25519.base_mul(key).encode() + cocktail.schnorr_sign(
            EDWARDS25519, key, possession(council.session, 1)
        )

    def wrong_session(_council: Council, index: int, _content: bytes) -> bytes:
        return EDWARDS25519.base_mul(key).encode() + cocktail.schnorr_sign(
            EDWARDS25519, key, possession(bytes(32), index)
        )

    named(on(Kind.DKG_TRANSPORT, wrong_index))
    named(on(Kind.DKG_TRANSPORT, wrong_session))


@pytest.mark.parametrize("kind", [Kind.DKG_COMMIT, Kind.DKG_REVEAL, Kind.DKG_CIPHERTEXTS, Kind.DKG_CERTIFY])
def test_speaking_before_the_stage_is_named(kind: Kind) -> None:
    council = Council(3, 2, EVIL)
    council.say(2, kind, bytes(32))
    assert council.settle().aborted() == Aborted(Reason.DEALING_INVALID, EVIL, 0)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.startswith("DKG")])
def test_entries_that_are_not_entries_are_named(kind: Kind) -> None:
    council = Council(3, 2, EVIL)
    council.log.append((kind, identity(2).public, b"garbage"))
    assert council.settle().aborted().culprits == EVIL


def dealer_of(change: bytes | None, *, announce: bool) -> Tamper:
    """Send member 1 another ciphertext, or none; ``announce``: its hash is the one that is logged."""

    def tamper(council: Council, index: int, output: Output) -> Iterable[Output]:
        if isinstance(output, ToMember) and output.index == 1:
            return () if change is None else (ToMember(1, change),)
        if announce and change is not None:

            def announced(_c: Council, _i: int, content: bytes) -> bytes:
                return ciphertext_hash(council.session, index, 1, change) + content[32:]

            return on(Kind.DKG_CIPHERTEXTS, announced)(council, index, output)
        return (output,)

    return tamper


def test_an_announced_ciphertext_that_does_not_open_is_named() -> None:
    named(dealer_of(bytes(48), announce=True))


def test_a_share_that_is_not_the_committed_one_is_named() -> None:
    """The dealer encrypts properly, but f(1) + 1."""

    def deal(state: dkg.DkgState) -> bytes:
        matter = state.record.matter(2, 1)
        transport = Scalar.decode(settled(3, 2).history[2][0].transport.expose())  # type: ignore[union-attr]
        ephemeral = _ephemeral(settled(3, 2).history[2][0])
        pair = matter.route.from_dealer(ephemeral, transport)
        good, _ = cocktail.decrypt_share(matter.context, matter.route, pair, state.dealt[0])
        return cocktail.encrypt_share(matter.context, matter.route, pair, good + Scalar(1))

    def tamper(council: Council, index: int, output: Output) -> Iterable[Output]:
        if _is(output, Kind.DKG_CIPHERTEXTS) or isinstance(output, ToMember):
            bad = deal(council.states[index])
            return dealer_of(bad, announce=True)(council, index, output)
        return (output,)

    named(tamper)


def _ephemeral(first: dkg.DkgState) -> Scalar:
    assert first.dealing is not None
    return Coins(first.dealing.expose()).scalar("ephemeral")


def test_a_ciphertext_other_than_the_announced_one_counts_as_not_sent() -> None:
    """Then the log has it in the end, and nobody is blamed for what the network did."""
    council = Council(3, 2, EVIL, dealer_of(bytes(48), announce=False)).settle()
    assert not council.ended
    council.wait(dkg.PATIENCE)
    documents(council)


def test_a_withheld_ciphertext_is_answered_in_the_log() -> None:
    council = Council(3, 2, EVIL, dealer_of(None, announce=False)).settle()
    assert not council.ended
    council.wait(dkg.PATIENCE)
    documents(council)
    assert [kind for kind, *_ in council.log].count(Kind.DKG_ANSWER) == 1


def test_a_dealer_that_withholds_and_does_not_answer_is_named() -> None:
    def silent(council: Council, index: int, output: Output) -> Iterable[Output]:
        return () if _is(output, Kind.DKG_ANSWER) else dealer_of(None, announce=False)(council, index, output)

    council = Council(5, 3, EVIL, silent).settle().wait(dkg.PATIENCE)
    assert not council.ended
    assert council.wait(dkg.SILENCE).aborted() == Aborted(Reason.DEALER_SILENT, EVIL, 0)


def test_an_answer_that_is_not_the_announced_ciphertext_is_named() -> None:
    def lie(council: Council, index: int, output: Output) -> Iterable[Output]:
        if _is(output, Kind.DKG_ANSWER):
            return (ToLog(Kind.DKG_ANSWER, entry(council.session, u32(1) + bytes(48))),)
        return dealer_of(None, announce=False)(council, index, output)

    council = Council(3, 2, EVIL, lie).settle().wait(dkg.PATIENCE)
    assert council.aborted() == Aborted(Reason.DEALING_INVALID, EVIL, 0)


def test_a_false_complaint_about_a_missing_ciphertext_costs_its_author_nothing_and_others_nothing() -> None:
    def complain(council: Council, _index: int, output: Output) -> Iterable[Output]:
        if _is(output, Kind.DKG_CERTIFY):
            dispute = entry(council.session, Dispute(Ground.MISSING, 1).encode())
            return (ToLog(Kind.DKG_DISPUTE, dispute), ToLog(Kind.DKG_DISPUTE, dispute), output)
        return (output,)

    council = Council(3, 2, EVIL, complain).settle()
    documents(council)


def test_an_unsolicited_answer_is_nothing() -> None:
    council = Council(3, 2)
    council.say(2, Kind.DKG_ANSWER, u32(1) + bytes(48))
    documents(council.settle())


def accuse(change: dict[int, int] | None = None, dealer: int = 1) -> Tamper:
    """Instead of certifying, claim that an honest dealer's share is unsound, with real or altered evidence."""

    def tamper(council: Council, index: int, output: Output) -> Iterable[Output]:
        if not _is(output, Kind.DKG_CERTIFY):
            return (output,)
        before = next(s for s in reversed(council.history[index]) if s.transport is not None)
        assert before.transport is not None
        ciphertext = council.states[dealer].dealt[index - 1]
        transport = Scalar.decode(before.transport.expose())
        evidence = bytearray(
            council.states[index].record.matter(dealer, index).accuse(transport, ciphertext, bytes(32))
        )
        for at, by in (change or {}).items():
            evidence[at] ^= by
        dispute = Dispute(Ground.UNSOUND, dealer, bytes(evidence)).encode()
        return (ToLog(Kind.DKG_DISPUTE, entry(council.session, dispute)),)

    return tamper


def test_a_false_accusation_names_the_accuser() -> None:
    named(accuse(), Reason.DISPUTE_INVALID)


@settings(max_examples=25)
@given(st.integers(0, 48 + 64 + 128 - 1), st.integers(1, 255))
def test_no_change_to_the_evidence_turns_a_false_accusation_into_a_true_one(at: int, by: int) -> None:
    named(accuse({at: by}), Reason.DISPUTE_INVALID)


@pytest.mark.parametrize("place", [48, 80])
def test_points_that_would_make_the_share_look_unsound_must_be_proved(place: int) -> None:
    """Any other pair of points decrypts to nothing; only the proofs tell them from the right ones."""

    def swap(_council: Council, _index: int, content: bytes) -> bytes:
        dispute = Dispute.decode(content)
        other = EDWARDS25519.base_mul(Scalar(3)).encode()
        evidence = dispute.evidence[:place] + other + dispute.evidence[place + 32 :]
        return Dispute(dispute.ground, dispute.accused, evidence).encode()

    def tamper(council: Council, index: int, output: Output) -> Iterable[Output]:
        (said,) = accuse()(council, index, output)
        return on(Kind.DKG_DISPUTE, swap)(council, index, said)

    named(tamper, Reason.DISPUTE_INVALID)


def test_evidence_of_another_length_names_the_accuser() -> None:
    for evidence in (b"", bytes(239), bytes(241)):
        council = Council(3, 2, EVIL)
        while council.states[1].record.stage is not Stage.DKG_CERTIFY:
            council.read_entry()
        council.log.insert(
            council.read,
            (
                Kind.DKG_DISPUTE,
                identity(2).public,
                entry(council.session, Dispute(Ground.UNSOUND, 1, evidence).encode()),
            ),
        )
        assert council.settle().aborted() == Aborted(Reason.DISPUTE_INVALID, EVIL, 0)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"\x09" + u32(1),
        Dispute(Ground.MISSING, 0).encode(),
        Dispute(Ground.MISSING, 4).encode(),
        Dispute(Ground.MISSING, 2).encode(),
        Dispute(Ground.MISSING, 1).encode(),
        Dispute(Ground.UNSOUND, 1, bytes(240)).encode(),
        Dispute(Ground.SILENT, 1, b"").encode(),
    ],
)
def test_disputes_without_sense_name_their_author(said: bytes) -> None:
    council = Council(3, 2, EVIL)
    council.say(2, Kind.DKG_DISPUTE, said)
    assert council.settle().aborted().culprits == EVIL


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind.startswith("DKG")][:5])
def test_who_stops_talking_is_named_by_the_others_after_a_while(kind: Kind) -> None:
    council = Council(5, 3, EVIL, on(kind, lambda *_: None)).settle()
    assert not council.ended
    council.wait(dkg.SILENCE - 1)
    assert not council.ended
    assert council.wait(1).aborted() == Aborted(Reason.DEALER_SILENT, EVIL, 0)


def test_who_speaks_before_the_votes_are_cast_is_not_named() -> None:
    late: list[Output] = []

    def hold(_council: Council, _index: int, output: Output) -> Iterable[Output]:
        if _is(output, Kind.DKG_REVEAL):
            late.append(output)
            return ()
        return (output,)

    council = Council(5, 3, EVIL, hold).settle()
    (said,) = late
    assert isinstance(said, ToLog)
    council.now += dkg.SILENCE
    for i in (1, 3):
        council.tick(i)
    council.log.append((said.kind, identity(2).public, said.payload))
    documents(council.settle())


def reprieve(withheld: frozenset[Kind]) -> tuple[Council, ToLog]:
    """Members 1 and 3 have said that 2 is silent, when 2 at last answers the complaint of 4; also the answer.

    Of 2 the log never sees entries of the kinds ``withheld``.
    """
    answers: list[ToLog] = []

    def late(_council: Council, index: int, output: Output) -> Iterable[Output]:
        if isinstance(output, ToLog) and output.kind is Kind.DKG_ANSWER:
            answers.append(output)
            return ()
        if isinstance(output, ToLog) and output.kind is Kind.DKG_DISPUTE:
            return ()
        return () if index == 2 and isinstance(output, ToLog) and output.kind in withheld else (output,)

    council = Council(5, 3, frozenset((2, 4)), late)
    while council.states[1].record.stage is not Stage.DKG_CERTIFY:
        council.read_letter() if council.mail else council.read_entry()
    council.log.insert(
        council.read,
        (Kind.DKG_DISPUTE, identity(4).public, entry(council.session, Dispute(Ground.MISSING, 2).encode())),
    )
    council.settle()
    council.now += dkg.SILENCE
    for i in (1, 3):
        council.tick(i)
    council.settle()
    (answer,) = answers
    council.log.append((answer.kind, identity(2).public, answer.payload))
    return council.settle(), answer


def test_an_answer_at_the_last_moment_buys_time_once_and_not_for_ever() -> None:
    council, _ = reprieve(frozenset((Kind.DKG_CERTIFY,)))
    assert not council.ended
    assert council.wait(dkg.SILENCE).aborted() == Aborted(Reason.DEALER_SILENT, EVIL, 0)


def test_opinions_from_before_an_answer_do_not_count_after_it_however_often_they_are_logged() -> None:
    council, _ = reprieve(frozenset((Kind.DKG_CERTIFY,)))
    votes = [(kind, who, said) for kind, who, said in council.log if kind is Kind.DKG_DISPUTE]
    council.log += votes
    council.say(4, Kind.DKG_DISPUTE, Dispute(Ground.SILENT, 2, council.states[1].record.awaited(2)).encode())
    assert not council.settle().ended


def test_opinions_from_before_a_late_certificate_do_not_hasten_an_answer() -> None:
    """Member 3 was slow to certify. Two said so; a false complaint and one more opinion do not make three."""
    late: list[ToLog] = []

    def hold(_council: Council, index: int, output: Output) -> Iterable[Output]:
        if isinstance(output, ToLog) and output.kind is Kind.DKG_CERTIFY and index != 4:
            late.extend([output] if index == 3 else [])
            return ()
        return (output,)

    council = Council(5, 3, frozenset((2, 3, 4)), hold).settle()
    council.now += dkg.SILENCE
    for i in (1, 5):
        council.tick(i)
    council.settle()
    council.log.append((Kind.DKG_CERTIFY, identity(3).public, late[0].payload))
    council.settle()
    council.say(4, Kind.DKG_DISPUTE, Dispute(Ground.MISSING, 3).encode())
    council.say(4, Kind.DKG_DISPUTE, Dispute(Ground.SILENT, 3, council.states[1].record.awaited(3)).encode())
    assert not council.settle().ended
    assert council.wait(dkg.SILENCE).aborted().culprits == EVIL


def test_a_complaint_at_the_last_moment_does_not_shield_its_author_for_ever() -> None:
    def mute(_council: Council, _index: int, output: Output) -> Iterable[Output]:
        return () if _is(output, Kind.DKG_CERTIFY) or _is(output, Kind.DKG_DISPUTE) else (output,)

    council = Council(5, 3, EVIL, mute).settle()
    council.now += dkg.SILENCE
    council.tick(1)
    council.say(2, Kind.DKG_DISPUTE, Dispute(Ground.MISSING, 4).encode())
    for i in (3, 4, 5):
        council.tick(i)
    assert not council.settle().ended
    assert council.wait(dkg.SILENCE).aborted() == Aborted(Reason.DEALER_SILENT, EVIL, 0)


@given(
    st.lists(st.tuples(st.sampled_from((2, 4)), st.sampled_from((1, 3, 5)), st.sampled_from(list(Ground))), max_size=6)
)
@settings(max_examples=25)
def test_fewer_than_threshold_liars_never_blame_an_honest_member(lies: list[tuple[int, int, Ground]]) -> None:
    council = Council(5, 3, frozenset((2, 4)))
    for liar, victim, ground in lies:
        evidence = council.states[1].record.awaited(victim) if ground is Ground.SILENT else b""
        council.say(liar, Kind.DKG_DISPUTE, Dispute(ground, victim, evidence).encode())
    council.settle()
    if isinstance(council.ended[1], Aborted):
        council.aborted()
    else:
        documents(council)


@given(st.integers(0, 3), st.data())
@settings(max_examples=40)
def test_any_changed_byte_of_an_entry_ends_the_run_with_its_author(stage: int, data: st.DataObject) -> None:
    kind = (Kind.DKG_TRANSPORT, Kind.DKG_REVEAL, Kind.DKG_CIPHERTEXTS, Kind.DKG_CERTIFY)[stage]

    def flip(_council: Council, _index: int, content: bytes) -> bytes:
        at = data.draw(st.integers(0, len(content) - 1))
        return content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]

    council = Council(3, 2, EVIL, on(kind, flip)).settle()
    if kind is Kind.DKG_CIPHERTEXTS and not council.ended:
        # A wrong hash makes a good ciphertext look missing; the answer to the complaint is then the wrong one.
        council.wait(dkg.PATIENCE)
        if not council.ended:
            council.wait(dkg.SILENCE)
    if isinstance(council.ended[1], Aborted):
        council.aborted()
    else:
        # The dealer changed the hash of its share for itself, and certified all the same.
        assert kind is Kind.DKG_CIPHERTEXTS


def test_a_certificate_over_another_transcript_or_key_is_named() -> None:
    other = settled(3, 2, 5)
    theirs = other.states[1].record.rows[Stage.DKG_CERTIFY][1]
    named(on(Kind.DKG_CERTIFY, lambda *_: theirs))
    named(on(Kind.DKG_CERTIFY, lambda _c, _i, content: content[:64] + theirs[64:]))
    named(on(Kind.DKG_CERTIFY, lambda _c, _i, content: content[:128] + theirs[128:]))


def recorded_shares(council: Council, transports: dict[int, Scalar]) -> dict[int, Scalar]:
    """What a thief rebuilds from log and traffic with some transport keys."""
    found = {}
    record = council.states[1].record
    for to, transport in transports.items():
        total = Scalar(0)
        for dealer in council.members:
            sealed = [c for a, b, c in council.traffic if (a, b) == (dealer, to)]
            if dealer == to:
                sealed = [state.dealt[to - 1] for state in council.history[to] if state.dealt]
            matter = record.matter(dealer, to)
            pair = matter.route.from_recipient(transport)
            total = total + cocktail.open_share(matter.context, matter.route, pair, to, matter.dealt, sealed[0])
        found[to] = total
    return found


def test_after_erasure_nothing_that_is_left_opens_a_recorded_share() -> None:
    council = settled(5, 3)
    for i in council.members:
        states = council.history[i]
        certified = next(at for at, s in enumerate(states) if s.share is not None)
        # Every state that can exist once the certificate does.
        for state in states[certified:]:
            assert state.transport is None
            assert state.dealing is None
        # A dealer forgets polynomial and ephemeral key long before: with the first ciphertext.
        assert all(state.dealing is None for state in states if state.dealt)
    # Whatever a thief of every disk still finds, tried as the transport key of everybody.
    disks = [state for i in council.members for state in council.history[i] if state.transport is None]
    left = {found.expose() for state in disks for found in (state.share, state.proof_coins) if found is not None}
    left |= {identity(i).pair.expose()[:32] for i in council.members}
    for secret in left:
        key = Scalar(int.from_bytes(secret, "little") % ORDER)
        for to in council.members:
            with pytest.raises(EscrowError):
                recorded_shares(council, {to: key})


def test_with_static_transport_keys_the_same_thief_rebuilds_the_key() -> None:
    """The negative control: what erasure is for."""
    council = settled(5, 3)
    kept = {}
    for i in (1, 3, 4):
        secret = council.history[i][0].transport
        assert secret is not None
        kept[i] = Scalar.decode(secret.expose())
    stolen = recorded_shares(council, kept)
    assert stolen == {i: shares(council)[i] for i in kept}
    assert interpolated(stolen).encode() == documents(council)[0].public


def test_no_point_in_any_honest_state_is_outside_the_subgroup() -> None:
    council = settled(3, 2)
    record = council.states[1].record
    for index in council.members:
        matter = record.matter(index, 1)
        for point in (*matter.dealt.points, matter.dealt.ephemeral, matter.route.dealer):
            EDWARDS25519.decode(point)
