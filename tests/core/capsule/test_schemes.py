"""What every escrow scheme must do, whichever it is: one suite of properties, run on each that is registered."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.capsule.schemes import Scheme, ShareRequest, scheme_of
from escrow.committee.documents import ShareGeneration
from escrow.crypto.suites import SUITES, has_group, has_identities
from escrow.errors import EscrowError, MalformedError, Reason, RefusedError
from escrow.secret import Secret
from tests.core.capsule.vault import answers, asked, committee, flip, label, moved, u64s

two_seeds = st.binary(min_size=64, max_size=64)


@dataclass(frozen=True)
class Case:
    """A committee of a suite, a capsule for it, and everybody's answer."""

    suite: int

    @property
    def scheme(self) -> Scheme:
        return scheme_of(self.suite)

    @cached_property
    def label(self) -> bytes:
        return label(suite=self.suite)

    @cached_property
    def seed(self) -> Secret:
        return self.seed_of(b"\x42" * 64)

    @cached_property
    def other_seed(self) -> Secret:
        return self.seed_of(bytes(64))

    def seed_of(self, raw: bytes) -> Secret:
        return Secret(raw[: self.scheme.seed_size])

    @cached_property
    def capsule(self) -> bytes:
        return self.seal(self.seed)

    def seal(self, seed: Secret, about: bytes = b"") -> bytes:
        return self.scheme.encapsulate(committee(suite=self.suite)[0], about or self.label, seed)

    @cached_property
    def request(self) -> ShareRequest:
        return asked(self.capsule, self.label, suite=self.suite)

    @property
    def generation(self) -> ShareGeneration:
        return committee(suite=self.suite)[1]

    @property
    def held(self) -> dict[int, Secret]:
        return committee(suite=self.suite)[2]

    @cached_property
    def answers(self) -> dict[int, bytes]:
        return answers(self.request)

    @cached_property
    def key(self) -> Secret:
        """Of the capsule's release unit."""
        return open_capsule(self.request, self.generation, self.answers).key

    def about(self, drawn: bytes, epoch: int) -> bytes:
        """Anything is a label to a scheme that does not look into it."""
        return label(epoch, self.suite) if has_identities(self.suite) else drawn

    @property
    def is_public(self) -> bool:
        """Whether whoever has no secret sees everything that can be wrong with a capsule."""
        return not self.scheme.may_abstain()

    def refuses(self, capsule: bytes, about: bytes = b"") -> None:
        """By everybody, where that is possible; and by the receiver, who has the seed, wherever it is not."""
        reason = None
        try:
            self.scheme.verify(self.request.ctx, about or self.label, capsule)
        except RefusedError as refused:
            reason = refused.reason
        if self.is_public or len(capsule) != len(self.capsule):
            assert reason is Reason.CAPSULE_INVALID
        assert reason in {None, Reason.CAPSULE_INVALID}
        try:
            again = self.seal(self.seed, about) if about else self.capsule
        except MalformedError:
            assert has_identities(self.suite)  # of what is no label nobody is the sender
        else:
            assert again != capsule

    def refuses_share(self, request: ShareRequest, index: int, share: bytes) -> None:
        with pytest.raises(RefusedError) as refused:
            self.scheme.verify_share(request, self.generation.verification_of(index), index, share)
        assert refused.value.reason is Reason.SHARE_INVALID


CASES = {name: Case(suite) for name, suite in SUITES.items()}
every = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


@every
@settings(max_examples=6)
@given(raw=two_seeds, drawn=st.binary(max_size=400), epoch=u64s, order=st.permutations(range(1, 6)))
def test_any_threshold_of_shares_opens_what_was_sealed(
    case: Case, raw: bytes, drawn: bytes, epoch: int, order: list[int]
) -> None:
    seed, about = case.seed_of(raw), case.about(drawn, epoch)
    capsule = case.scheme.encapsulate(case.request.ctx, about, seed)
    case.scheme.verify(case.request.ctx, about, capsule)
    request = replace(case.request, label=about, capsule=capsule)
    some = {i: case.scheme.share(request, case.held[i], i, bytes(32)) for i in order[:3]}
    opened = open_capsule(request, case.generation, some)
    assert (opened.seed, set(opened.used), opened.culprits) == (seed, set(some), frozenset())


@every
def test_fewer_shares_open_nothing(case: Case) -> None:
    for few in (some for size in range(3) for some in combinations(case.answers, size)):
        with pytest.raises(RefusedError) as refused:
            open_capsule(case.request, case.generation, {i: case.answers[i] for i in few})
        assert refused.value.reason is Reason.NOT_ENOUGH_SHARES


