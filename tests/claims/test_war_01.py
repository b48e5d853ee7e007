"""WAR-01: no custodian releases a share unless every single condition holds; each is taken away in turn."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.ids import Party
from escrow.tlog.entry import EntryType
from escrow.warrant.documents import Target, Window
from escrow.warrant.request import ReleaseRequest, sign_request
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.asking import why_not
from tests.claims.measures import Census, effort
from tests.core.roles.scene import MINUTE, Scene, scene

pytestmark = pytest.mark.claim("WAR-01")

Broken = Callable[[Scene], ReleaseRequest]


def forced(at: Scene, *signers: str) -> ReleaseRequest:
    """A second warrant, sealed by an authority that does not care who has signed."""
    return at.sealed_by_force(at.rewritten(), *(at.person(name) for name in signers))


def stopped(kind: EntryType, *people: str) -> Broken:
    def stop(at: Scene) -> ReleaseRequest:
        assert at.log("authority", kind, at.order(kind, *people)) == ("",)
        return at.request

    return stop


def blind(at: Scene) -> ReleaseRequest:
    """No quorum of witnesses for longer than anybody may act on an old view."""
    at.world.network.down.update({Party("witness/1"), Party("witness/2")})
    at.world.clock.advance_to(at.world.now + 11 * MINUTE)
    return at.request


def later(at: Scene) -> ReleaseRequest:
    at.pass_time(at.payload.not_after - at.world.now)
    return at.request


def narrowed(at: Scene) -> ReleaseRequest:
    device = Target(account=at.account(at.bob).hex(), device=7)
    return at.sealed_by_force(at.rewritten(targets=(device,)), *at.locks)


def earlier(at: Scene) -> ReleaseRequest:
    start = at.payload.message_window.start
    return at.sealed_by_force(at.rewritten(message_window=Window(start=start - 1, end=start)), *at.locks)


CONDITIONS: dict[str, tuple[str, Broken]] = {
    "no lock": ("LOCKS_INCOMPLETE", forced),
    "the issuer alone": ("LOCKS_INCOMPLETE", lambda at: forced(at, ISSUERS[0])),
    "the approver alone": ("LOCKS_INCOMPLETE", lambda at: forced(at, APPROVERS[0])),
    "two issuers": ("LOCKS_INCOMPLETE", lambda at: forced(at, *ISSUERS)),
    "not sealed": ("SEAL_NOT_LOGGED", lambda at: replace(at.request, seal_tag=bytes(32))),
    "another warrant than was sealed": ("SEAL_MISMATCH", lambda at: replace(at.request, salt=bytes(32))),
    "no quorum": ("LOG_STALE", blind),
    "before the delay is over": (
        "NOT_YET_ACTIVE",
        lambda at: at.sealed_by_force(at.rewritten(), *at.locks, wait=50_000),
    ),
    "after the end": ("EXPIRED", later),
    "cancelled": ("CANCELLED", stopped(EntryType.CANCELLATION, ISSUERS[0])),
    "suspended": ("SUSPENDED", stopped(EntryType.SUSPENSION, APPROVERS[0])),
    "refused": ("REFUSED", stopped(EntryType.REFUSAL, APPROVERS[0])),
    "another device": ("OUT_OF_SCOPE", narrowed),
    "another time": ("OUT_OF_SCOPE", earlier),
    "an item that its device has not signed": ("SUBMISSION_INVALID", lambda at: at.with_item(device_sig=bytes(64))),
    "over quota": ("QUOTA_WARRANT", lambda at: at.sealed_by_force(at.rewritten(max_capsules=2), *at.locks)),
}


@effort(0.6)
@given(st.sampled_from((*CONDITIONS, "all hold")), st.integers(1, 3))
def test_without_any_one_condition_there_is_no_release(census: Census, broken: str, custodian: int) -> None:
    at = scene().rewind("ready")
    if broken == "all hold":
        assert at.release(custodian=custodian).sealed
        census("accepted")
        return
    reason, break_it = CONDITIONS[broken]
    denied(at, break_it(at), custodian, reason)
    census("refused")


@effort(0.1)
@given(st.integers(0))
def test_a_request_that_the_warrants_own_key_has_not_signed_is_none(census: Census, bit: int) -> None:
    at = scene().rewind("ready")
    genuine = sign_request(at.request_key, at.request)
    place = bit % len(genuine)
    forged = genuine[:place] + bytes([genuine[place] ^ 1]) + genuine[place + 1 :]
    assert at.why_not(signature=forged) == "REQUEST_SIGNATURE"
    census("refused")


def denied(at: Scene, request: ReleaseRequest, custodian: int, reason: str) -> None:
    """Refused for that reason, with nothing prepared that a later slip could hand out."""
    assert why_not(at, custodian, request) == reason
    assert not list(at.entries(EntryType.RELEASE_INTENT))
    assert not list(at.world.store(f"custodian/{custodian}").scan(b"answer/"))
