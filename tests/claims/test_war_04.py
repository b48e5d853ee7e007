"""WAR-04: scope is an algebra: narrowing never widens, and the empty scope admits nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.capsule.label import Label
from escrow.warrant.intervals import Intervals
from escrow.warrant.scope import EMPTY, Scope
from tests.claims.measures import Census, effort
from tests.core.warrant.office import label

pytestmark = pytest.mark.claim("WAR-04")

ACCOUNTS = [bytes([n]) * 32 for n in range(2)]
TAGS = [bytes([16 + n]) * 32 for n in range(2)]
POLICIES = [bytes([32 + n]) * 32 for n in range(2)]

# Wide spans and few values, or two scopes would hardly ever have anything in common.
spans = st.lists(st.tuples(st.integers(0, 3), st.integers(2, 8)), min_size=1, max_size=2).map(Intervals.of)
scopes: st.SearchStrategy[Scope] = st.builds(
    Scope.make,
    senders=st.none() | st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.none() | st.integers(1, 2)), max_size=3),
    members=st.none() | st.lists(st.sampled_from(ACCOUNTS), max_size=2),
    conversations=st.none() | st.sets(st.sampled_from(TAGS), max_size=2),
    epochs=st.lists(st.tuples(st.sampled_from(POLICIES), spans), min_size=1, max_size=3),
    window=spans,
)
items = st.tuples(
    st.builds(
        label,
        sender_account=st.sampled_from(ACCOUNTS),
        sender_device=st.integers(1, 2),
        conv_tag=st.sampled_from(TAGS),
        policy_hash=st.sampled_from(POLICIES),
        epoch=st.integers(0, 8),
        n_max=st.sampled_from((1, 4)),
    ),
    st.integers(0, 8),
    st.none() | st.sampled_from(ACCOUNTS),
)

Item = tuple[Label, int, bytes | None]


@effort(5)
@given(scopes, scopes, scopes)
def test_meet_is_a_meet_and_inclusion_an_order(census: Census, a: Scope, b: Scope, c: Scope) -> None:
    assert a & a == a
    assert a & b == b & a
    assert (a & b) & c == a & (b & c)
    assert a & b <= a
    assert a <= a  # noqa: PLR0124
    assert not (a <= b <= a) or a == b
    assert not (a <= b <= c) or a <= c
    assert a >= EMPTY
    assert a & EMPTY == EMPTY
    census("laws")


def of_epoch_zero(*window: tuple[int, int]) -> Scope:
    return Scope.make(epochs=[(POLICIES[0], Intervals.of([(0, 2)]))], window=Intervals.of(window))


@effort(10)
@given(scopes, scopes, items)
@example(of_epoch_zero((0, 2)), of_epoch_zero((2, 3)), (label(policy_hash=POLICIES[0], epoch=0, n_max=4), 0, None))
def test_what_two_scopes_admit_together_each_admits(census: Census, a: Scope, b: Scope, item: Item) -> None:
    # No window divides a chain of many messages, yet a scope without any time holds nothing, not even such a chain.
    together = a.contains(*item) and b.contains(*item) and bool(a.window & b.window)
    assert (a & b).contains(*item) == together
    assert not EMPTY.contains(*item)
    if a <= b and a.contains(*item):
        assert b.contains(*item)
    census("admitted" if a.contains(*item) else "denied")


@effort(5)
@given(scopes, items)
def test_membership_is_what_a_naive_reader_says(census: Census, scope: Scope, item: Item) -> None:
    bound, time, member = item
    sent = scope.senders is None or any(
        account == bound.sender_account and device in {None, bound.sender_device} for account, device in scope.senders
    )
    among = scope.members is None or member in scope.members
    tagged = scope.conversations is None or bound.conv_tag in scope.conversations
    inside = any(policy == bound.policy_hash and start <= bound.epoch < end
                 for policy, part in scope.epochs for start, end in part.spans)  # fmt: skip
    timely = bound.n_max != 1 or any(start <= time < end for start, end in scope.window.spans)
    assert scope.contains(*item) == (sent and among and tagged and inside and timely)
    census("naive")
