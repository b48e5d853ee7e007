"""MSG-16: what was lost is said again only to the device it was sealed for, in its mode, and only if it has asked."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.e2ee.content import NeedRetry
from escrow.e2ee.keys import Identity
from escrow.roles.device import retrying
from escrow.roles.device.commands import Confirm, GetSafety, Meet
from escrow.roles.device.state import ESCROW, PLAIN
from escrow.world.founding import HOUR
from tests.claims.measures import Census, effort
from tests.core.roles.losses import queue, repetition, unopened
from tests.core.roles.phones import Phones, friends

pytestmark = pytest.mark.claim("MSG-16")

MODES = st.sampled_from((PLAIN, ESCROW))


@pytest.fixture(name="at", scope="module")
def _at() -> Iterator[Phones]:
    at = friends()
    at.reset()
    yield at
    at.reset()


@effort(0.3)
@given(MODES, st.sampled_from(("itself", "added", "other keys", "other mode", "stranger")))
@example(PLAIN, "itself")
@example(ESCROW, "added")
@example(ESCROW, "other mode")
def test_only_the_device_that_it_was_sealed_for_is_told_again(
    at: Phones, census: Census, mode: int, asker: str
) -> None:
    at.reset()
    name = unopened(at, mode)
    bob, before = at.me("bob").keys, at.texts("bob")
    askers: dict[str, Identity] = {
        "added": at.new_keys("bob", 2).identity,
        "other keys": at.new_keys("bob").identity,
        "other mode": bob.identity,
        "stranger": at.me("carol").keys.identity,
    }
    if asker == "itself":
        at.sync("alice", "bob")
        assert at.texts("bob") == [*before, "lost"]
        census("shown")
    else:
        draft = at.draft("alice")
        asked_in = 1 - mode if asker == "other mode" else mode
        retrying.answer(draft, askers[asker], asked_in, NeedRetry((name,)), at.world.now)
        assert list(draft.scan(b"queue/")) == []
        census("asked in vain")


@effort(0.2)
@given(MODES, st.booleans())
@example(mode=ESCROW, stays=False)
def test_with_other_devices_than_before_it_waits_for_the_user_and_never_goes_to_new_keys(
    at: Phones, census: Census, mode: int, stays: bool
) -> None:
    at.reset()
    unopened(at, mode)
    old, new = at.me("bob").keys, at.new_keys("bob", 2)
    at.relist("bob", *([old, new] if stays else [new]))
    at.world.advance(HOUR)
    at.sync("alice")
    assert [one.waits for one in queue(at, "alice")] == ["KEY_CHANGED"]
    census("waits for the user")
    there = len(at.waiting("bob"))
    at.world.run(at.device("alice"), Meet("bob"))
    at.world.run(at.device("alice"), Confirm("bob", at.world.run(at.device("alice"), GetSafety("bob")).list_hash))
    assert (queue(at, "alice"), len(at.waiting("bob"))) == ([], there + stays)
    if not stays:
        census("keys gone")


@effort(0.2)
@given(MODES, MODES, st.booleans())
@example(mode=ESCROW, answer=ESCROW, answered=True)
def test_what_nobody_has_asked_for_or_was_answered_is_refused(
    at: Phones, census: Census, mode: int, answer: int, answered: bool
) -> None:
    at.reset()
    name = unopened(at, mode) if answered else bytes(32)
    if answered:
        at.sync("alice", "bob")
    before = at.texts("bob")
    at.deliver("bob", repetition(at, answer, name))
    assert at.alarms("bob") == [("RETRY_UNSOLICITED", ())]
    assert at.texts("bob") == before
    census("refused")
