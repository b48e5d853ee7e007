"""ESC-16: under hybrid both halves must break; a changed byte of either is refused, and each has a seed of its own."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from escrow.capsule.body import open_body, seal_body
from escrow.capsule.chain import first_chain_key, message_key, new_seeds
from escrow.capsule.combine import open_capsule
from escrow.capsule.header import ContentClass, Header, cap_hash
from escrow.capsule.label import label_hash
from escrow.capsule.schemes import scheme_of
from escrow.capsule.schemes.pq import Pq
from escrow.capsule.schemes.tdh2 import CAPSULE_SIZE, SHARE_SIZE, Tdh2
from escrow.crypto.suites import HYBRID_EDWARDS25519, HYBRID_RISTRETTO255
from escrow.errors import EscrowError, Reason, RefusedError
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.core.capsule.vault import answers, asked, committee, flip, label

pytestmark = pytest.mark.claim("ESC-16")

suites = st.sampled_from([HYBRID_EDWARDS25519, HYBRID_RISTRETTO255])
halves = st.binary(min_size=32, max_size=32)


def body_of(suite: int, seed: Secret, capsule: bytes, text: bytes) -> bytes:
    named = label_hash(label(suite=suite))
    header = Header(named, cap_hash(suite, capsule), 0, bytes(16), ContentClass.CONTENT)
    return seal_body(message_key(first_chain_key(seed, named), named, 0), header, text)


def reads(suite: int, key: Secret, body: bytes) -> bool:
    named = label_hash(label(suite=suite))
    try:
        open_body(message_key(key, named, 0), body)
    except EscrowError:
        return False
    return True


@effort(0.2)
@given(suites, halves, halves, st.integers(0), st.integers(1, 255))
def test_a_changed_byte_of_either_half_is_refused(
    census: Census, suite: int, one: bytes, other: bytes, at: int, by: int
) -> None:
    ctx, about, seed, scheme = committee(suite=suite)[0], label(suite=suite), Secret(one + other), scheme_of(suite)
    capsule = scheme.encapsulate(ctx, about, seed)
    scheme.verify(ctx, about, capsule)
    # The receiver compares with what the seeds give, so any other bytes are refused; the relay sees the first half.
    assert scheme.encapsulate(ctx, about, seed) == capsule
    with pytest.raises(RefusedError) as refused:
        scheme.verify(ctx, about, flip(capsule, at % CAPSULE_SIZE, by))
    assert refused.value.reason is Reason.CAPSULE_INVALID
    census("first half refused")
    place = CAPSULE_SIZE + at % (len(capsule) - CAPSULE_SIZE)
    spoilt = asked(flip(capsule, place, by), about, suite=suite)
    with pytest.raises(EscrowError) as opened:
        open_capsule(spoilt, committee(suite=suite)[1], answers(spoilt))
    assert opened.value.culprits == {"sender"}
    census("second half refused")


@effort(0.2)
@given(suites, halves, halves, halves)
def test_one_half_broken_reads_nothing(census: Census, suite: int, one: bytes, other: bytes, guess: bytes) -> None:
    assume(len({one, other, guess}) == 3)
    ctx, about, seed = committee(suite=suite)[0], label(suite=suite), Secret(one + other)
    capsule, named = scheme_of(suite).encapsulate(ctx, about, seed), label_hash(about)
    request, body = asked(capsule, about, suite=suite), body_of(suite, seed, capsule, b"between us")
    given_ = dict(list(answers(request).items())[:3])

    # Whoever breaks TDH2 has its seed; whoever breaks X-Wing has the other. Each from the shares, as the scheme does.
    first = Tdh2().recover(ctx, about, capsule[:CAPSULE_SIZE], {i: s[:SHARE_SIZE] for i, s in given_.items()})
    second = Pq().recover(ctx, about, capsule[CAPSULE_SIZE:], {i: s[SHARE_SIZE:] for i, s in given_.items()})
    assert (first.expose(), second.expose()) == (one, other)
    tries = [first, second]
    tries += [first_chain_key(Secret(known + guess), named) for known in (one, other)]
    tries += [first_chain_key(Secret(guess + known), named) for known in (one, other)]
    tries += [first_chain_key(Secret(known * 2), named) for known in (one, other)]
    assert not any(reads(suite, key, body) for key in tries)
    census("unread with one")
    assert reads(suite, first_chain_key(Secret(one + other), named), body)
    census("read with both")


@effort(0.2)
@given(suites, halves, halves, halves)
def test_each_half_of_a_capsule_holds_its_own_seed_alone(
    census: Census, suite: int, one: bytes, other: bytes, third: bytes
) -> None:
    ctx, about, scheme = committee(suite=suite)[0], label(suite=suite), scheme_of(suite)
    capsule = scheme.encapsulate(ctx, about, Secret(one + other))
    changed_first = scheme.encapsulate(ctx, about, Secret(third + other))
    changed_second = scheme.encapsulate(ctx, about, Secret(one + third))
    assert changed_first[CAPSULE_SIZE:] == capsule[CAPSULE_SIZE:]
    assert changed_second[:CAPSULE_SIZE] == capsule[:CAPSULE_SIZE]
    assert (changed_first == capsule, changed_second == capsule) == (third == one, third == other)
    census("apart")


@given(halves, halves, st.binary(max_size=400))
def test_the_seeds_have_separate_hedges(census: Census, hedge: bytes, stuck: bytes, about: bytes) -> None:
    """Also with a generator that repeats itself; and what is known of one use says nothing about the next."""
    both, following = new_seeds(Secret(hedge), [stuck, stuck], about)
    single, _ = new_seeds(Secret(hedge), [stuck], about)
    parts = both.expose()[:32], both.expose()[32:], single.expose()
    assert len({*parts, hedge, following.expose()}) == 5
    again, _ = new_seeds(following, [stuck, stuck], about)
    assert not {again.expose()[:32], again.expose()[32:]} & set(parts)
    census("hedged apart")