@every
def test_a_capsule_is_a_function_of_committee_label_and_seed(case: Case) -> None:
    other, *_ = committee(seed=1, suite=case.suite)
    assert case.seal(case.seed) == case.capsule
    others = [
        case.seal(case.other_seed),
        case.seal(case.seed, label(8, case.suite)),
        case.scheme.encapsulate(other, case.label, case.seed),
    ]
    assert len({case.capsule, *others}) == 4


@every
@settings(max_examples=40)
@given(at=st.integers(0), by=st.integers(1, 255))
def test_a_changed_byte_of_capsule_label_or_share_is_refused(case: Case, at: int, by: int) -> None:
    case.refuses(flip(case.capsule, at % len(case.capsule), by))
    case.refuses(case.capsule, flip(case.label, at % len(case.label), by))
    case.refuses_share(case.request, 1, flip(case.answers[1], at % len(case.answers[1]), by))


@every
def test_parts_of_two_capsules_or_shares_do_not_make_a_third(case: Case) -> None:
    other = case.seal(case.other_seed)
    for cut in range(32, len(other), 32):
        case.refuses(case.capsule[:cut] + other[cut:])
    for cut in range(32, len(case.answers[1]), 32):
        case.refuses_share(case.request, 1, case.answers[1][:cut] + case.answers[2][cut:])


@every
def test_a_share_is_for_one_capsule_label_committee_and_custodian_and_request_where_it_has_a_proof(case: Case) -> None:
    request, mine, other = case.request, case.answers[1], case.seal(case.seed, label(8, case.suite))
    changes = [
        replace(request, label=label(8, case.suite), capsule=other),
        replace(request, ctx=committee(seed=1, suite=case.suite)[0]),
    ]
    if has_group(case.suite) and not has_identities(case.suite):
        # Elsewhere a share is a part of the capsule or of a key, and nothing that is made for a request.
        changes += [replace(request, request_hash=bytes(32)), replace(request, generation_hash=bytes(32))]
    case.scheme.verify_share(request, case.generation.verification_of(1), 1, mine)
    for changed in changes:
        case.refuses_share(changed, 1, mine)
    case.refuses_share(request, 2, mine)
    case.refuses_share(request, 1, case.scheme.share(request, moved(case.held[1]), 1, bytes(32)))


@every
@settings(max_examples=8)
@given(bad=st.sets(st.integers(1, 5), min_size=1, max_size=2), at=st.integers(0, 31), by=st.integers(1, 255))
def test_bad_shares_are_named_and_do_not_keep_the_others_from_opening(
    case: Case, bad: set[int], at: int, by: int
) -> None:
    sent = {i: flip(share, at, by) if i in bad else share for i, share in case.answers.items()}
    opened = open_capsule(case.request, case.generation, sent)
    assert (opened.seed, opened.culprits) == (case.seed, frozenset(bad))


@every
@pytest.mark.parametrize("length", [0, -1, 1])
def test_a_capsule_of_another_length_is_refused_by_everybody(case: Case, length: int) -> None:
    capsule = (case.capsule + b"\0")[: len(case.capsule) + length] if length else b""
    case.refuses(capsule)
    with pytest.raises(EscrowError):
        case.scheme.share(replace(case.request, capsule=capsule), case.held[1], 1, bytes(32))
    with pytest.raises(MalformedError):
        case.scheme.combine(case.request.ctx, case.label, capsule, case.answers)
    with pytest.raises(MalformedError):
        case.scheme.open(case.request.ctx, case.label, capsule, case.key)


@every
@given(noise=st.binary(max_size=300))
def test_noise_is_neither_capsule_nor_share(case: Case, noise: bytes) -> None:
    case.refuses(noise)
    case.refuses_share(case.request, 1, noise)


@every
def test_no_suite_takes_what_another_has_made(case: Case) -> None:
    """Of the same seed under labels that differ in the suite alone, and under the very same label."""
    for other in CASES.values():
        if other.suite != case.suite:
            case.refuses(other.capsule)
            case.refuses(other.capsule, other.label)
            case.refuses(other.seal(other.seed, case.label))
            case.refuses_share(case.request, 1, other.answers[1])


@every
@settings(max_examples=4)
@given(at=st.integers(0), by=st.integers(1, 255))
def test_what_a_sender_has_spoilt_is_not_opened_and_frames_no_custodian(case: Case, at: int, by: int) -> None:
    capsule = flip(case.capsule, at % len(case.capsule), by)
    request = replace(case.request, capsule=capsule)
    with pytest.raises(EscrowError) as refused:
        open_capsule(request, case.generation, {} if case.is_public else answers(request))
    assert refused.value.culprits <= {"sender"}
