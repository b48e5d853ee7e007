"""The laws of the scope algebra (WAR-04), and what each dimension of a scope decides."""

from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.capsule.label import Label
from escrow.errors import Reason, RefusedError
from escrow.warrant.documents import EpochRange, Target, Window
from escrow.warrant.intervals import Intervals
from escrow.warrant.scope import EMPTY, Scope
from tests.core.warrant.office import DAY, OTHER, POLICY, TARGET, label, warrant

# Few values each, so that scopes meet often and labels hit them often.
ACCOUNTS = (b"a" * 32, b"b" * 32)
TAGS = (b"t" * 32, b"u" * 32, b"v" * 32)
POLICIES = (b"p" * 32, b"q" * 32)
LAST = 8

spans = st.lists(st.tuples(st.integers(0, LAST), st.integers(0, LAST)), max_size=3)
intervals = spans.map(Intervals.of)
scopes = st.builds(
    Scope.make,
    senders=st.none() | st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.none() | st.integers(1, 2)), max_size=3),
    members=st.none() | st.lists(st.sampled_from(ACCOUNTS), max_size=2),
    conversations=st.none() | st.lists(st.sampled_from(TAGS), max_size=2),
    epochs=st.lists(st.tuples(st.sampled_from(POLICIES), intervals), min_size=1, max_size=3),
    window=intervals,
)
labels = st.builds(
    label,
    sender_account=st.sampled_from(ACCOUNTS),
    sender_device=st.integers(1, 3),
    conv_tag=st.sampled_from(TAGS),
    policy_hash=st.sampled_from(POLICIES),
    epoch=st.integers(0, LAST),
    n_max=st.sampled_from((1, 1, 4)),
)
items = st.tuples(labels, st.integers(0, LAST), st.none() | st.sampled_from(ACCOUNTS))
Item = tuple[Label, int, bytes | None]


@given(spans)
def test_intervals_contain_what_their_spans_contain_in_one_form(drawn: list[tuple[int, int]]) -> None:
    union = Intervals.of(drawn)
    for point in range(-1, LAST + 1):
        assert (point in union) == any(start <= point < end for start, end in drawn)
    assert Intervals.of((point, point + 1) for point in range(LAST) if point in union) == union
    assert bool(union) == any(start < end for start, end in drawn)


@given(intervals, intervals)
def test_intervals_meet_and_order_as_sets_of_points(one: Intervals, two: Intervals) -> None:
    points = [{point for point in range(LAST) if point in part} for part in (one, two, one & two)]
    assert points[2] == points[0] & points[1]
    assert (one <= two) == (points[0] <= points[1])


@given(scopes, scopes, items)
def test_the_meet_contains_what_both_contain(one: Scope, two: Scope, item: Item) -> None:
    both = one.contains(*item) and two.contains(*item)
    assert (one & two).contains(*item) == both
    event("accepted" if both else "refused")


@given(scopes, scopes, scopes)
def test_the_meet_is_commutative_associative_and_idempotent(one: Scope, two: Scope, three: Scope) -> None:
    assert one & two == two & one
    assert (one & two) & three == one & (two & three)
    assert one & one == one
    assert one & EMPTY == EMPTY


@given(scopes, scopes, scopes, items)
def test_inclusion_is_a_partial_order_and_never_loses_an_item(one: Scope, two: Scope, three: Scope, item: Item) -> None:
    assert one <= one  # noqa: PLR0124 - the law is reflexivity
    assert one >= EMPTY
    assert one & two <= one
    if one <= two <= one:
        assert one == two
    if one <= two <= three:
        assert one <= three
    if one <= two and one.contains(*item):
        assert two.contains(*item)


@given(items)
def test_the_empty_scope_denies_everything(item: Item) -> None:
    assert not EMPTY
    assert not EMPTY.contains(*item)


@given(scopes, st.data())
def test_narrowing_a_warrant_never_admits_more(scope: Scope, data: st.DataObject) -> None:
    narrower = scope & data.draw(scopes)
    item = data.draw(items)
    if narrower.contains(*item):
        assert scope.contains(*item)


WITHIN = 2 * DAY


def test_a_warrant_on_what_bob_sent_covers_bobs_message() -> None:
    scope = Scope.of(warrant())
    scope.require(label(), WITHIN)
    scope.require(label(sender_device=9, conv_tag=b"other" + bytes(27)), 4 * DAY - 1)


@pytest.mark.spec("WRT-9")
@pytest.mark.parametrize(
    ("changes", "ingest_time"),
    [
        ({"sender_account": OTHER}, WITHIN),
        ({"policy_hash": b"x" * 32}, WITHIN),
        ({"epoch": 1}, WITHIN),
        ({"epoch": 4}, WITHIN),
        ({}, 2 * DAY - 1),
        ({}, 4 * DAY),
    ],
)
def test_each_dimension_alone_puts_an_item_out_of_scope(changes: dict[str, Any], ingest_time: int) -> None:
    with pytest.raises(RefusedError) as refused:
        Scope.of(warrant()).require(label(**changes), ingest_time)
    assert refused.value.reason is Reason.OUT_OF_SCOPE


def test_devices_and_conversations_narrow_a_warrant() -> None:
    whole = Scope.of(warrant())
    narrow = Scope.of(warrant(targets=(Target(account=TARGET.hex(), device=1),), conv_tags=("63" * 32,)))
    assert narrow <= whole
    assert not whole <= narrow
    assert narrow.contains(label(), WITHIN)
    assert not narrow.contains(label(sender_device=2), WITHIN)
    assert not narrow.contains(label(conv_tag=b"d" * 32), WITHIN)


def test_a_whole_conversation_is_covered_only_for_a_proved_member() -> None:
    scope = Scope.of(warrant(direction="CONVERSATION_OF"))
    assert scope.contains(label(sender_account=OTHER), WITHIN, TARGET)
    assert not scope.contains(label(), WITHIN, OTHER)
    assert not scope.contains(label(), WITHIN)


def test_chains_of_many_messages_are_covered_by_their_epoch() -> None:
    scope = Scope.of(warrant())
    assert scope.contains(label(n_max=4), 0)
    assert not scope.contains(label(n_max=4, epoch=4), WITHIN)


def test_equal_scopes_have_one_form() -> None:
    split = (
        EpochRange(policy=POLICY.hash.hex(), first=3, end=4),
        EpochRange(policy=POLICY.hash.hex(), first=2, end=3),
        EpochRange(policy=POLICY.hash.hex(), first=7, end=7),
    )
    doubled = (Target(account=TARGET.hex(), device=2), Target(account=TARGET.hex(), device=None))
    assert Scope.of(warrant(epochs=split, targets=doubled)) == Scope.of(warrant())
    assert Scope.of(warrant(message_window=Window(start=5, end=5))) == EMPTY
