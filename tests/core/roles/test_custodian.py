"""A custodian's decision: every reason of the list, each met on its own, and what a release leaves behind."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from escrow.capsule.label import Label
from escrow.errors import BehindError, EscrowError, MalformedError, Reason, RefusedError
from escrow.crypto.sign import verify
from escrow.roles.calls import DeliverOrder, GetCommittee, Release, ReleaseReply
from escrow.roles.custodian import decision, quotas, release
from escrow.roles.custodian.state import load_holding, save_holding
from escrow.roles.machine import Draft
from escrow.tlog.entry import EntryType
from escrow.warrant.documents import Target, Window
from escrow.warrant.release import Denial, Outcome, ReleaseIntent, ReleaseRecord
from escrow.warrant.request import ReleaseRequest, sign_request
from escrow.warrant.sealing import make_leaf
from escrow.world.founding import APPROVERS, ISSUERS
from tests.core.roles.scene import AGENCY, DAY, HOUR, MINUTE, Scene, scene


@pytest.fixture
def ready() -> Scene:
    return scene().rewind("ready")


def flipped(data: bytes, place: int = -1) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


# -- the list ------------------------------------------------------------------------------------------


def test_a_request_under_an_active_warrant_is_released(ready: Scene) -> None:
    reply = ready.release()
    assert reply.reason == ""
    assert reply.sealed


@pytest.mark.parametrize("origin", ["device/" + "00" * 32 + "/1", "relay", "person/judge-imani"])
def test_only_an_agency_may_ask(ready: Scene, origin: str) -> None:
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        ready.release(origin=origin)


def test_what_is_no_request_changes_nothing(ready: Scene) -> None:
    before = ready.world.store("custodian/1").snapshot()
    with pytest.raises(MalformedError):
        ready.world.ask("custodian/1", Release(b"garbage", bytes(64)), AGENCY)
    with pytest.raises(MalformedError, match="TOO_LARGE"):
        ready.world.ask("custodian/1", Release(bytes(release.MOST_BYTES + 1), bytes(64)), AGENCY)
    assert ready.world.store("custodian/1").snapshot() == before


def test_a_caller_that_asks_too_often_waits(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "MOST_CALLS", 4)
    wrong = replace(ready.request, salt=bytes(32))
    for _ in range(4):
        assert ready.why_not(wrong) == "SEAL_MISMATCH"
    with pytest.raises(RefusedError, match="RATE_LIMITED"):
        ready.release(wrong)
    ready.pass_time(MINUTE)
    assert ready.why_not(wrong) == "SEAL_MISMATCH"


def holding_of(ready: Scene) -> tuple[bytes, Any]:
    key_hash = ready.request.committee_key_hash
    return key_hash, load_holding(ready.world.store("custodian/1"), key_hash)


def put_holding(ready: Scene, key_hash: bytes, holding: Any) -> None:
    store = ready.world.store("custodian/1")
    draft = Draft(store)
    save_holding(draft, key_hash, holding)
    store._apply(draft.writes())


def test_a_share_of_another_generation_is_not_used(ready: Scene) -> None:
    key_hash, holding = holding_of(ready)
    other = replace(holding.generation, number=1).encode()
    put_holding(ready, key_hash, type(holding)(*_values(holding, generation_bytes=other)))
    assert ready.why_not() == "GENERATION_MISMATCH"


def test_a_retired_period_is_not_opened(ready: Scene) -> None:
    key_hash, holding = holding_of(ready)
    put_holding(ready, key_hash, type(holding)(*_values(holding, share=None)))
    assert ready.why_not() == "PERIOD_RETIRED"


def _values(holding: Any, **changes: Any) -> list[Any]:
    return [changes.get(name, getattr(holding, name)) for name in holding.__struct_fields__]


def test_a_clock_that_the_witnesses_contradict_denies(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = ready.world.now - 6 * MINUTE
    monkeypatch.setattr(ready.world["custodian/1"], "_clock", lambda: slow)
    assert ready.why_not() == "CLOCK_SKEW"
    assert ready.why_not(custodian=2) == ""


def test_an_old_view_of_the_log_releases_nothing(ready: Scene) -> None:
    ready.world.network.down.add(ready.world["log"].party)
    ready.world.clock.advance_to(ready.world.now + 11 * MINUTE)
    with pytest.raises(BehindError, match="LOG_STALE"):
        ready.release()


def test_without_a_quorum_of_witnesses_nothing_is_released(ready: Scene) -> None:
    ready.world.network.down.update({ready.world["witness/1"].party, ready.world["witness/2"].party})
    ready.world.clock.advance_to(ready.world.now + 11 * MINUTE)
    with pytest.raises(BehindError):
        ready.release()


def test_a_library_that_fails_its_self_test_releases_nothing(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RefusedError(Reason.SELF_TEST_FAILED)

    monkeypatch.setattr(decision, "self_test", fails)
    decision._boot_test.cache_clear()
    assert ready.why_not() == "SELF_TEST_FAILED"


def test_one_request_id_names_one_request(ready: Scene) -> None:
    assert ready.why_not() == ""
    assert ready.why_not(replace(ready.request, nonce=bytes(16))) == "REQUEST_CONFLICT"
    assert ready.why_not(replace(ready.request, nonce=bytes(16), request_id=bytes(16))) == ""


@pytest.mark.parametrize("field", ["salt", "field_root"])
def test_bytes_that_were_not_sealed_are_refused(ready: Scene, field: str) -> None:
    assert ready.why_not(replace(ready.request, **{field: bytes(32)})) == "SEAL_MISMATCH"


def test_a_warrant_that_is_not_in_the_log_is_refused(ready: Scene) -> None:
    assert ready.why_not(replace(ready.request, seal_tag=bytes(32))) == "SEAL_NOT_LOGGED"


def test_a_second_seal_of_one_warrant_counts_for_nothing(ready: Scene) -> None:
    again = ready.sealed_by_force(ready.payload_bytes(), *ready.locks)
    assert ready.why_not(again) == "SEAL_NOT_FIRST"
    assert ready.why_not() == ""


LOCKS: dict[str, tuple[str, Callable[[Scene], tuple[Any, ...]]]] = {
    "no lock": ("LOCKS_INCOMPLETE", lambda s: ()),
    "the issuer alone": ("LOCKS_INCOMPLETE", lambda s: (s.locks[0],)),
    "the approver alone": ("LOCKS_INCOMPLETE", lambda s: (s.locks[1],)),
    "two issuers": ("LOCKS_INCOMPLETE", lambda s: (s.person(ISSUERS[0]), s.person(ISSUERS[1]))),
    "one issuer twice": ("LOCKS_INCOMPLETE", lambda s: (s.locks[0], s.locks[0])),
    "an unknown key": ("SIGNATURE_INVALID", lambda s: (s.locks[0], s.request_key)),
    "the authority instead": ("ROLE_KEY_UNAUTHORISED", lambda s: (s.locks[0], s.key("authority"))),
    "a custodian instead": ("ROLE_KEY_UNAUTHORISED", lambda s: (s.locks[1], s.key("custodian/2"))),
}


@pytest.mark.parametrize("case", LOCKS)
def test_a_warrant_without_both_locks_is_refused_even_if_it_is_sealed(ready: Scene, case: str) -> None:
    reason, signers = LOCKS[case]
    assert ready.why_not(ready.sealed_by_force(ready.rewritten(), *signers(ready))) == reason


DOCUMENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "nobody named": ("WILDCARD", {"targets": ()}),
    "an empty window": ("RANGE_INVALID", {"message_window": Window(start=5, end=5)}),
    "too long": ("RANGE_INVALID", {"not_after": 1_000_000_000_000 + 400 * DAY}),
    "too many capsules": ("RANGE_INVALID", {"max_capsules": 1_000_001}),
    "another policy": ("POLICY_UNAUTHORISED", {"policy": "ab" * 32}),
    "another authority": ("ROLE_KEY_UNAUTHORISED", {"authority": "ab" * 32}),
    "another log": ("SEAL_NOT_LOGGED", {"log_origin": "elsewhere"}),
    "an unproved recipient": ("RECIPIENT_KEY_INVALID", {"recipient_pop": "00" * 64}),
    "a fraction": ("SCHEMA_INVALID", {"kind": "ETERNAL"}),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_warrant_that_no_policy_admits_is_refused_whoever_signs_it(ready: Scene, case: str) -> None:
    reason, changes = DOCUMENTS[case]
    authority = changes.get("authority")
    if authority is not None:
        pytest.skip("the leaf names the submitter, so the log takes no seal for another authority")
    assert ready.why_not(ready.sealed_by_force(ready.rewritten(**changes), *ready.locks)) == reason
