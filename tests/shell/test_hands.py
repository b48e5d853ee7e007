"""A custodian's many hands: the same results in the same order, on several threads, and the first error of all."""

import threading
from functools import partial

import pytest

from escrow.errors import Reason, RefusedError
from escrow_server.hands import FEW, Hands


@pytest.mark.parametrize("count", [1, 2, 3, 8])
@pytest.mark.parametrize("jobs", [0, 1, FEW - 1, FEW, FEW + 1, 50])
def test_results_come_in_the_order_of_the_jobs(count: int, jobs: int) -> None:
    assert Hands(count)([partial(pow, 3, place) for place in range(jobs)]) == [3**place for place in range(jobs)]


def test_two_hands_work_at_the_same_time() -> None:
    """Each waits for the other: alone it would wait for ever."""
    meeting = threading.Barrier(2, timeout=20)
    names = Hands(2)([_meet(meeting if place in (0, FEW) else None) for place in range(2 * FEW)])
    assert len(set(names)) == 2
    assert threading.current_thread().name not in names


def _meet(meeting: threading.Barrier | None) -> "partial[str]":
    def job(meeting: threading.Barrier | None) -> str:
        if meeting is not None:
            meeting.wait()
        return threading.current_thread().name

    return partial(job, meeting)


def test_the_first_error_in_the_order_of_the_jobs_is_raised_once_all_have_ended() -> None:
    ended = list[int]()

    def job(place: int) -> None:
        if place in (3, 2 * FEW - 1):
            raise RefusedError(Reason.CAPSULE_INVALID, str(place))
        ended.append(place)

    hands = Hands(2)
    with pytest.raises(RefusedError) as refused:
        hands([partial(job, place) for place in range(2 * FEW)])
    assert refused.value.detail == "3"
    assert {*range(3), *range(FEW, 2 * FEW - 1)} == set(ended)
    assert hands([partial(int, "7")] * FEW) == [7] * FEW
