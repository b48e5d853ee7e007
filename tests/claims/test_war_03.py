"""WAR-03: what is released lies in the warrant's scope, and a narrower warrant never releases more."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.receipt import Receipt
from escrow.warrant.documents import Target, Window
from tests.claims.measures import Census, effort
from tests.core.roles.scene import Scene, scene

pytestmark = pytest.mark.claim("WAR-03")


@effort(0.3)
@given(st.integers(-3, 2), st.integers(1, 6), st.sampled_from((None, 1, 2)), st.booleans(), st.integers(1, 3))
def test_exactly_what_the_warrant_names_is_released(
    census: Census, start: int, length: int, device: int | None, on_bob: bool, custodian: int
) -> None:
    at = scene().rewind("ready")
    said = [Receipt.decode(item.receipt).ingest_time for item in at.request.items]
    window = Window(start=max(min(said) + start, 0), end=min(said) + start + length)
    account = at.account(at.bob if on_bob else at.alice)
    target = Target(account=account.hex(), device=device)
    request = at.sealed_by_force(at.rewritten(targets=(target,), message_window=window), *at.locks)
    released = []
    for number, item in enumerate(at.request.items):
        one = replace(request, items=(item,), request_id=bytes([number]) * 16)
        reason = at.why_not(one, custodian=custodian)
        assert reason in {"", "OUT_OF_SCOPE"}
        released.append(reason == "")
        census("accepted" if reason == "" else "refused")
    # Every message of the scene was sent by Bob's first device.
    assert released == [on_bob and device in {None, 1} and window.start <= time < window.end for time in said]
    assert narrower_adds_nothing(at, custodian, released, target, window)


def narrower_adds_nothing(at: Scene, custodian: int, released: list[bool], target: Target, window: Window) -> bool:
    """Whether the same warrant with its window cut in half releases only what the whole one does."""
    half = Window(start=window.start, end=(window.start + window.end + 1) // 2)
    payload = at.rewritten(targets=(target,), message_window=half, warrant_id="88" * 16)
    request = at.sealed_by_force(payload, *at.locks)
    ids = [bytes([16 + number]) * 16 for number in range(len(at.request.items))]
    less = [at.why_not(replace(request, items=(item,), request_id=one), custodian=custodian) == ""
            for one, item in zip(ids, at.request.items, strict=True)]  # fmt: skip
    return all(wide or not narrow for wide, narrow in zip(released, less, strict=True))
