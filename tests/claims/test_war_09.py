"""WAR-09: no clock alone opens a warrant early or keeps it open late; both must say that its time is here."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ids import Millis
from escrow.roles.follower import Follower
from tests.claims.asking import why_not
from tests.claims.measures import Census, effort
from tests.core.roles.scene import MINUTE, Scene, scene

pytestmark = pytest.mark.claim("WAR-09")

skews = st.integers(-4 * MINUTE, 4 * MINUTE)
distances = st.integers(-6 * MINUTE, 6 * MINUTE)


@effort(0.4)
@given(st.sampled_from(("start", "end")), distances, skews, st.integers(1, 3))
def test_a_release_lies_within_the_warrants_time_by_both_clocks(
    census: Census, edge: str, distance: int, skew: int, custodian: int
) -> None:
    at = scene().rewind("ready")
    request = at.request
    start, end = at.world.now + 20 * MINUTE, at.world.now + 60 * MINUTE
    request = at.sealed_by_force(at.rewritten(not_before=start, not_after=end), *at.locks)
    at.world.clock.advance_to((start if edge == "start" else end) + distance)
    at.settle()
    node = at.world[f"custodian/{custodian}"]
    honest = node._clock
    node._clock = partial(skewed, honest, skew)
    try:
        said = why_not(at, custodian, request)
        head = Follower(at.world.genesis).head(at.world.store(f"custodian/{custodian}"))
    finally:
        node._clock = honest
    assert head is not None
    low, high = min(honest() + skew, head.time_ms), max(honest() + skew, head.time_ms)
    if said == "":
        assert start <= low
        assert high < end
        census("released")
    else:
        assert said in ("NOT_YET_ACTIVE", "EXPIRED", "REQUEST_EXPIRED")
        assert low < start + 1000 or high >= end - 1000
        census("refused")


def skewed(honest: Callable[[], Millis], by: int) -> Millis:
    return Millis(honest() + by)


def test_a_clock_that_is_far_off_decides_nothing(census: Census) -> None:
    at: Scene = scene().rewind("ready")
    node = at.world["custodian/1"]
    honest = node._clock
    for skew in (-6 * MINUTE, 6 * MINUTE):
        node._clock = partial(skewed, honest, skew)
        try:
            assert why_not(at, 1) in ("CLOCK_SKEW", "LOG_STALE")
        finally:
            node._clock = honest
        census("refused")
