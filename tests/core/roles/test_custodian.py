"""A custodian's decision: every reason of the list, each met on its own, and what a release leaves behind."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.capsule.body import body_id, seal_body
from escrow.capsule.header import cap_hash
from escrow.capsule.receipt import Receipt
from escrow.capsule.schemes import CommitteeContext
from escrow.capsule.schemes.tdh2 import Tdh2
from escrow.capsule.submission import SignedContent
from escrow.crypto.hpke import RecipientKey
from escrow.crypto.sign import verify
from escrow.encoding import u64
from escrow.errors import BehindError, EscrowError, MalformedError, Reason, RefusedError
from escrow.ids import Party
from escrow.roles.agency.state import load_case
from escrow.roles.calls import DeliverOrder, Release, ReleaseReply
from escrow.roles.custodian import Custodian, decision, quotas, release
from escrow.roles.custodian.state import load_holding, save_holding, save_number
from escrow.roles.device.state import load_me
from escrow.roles.machine import Called, Draft
from escrow.roles.together import one_by_one
from escrow.secret import Secret
from escrow.tlog.entry import EntryType
from escrow.warrant import dsse, strict
from escrow.warrant.documents import PAYLOAD_TYPE, Target, Window
from escrow.warrant.item import Item
from escrow.warrant.orders import Order
from escrow.warrant.policy import Limits, Policy
from escrow.warrant.release import Denial, Outcome, ReleaseIntent, ReleaseRecord, ReleaseResponse, hpke_info
from escrow.warrant.request import ReleaseRequest, sign_request
from escrow.warrant.sealing import field_root
from escrow.world.founding import APPROVERS, ISSUERS
from escrow.world.loop import complete
from tests.core.roles.corrupt import accepted_by_a_corrupt_relay
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


@pytest.mark.spec("CUST-0")
@pytest.mark.parametrize("origin", ["device/" + "00" * 32 + "/1", "relay", "person/judge-imani"])
def test_only_an_agency_may_ask(ready: Scene, origin: str) -> None:
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        ready.release(origin=origin)


@pytest.mark.spec("CUST-0")
def test_what_is_no_request_changes_nothing(ready: Scene) -> None:
    before = ready.world.store("custodian/1").snapshot()
    with pytest.raises(MalformedError):
        ready.world.ask("custodian/1", Release(b"garbage", bytes(64)), AGENCY)
    with pytest.raises(MalformedError, match="TOO_LARGE"):
        ready.world.ask("custodian/1", Release(bytes(release.MOST_BYTES + 1), bytes(64)), AGENCY)
    assert ready.world.store("custodian/1").snapshot() == before


@pytest.mark.spec("CUST-0")
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


@pytest.mark.spec("CUST-1")
def test_a_share_of_another_generation_is_not_used(ready: Scene) -> None:
    key_hash, holding = holding_of(ready)
    other = replace(holding.generation, number=1).encode()
    put_holding(ready, key_hash, type(holding)(*_values(holding, generation_bytes=other)))
    assert ready.why_not() == "GENERATION_MISMATCH"


@pytest.mark.spec("CUST-1")
def test_a_retired_period_is_not_opened(ready: Scene) -> None:
    key_hash, holding = holding_of(ready)
    put_holding(ready, key_hash, type(holding)(*_values(holding, share=None)))
    assert ready.why_not() == "PERIOD_RETIRED"


def _values(holding: Any, **changes: Any) -> list[Any]:
    return [changes.get(name, getattr(holding, name)) for name in holding.__struct_fields__]


@pytest.mark.spec("CUST-1")
def test_a_clock_that_the_witnesses_contradict_denies(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = ready.world.now - 6 * MINUTE
    monkeypatch.setattr(ready.world["custodian/1"], "_clock", lambda: slow)
    assert ready.why_not() == "CLOCK_SKEW"
    assert ready.why_not(custodian=2) == ""


@pytest.mark.spec("CUST-1")
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


@pytest.mark.spec("CUST-1")
def test_a_library_that_fails_its_self_test_releases_nothing(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise RefusedError(Reason.SELF_TEST_FAILED)

    monkeypatch.setattr(decision, "self_test", fails)
    decision._boot_test.cache_clear()
    assert ready.why_not() == "SELF_TEST_FAILED"


@pytest.mark.spec("CUST-2")
def test_one_request_id_names_one_request(ready: Scene) -> None:
    assert ready.why_not() == ""
    assert ready.why_not(replace(ready.request, nonce=bytes(16))) == "REQUEST_CONFLICT"
    assert ready.why_not(replace(ready.request, nonce=bytes(16), request_id=bytes(16))) == ""


@pytest.mark.spec("CUST-3")
@pytest.mark.parametrize("field", ["salt", "field_root"])
def test_bytes_that_were_not_sealed_are_refused(ready: Scene, field: str) -> None:
    changes: dict[str, Any] = {field: bytes(32)}
    assert ready.why_not(replace(ready.request, **changes)) == "SEAL_MISMATCH"


def test_a_replay_to_another_recipient_is_refused(ready: Scene) -> None:
    assert ready.why_not() == ""
    thief = RecipientKey.from_seed(b"t" * 32).public
    payload = ready.rewritten(warrant_id=ready.payload.warrant_id, recipient_hpke_key=thief.hex())
    signatures = tuple(dsse.sign(PAYLOAD_TYPE, strict.encode(payload), signer) for signer in ready.locks)
    envelope = dsse.Envelope(PAYLOAD_TYPE, strict.encode(payload), signatures).encode()
    stolen = replace(ready.request, dsse=envelope, field_root=field_root(payload))
    assert ready.why_not(stolen) == "REQUEST_CONFLICT"
    assert ready.why_not(replace(stolen, request_id=bytes(16))) == "SEAL_MISMATCH"


@pytest.mark.spec("CUST-3")
def test_a_warrant_that_is_not_in_the_log_is_refused(ready: Scene) -> None:
    assert ready.why_not(replace(ready.request, seal_tag=bytes(32))) == "SEAL_NOT_LOGGED"


@pytest.mark.spec("CUST-3")
def test_a_second_seal_of_one_warrant_counts_for_nothing(ready: Scene) -> None:
    again = ready.sealed_by_force(ready.payload, *ready.locks)
    assert ready.why_not(again) == "SEAL_NOT_FIRST"
    assert ready.why_not() == ""


LOCKS: dict[str, tuple[str, Callable[[Scene], tuple[Any, ...]]]] = {
    "no lock": ("LOCKS_INCOMPLETE", lambda s: s.locks[:0]),
    "the issuer alone": ("LOCKS_INCOMPLETE", lambda s: (s.locks[0],)),
    "the approver alone": ("LOCKS_INCOMPLETE", lambda s: (s.locks[1],)),
    "two issuers": ("LOCKS_INCOMPLETE", lambda s: (s.person(ISSUERS[0]), s.person(ISSUERS[1]))),
    "one issuer twice": ("LOCKS_INCOMPLETE", lambda s: (s.locks[0], s.locks[0])),
    "an unknown key": ("SIGNATURE_INVALID", lambda s: (s.locks[0], s.request_key)),
    "the authority instead": ("ROLE_KEY_UNAUTHORISED", lambda s: (s.locks[0], s.key("authority"))),
    "a custodian instead": ("ROLE_KEY_UNAUTHORISED", lambda s: (s.locks[1], s.key("custodian/2"))),
}


@pytest.mark.spec("CUST-4")
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
    "another log": ("SEAL_NOT_LOGGED", {"log_origin": "elsewhere"}),
    "an unproved recipient": ("RECIPIENT_KEY_INVALID", {"recipient_pop": "00" * 64}),
}


@pytest.mark.spec("CUST-5")
@pytest.mark.parametrize("case", DOCUMENTS)
def test_a_warrant_that_no_policy_admits_is_refused_whoever_signs_it(ready: Scene, case: str) -> None:
    reason, changes = DOCUMENTS[case]
    assert ready.why_not(ready.sealed_by_force(ready.rewritten(**changes), *ready.locks)) == reason


def test_a_document_with_an_unknown_field_is_refused(ready: Scene) -> None:
    payload = ready.rewritten()
    document = strict.encode(payload)[:-1] + b',"zeal":1}'
    assert ready.why_not(ready.sealed_by_force(payload, *ready.locks, document=document)) == "SCHEMA_INVALID"


def test_a_leaf_that_says_something_else_than_the_warrant_is_refused(ready: Scene) -> None:
    assert ready.why_not(ready.sealed_by_force(ready.rewritten(), *ready.locks, count_bucket=9)) == "SEAL_MISMATCH"


def test_whoever_holds_an_office_cannot_be_the_agency(ready: Scene) -> None:
    judge = ready.locks[0]
    payload = ready.rewritten(request_key=judge.public.hex())
    assert ready.why_not(ready.sealed_by_force(payload, *ready.locks)) == "SEPARATION_OF_DUTIES"


def relabelled(ready: Scene, **changes: Any) -> ReleaseRequest:
    """The first item under another label, which nobody has signed."""
    item = ready.request.items[0]
    return ready.about(replace(item, label=msgspec.structs.replace(item.terms, **changes).encode()))


@pytest.mark.spec("CUST-5")
def test_one_request_asks_one_committee(ready: Scene) -> None:
    foreign = relabelled(ready, committee_key_hash=b"x" * 32).items[0]
    assert ready.why_not(ready.about(*ready.request.items, foreign)) == "COMMITTEE_NOT_MINE"
    assert ready.why_not(ready.about(foreign, committee_key_hash=b"x" * 32)) == "COMMITTEE_UNAUTHORISED"


@pytest.mark.spec("CUST-5")
@pytest.mark.parametrize("changes", [{"policy_hash": b"p" * 32}, {"epoch": 1_000_000}])
def test_an_item_of_another_policy_or_period_is_refused(ready: Scene, changes: dict[str, Any]) -> None:
    assert ready.why_not(relabelled(ready, **changes)) == "COMMITTEE_UNAUTHORISED"


@pytest.mark.spec("CUST-5")
def test_an_item_of_a_suite_that_is_not_the_committees_is_refused(ready: Scene) -> None:
    assert ready.why_not(relabelled(ready, suite=2)) == "SUITE_MISMATCH"


@pytest.mark.spec("CUST-5")
def test_a_custodian_without_a_share_says_so(ready: Scene) -> None:
    store = ready.world.store("custodian/1")
    draft = Draft(store)
    draft.delete(b"share/" + ready.request.committee_key_hash)
    store._apply(draft.writes())
    assert ready.why_not() == "COMMITTEE_NOT_MINE"


@pytest.mark.spec("CUST-5")
def test_a_request_that_the_agency_has_not_signed_is_refused(ready: Scene) -> None:
    stranger = sign_request(ready.locks[0], ready.request)
    assert ready.why_not(signature=stranger) == "REQUEST_SIGNATURE"
    assert ready.why_not(signature=flipped(ready.asked.signature)) == "REQUEST_SIGNATURE"


# -- time and status -----------------------------------------------------------------------------------


@pytest.mark.spec("CUST-6")
def test_nothing_is_released_before_the_activation_delay_is_over(ready: Scene) -> None:
    early = ready.sealed_by_force(ready.rewritten(), *ready.locks, wait=50_000)
    assert ready.why_not(early) == "NOT_YET_ACTIVE"
    ready.pass_time(MINUTE)
    ready.pass_time(MINUTE)
    assert ready.why_not(early) == ""


@pytest.mark.spec("CUST-6")
def test_nothing_is_released_after_the_end(ready: Scene) -> None:
    ready.pass_time(ready.payload.not_after - ready.world.now)
    assert ready.why_not() == "EXPIRED"


def test_a_clock_that_is_set_back_does_not_bring_a_warrant_back(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    end = ready.payload.not_after
    ready.pass_time(end - 2 * MINUTE - ready.world.now)
    monkeypatch.setattr(ready.world["custodian/1"], "_clock", lambda: end)
    assert ready.why_not() == "EXPIRED"
    monkeypatch.undo()
    assert ready.why_not() == "EXPIRED"
    assert ready.why_not(custodian=2) == ""


@pytest.mark.spec("CUST-6")
def test_a_request_has_an_end_of_its_own(ready: Scene) -> None:
    assert ready.why_not(replace(ready.request, expires=ready.world.now)) == "REQUEST_EXPIRED"


@pytest.mark.spec("CUST-6")
@pytest.mark.spec("CUST-7")
def test_an_urgent_warrant_needs_its_second_lock_in_time(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = ready.world.now + HOUR
    urgent = ready.sealed_by_force(ready.rewritten(urgent=True, approve_by=deadline), ready.locks[0])
    assert ready.why_not(urgent) == ""
    ready.pass_time(deadline - MINUTE - ready.world.now)
    ahead = deadline
    with monkeypatch.context() as skewed:
        skewed.setattr(ready.world["custodian/1"], "_clock", lambda: ahead)
        assert ready.why_not(urgent) == "APPROVAL_MISSING"  # by our clock it is too late, by the witnesses' not yet
    ready.pass_time(deadline - ready.world.now)
    assert ready.why_not(urgent) == "LAPSED"
    assert ready.why_not(urgent, custodian=2) == "LAPSED"
    assert not list(ready.world.store("custodian/1").scan(b"answer/"))


@pytest.mark.spec("CUST-10")
def test_one_lock_alone_opens_a_little_however_much_the_warrant_would(
    ready: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    urgent = ready.sealed_by_force(ready.rewritten(urgent=True, approve_by=ready.world.now + HOUR), ready.locks[0])
    policy = ready.world.genesis.policy
    limits = msgspec.structs.replace(policy.limits, urgent_capsules=2)
    monkeypatch.setitem(vars(ready.world.genesis), "policy", _same_policy(policy, limits))
    one, two, three = urgent.items
    assert ready.why_not(urgent) == "QUOTA_URGENT"
    assert ready.why_not(replace(urgent, items=(one, two), request_id=b"1" * 16)) == ""
    rest = replace(urgent, items=(three,), request_id=b"2" * 16)
    assert [ready.why_not(rest, custodian=n) for n in (1, 2)] == ["QUOTA_URGENT"] * 2
    approval = Order.signed(EntryType.APPROVAL, urgent.seal_tag, ready.locks[1])
    assert ready.log("authority", EntryType.APPROVAL, approval.encode()) == ("",)
    assert ready.why_not(rest) == ""


def _same_policy(policy: Policy, limits: Limits) -> Policy:
    """Other limits under the same hash: the test has one deployment, whose labels name it."""
    changed = msgspec.structs.replace(policy, limits=limits)
    vars(changed)["hash"] = policy.hash
    return changed


STOPS = {
    EntryType.CANCELLATION: ("CANCELLED", ISSUERS[:1]),
    EntryType.SUSPENSION: ("SUSPENDED", APPROVERS[:1]),
    EntryType.REFUSAL: ("REFUSED", APPROVERS[:1]),
    EntryType.ATTAINMENT: ("ATTAINED", ISSUERS[:1]),
}


@pytest.mark.spec("CUST-7")
@pytest.mark.parametrize("kind", STOPS)
def test_a_logged_stop_stops(ready: Scene, kind: EntryType) -> None:
    reason, people = STOPS[kind]
    assert ready.log("authority", kind, ready.order(kind, *people)) == ("",)
    assert [ready.why_not(custodian=n) for n in (1, 2, 3)] == [reason] * 3


@pytest.mark.spec("CUST-7")
@pytest.mark.parametrize("kind", STOPS)
def test_a_stop_binds_on_receipt_while_the_log_is_out_of_reach(ready: Scene, kind: EntryType) -> None:
    reason, people = STOPS[kind]
    ready.world.network.down.add(ready.world["log"].party)
    ready.world.ask("custodian/1", DeliverOrder(ready.order(kind, *people)))
    assert ready.why_not() == reason
    ready.world.network.down.clear()
    ready.settle()
    # The custodian has logged what it was told, so now it binds everybody.
    assert [ready.why_not(custodian=n) for n in (1, 2, 3)] == [reason] * 3


def test_only_both_locks_resume_a_suspended_warrant(ready: Scene) -> None:
    suspension = ready.order(EntryType.SUSPENSION, APPROVERS[0])
    ready.world.ask("custodian/1", DeliverOrder(suspension))
    ready.settle()
    with pytest.raises(RefusedError, match="LOCKS_INCOMPLETE"):
        ready.world.ask("custodian/1", DeliverOrder(ready.order(EntryType.RESUMPTION, ISSUERS[0])))
    assert ready.why_not() == "SUSPENDED"
    resumption = ready.order(EntryType.RESUMPTION, ISSUERS[0], APPROVERS[0])
    assert ready.log("authority", EntryType.RESUMPTION, resumption) == ("",)
    assert ready.why_not() == ""
    # What the log has gone past does not come back by being shown again.
    ready.world.ask("custodian/1", DeliverOrder(suspension))
    ready.settle()
    assert ready.why_not() == ""


@pytest.mark.parametrize("people", [[], ["nobody"]])
def test_an_order_of_nobody_changes_nothing(ready: Scene, people: list[str]) -> None:
    order = Order.signed(EntryType.CANCELLATION, ready.tag, *(ready.request_key for _ in people)).encode()
    before = ready.world.store("custodian/1").snapshot()
    with pytest.raises(RefusedError):
        ready.world.ask("custodian/1", DeliverOrder(order))
    assert ready.world.store("custodian/1").snapshot() == before
    assert ready.why_not() == ""


# -- scope ---------------------------------------------------------------------------------------------


@pytest.mark.spec("CUST-8")
def test_what_the_target_did_not_send_is_out_of_scope(ready: Scene) -> None:
    assert ready.why_not(relabelled(ready, sender_account=ready.account(ready.alice))) == "OUT_OF_SCOPE"
    assert ready.why_not(relabelled(ready, epoch=0)) == "OUT_OF_SCOPE"


def test_a_narrower_warrant_releases_less(ready: Scene) -> None:
    account = Target(account=ready.account(ready.bob).hex(), device=7)
    assert ready.why_not(ready.sealed_by_force(ready.rewritten(targets=(account,)), *ready.locks)) == "OUT_OF_SCOPE"


def test_a_window_that_ends_before_the_message_leaves_it_out(ready: Scene) -> None:
    times = [Receipt.decode(item.receipt).ingest_time for item in ready.request.items]
    before = Window(start=ready.payload.message_window.start, end=min(times))
    if before.start >= before.end:
        before = Window(start=before.start - 1, end=before.start)
    assert ready.why_not(ready.sealed_by_force(ready.rewritten(message_window=before), *ready.locks)) == "OUT_OF_SCOPE"


@pytest.mark.spec("CUST-8")
def test_a_warrant_on_conversations_needs_the_roster_path(ready: Scene) -> None:
    conversations = ready.sealed_by_force(ready.rewritten(direction="CONVERSATION_OF"), *ready.locks)
    assert ready.why_not(conversations) == "ROSTER_PATH"


@pytest.mark.spec("CUST-8")
def test_a_chain_that_still_grows_is_not_opened(ready: Scene) -> None:
    assert ready.why_not(relabelled(ready, n_max=2)) == "LIVE_CHAIN"


@pytest.mark.spec("CUST-8")
def test_a_long_chain_of_an_epoch_beside_the_window_is_out_of_scope(ready: Scene) -> None:
    """That epoch is there for single messages that arrive late."""
    beside = ready.payload.epochs[0].first
    assert ready.why_not(relabelled(ready, n_max=2, epoch=beside)) == "OUT_OF_SCOPE"
    assert ready.why_not(relabelled(ready, epoch=beside)) == "SUBMISSION_INVALID"


@pytest.mark.spec("CUST-8")
def test_a_prospective_warrant_opens_nothing_older_than_itself(ready: Scene) -> None:
    prospective = ready.sealed_by_force(ready.rewritten(kind="PROSPECTIVE"), *ready.locks)
    assert ready.why_not(prospective) == "BEFORE_ACTIVATION"


# -- items ---------------------------------------------------------------------------------------------


def first(ready: Scene) -> Item:
    return ready.request.items[0]


def another_label(ready: Scene) -> bytes:
    return relabelled(ready, chain_no=99).items[0].label


ITEMS: dict[str, tuple[str, Callable[[Scene], dict[str, Any]]]] = {
    "a label that was not signed": ("SUBMISSION_INVALID", lambda s: {"label": another_label(s)}),
    "the capsule of another": ("SUBMISSION_INVALID", lambda s: {"capsule": s.request.items[1].capsule}),
    "the body of another": ("SUBMISSION_INVALID", lambda s: {"body": s.request.items[1].body}),
    "no device signature": ("SUBMISSION_INVALID", lambda s: {"device_sig": flipped(first(s).device_sig)}),
    "other envelopes": ("RECEIPT_INVALID", lambda s: {"env_root": flipped(first(s).env_root)}),
    "the receipt of another": ("RECEIPT_INVALID", lambda s: {"receipt": s.request.items[1].receipt}),
    "another frame": ("RECEIPT_INVALID", lambda s: {"frame": flipped(first(s).frame)}),
    "no relay signature": ("RECEIPT_INVALID", lambda s: {"relay_sig": flipped(first(s).relay_sig)}),
    "another root": ("INGEST_NOT_LOGGED", lambda s: {"root_index": first(s).root_index + 1}),
    "another size": ("INGEST_NOT_LOGGED", lambda s: {"root_size": first(s).root_size + 1}),
    "another path to the root": ("INGEST_NOT_LOGGED", lambda s: {"ingest_path": first(s).ingest_path[1:]}),
}


@pytest.mark.spec("CUST-9")
@pytest.mark.parametrize("case", ITEMS)
def test_an_item_with_one_part_put_wrong_is_refused(ready: Scene, case: str) -> None:
    reason, changes = ITEMS[case]
    assert ready.why_not(ready.with_item(**changes(ready))) == reason


def in_the_window(ready: Scene) -> int:
    return ready.payload.message_window.end - 1


@pytest.mark.spec("CUST-9")
def test_a_receipt_that_is_dated_back_is_refused(ready: Scene) -> None:
    late = accepted_by_a_corrupt_relay(ready, first(ready), in_the_window(ready))
    assert ready.why_not(ready.about(late)) == "RECEIPT_INVALID"


def wide(ready: Scene) -> ReleaseRequest:
    """A warrant whose window reaches beyond the present."""
    window = Window(start=ready.payload.message_window.start, end=ready.payload.message_window.end + HOUR)
    return ready.sealed_by_force(ready.rewritten(message_window=window), *ready.locks)


@pytest.mark.spec("CUST-9")
def test_what_relay_and_agency_make_up_after_a_release_is_refused(ready: Scene) -> None:
    request = wide(ready)
    assert ready.why_not(request) == ""
    again = accepted_by_a_corrupt_relay(ready, first(ready))
    assert ready.why_not(replace(request, items=(again,), request_id=bytes(16))) == "PRECEDENCE"


def test_the_same_item_logged_again_before_anybody_asked_is_released(ready: Scene) -> None:
    request = wide(ready)
    again = accepted_by_a_corrupt_relay(ready, first(ready))
    assert ready.why_not(replace(request, items=(again,), request_id=bytes(16))) == ""


@pytest.mark.spec("CUST-9")
def test_a_capsule_that_does_not_verify_is_refused_even_if_its_sender_signed_it(ready: Scene) -> None:
    request = wide(ready)
    item, me = first(ready), load_me(ready.world.store(ready.bob.party))
    capsule = flipped(item.capsule)
    header = msgspec.structs.replace(item.header, cap_hash=cap_hash(item.terms.suite, capsule))
    body = seal_body(Secret(bytes(32)), header, bytes(64))
    signed = SignedContent(header.label_hash, header.cap_hash, 0, body_id(body), item.env_root)
    bad = replace(item, capsule=capsule, body=body, device_sig=signed.sign(me.keys.signing_key))
    assert ready.why_not(replace(request, items=(accepted_by_a_corrupt_relay(ready, bad),))) == "CAPSULE_INVALID"


# -- quotas --------------------------------------------------------------------------------------------


@pytest.mark.spec("CUST-10")
def test_the_quota_of_a_warrant_is_the_sum_over_all_custodians_in_log_order(ready: Scene) -> None:
    tight = ready.sealed_by_force(ready.rewritten(max_capsules=3), *ready.locks)
    one, two, three = tight.items
    cut = enumerate(((one, two), (three,), (one,)))
    parts = [replace(tight, items=items, request_id=bytes([n]) * 16) for n, items in cut]
    assert [ready.why_not(parts[0], custodian=n) for n in (1, 2)] == ["", ""]
    assert ready.why_not(parts[1], custodian=2) == ""
    ready.settle()
    assert ready.why_not(parts[2], custodian=3) == "QUOTA_WARRANT"
    assert ready.why_not(parts[0], custodian=3) == ""
    assert ready.why_not(parts[1], custodian=1) == ""


WISHES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 7), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=15)
@given(WISHES)
def test_whoever_asks_whom_in_whatever_order_a_quota_holds(wishes: list[tuple[int, int, bool]]) -> None:
    at = scene().rewind("ready")
    tight = at.sealed_by_force(at.rewritten(max_capsules=4), *at.locks)
    released: dict[bytes, int] = {}
    for number, (custodian, choice, settled) in enumerate(wishes):
        items = tuple(item for place, item in enumerate(tight.items) if choice >> place & 1)
        request = replace(tight, items=items, request_id=bytes([number]) * 16)
        if at.why_not(request, custodian=custodian) == "":
            released[request.hash] = request.count
        if settled:
            at.world.settle()
    assert sum(released.values()) <= 4
    logged = {ReleaseIntent.decode(entry.payload).request_hash for entry in at.entries(EntryType.RELEASE_INTENT)}
    assert released.keys() <= logged


def test_the_same_request_is_counted_once(ready: Scene) -> None:
    tight = ready.sealed_by_force(ready.rewritten(max_capsules=3), *ready.locks)
    replies = [ready.release(tight) for _ in range(3)]
    assert replies[0].sealed
    assert replies == [replies[0]] * 3
    assert len(list(ready.entries(EntryType.RELEASE_INTENT))) == 1


def test_a_custodian_cannot_use_a_quota_up_without_the_agency(ready: Scene) -> None:
    tight = ready.sealed_by_force(ready.rewritten(max_capsules=3), *ready.locks)
    invented = ReleaseIntent(
        tight.seal_tag, ready.key("custodian/3").public, tight.committee_key_hash, 0, bytes(32), bytes(32), 3, bytes(64)
    )
    assert ready.log("custodian/3", EntryType.RELEASE_INTENT, invented.encode()) == ("",)
    assert ready.why_not(tight) == ""


CAPS = {
    "agency_daily_cap": "QUOTA_AGENCY",
    "authority_daily_cap": "QUOTA_AUTHORITY",
    "target_daily_cap": "QUOTA_TARGET",
    "global_daily_cap": "QUOTA_GLOBAL",
}


@pytest.mark.spec("CUST-10")
@pytest.mark.parametrize("cap", CAPS)
def test_every_day_has_its_caps_and_the_first_that_is_reached_is_named(
    ready: Scene, cap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = ready.world.genesis.policy
    limits = msgspec.structs.replace(policy.limits, **{cap: 2})
    monkeypatch.setitem(vars(ready.world.genesis), "policy", _same_policy(policy, limits))
    one, two, three = ready.request.items
    assert ready.why_not() == CAPS[cap]
    assert ready.why_not(replace(ready.request, items=(one, two), request_id=b"1" * 16)) == ""
    rest = replace(ready.request, items=(three,), request_id=b"2" * 16)
    assert ready.why_not(rest) == CAPS[cap]
    # Another agency, another warrant of another request key: what is capped is the one, not the other.
    elsewhere = ready.why_not(rest, origin="agency/others")
    assert elsewhere == ("" if cap == "agency_daily_cap" else CAPS[cap])
    ready.pass_time(DAY)
    rest = replace(rest, request_id=b"3" * 16)
    assert ready.why_not(rest) == ""
    assert {key[:14] for key, _ in ready.world.store("custodian/1").scan(b"debit/")} == {
        b"debit/" + u64(ready.world.now // quotas.DAY)
    }


@pytest.mark.spec("CUST-10")
def test_a_custodian_opens_only_so_many_in_a_day(ready: Scene) -> None:
    cap, store = ready.world.genesis.policy.limits.global_daily_cap, ready.world.store("custodian/1")
    draft = Draft(store)
    save_number(draft, b"debit/" + u64(ready.world.now // quotas.DAY) + b"QUOTA_GLOBAL/", cap - 2)
    store._apply(draft.writes())
    one, two, three = ready.request.items
    assert ready.why_not() == "QUOTA_GLOBAL"
    assert ready.why_not(ready.about(one, two, request_id=b"1" * 16)) == ""
    last = ready.about(three, request_id=b"2" * 16)
    assert ready.why_not(last) == "QUOTA_GLOBAL"
    ready.pass_time(DAY)
    assert ready.why_not(last) == ""


# -- every check decides something ---------------------------------------------------------------------

CONJUNCTS: dict[str, Callable[[Scene], ReleaseRequest]] = {
    "check_conflict": lambda s: replace(s.request, nonce=bytes(16)),
    "check_time": lambda s: replace(s.request, expires=0),
    "check_status": lambda s: s.request,
    "check_scope": lambda s: s.sealed_by_force(s.rewritten(conv_tags=("ab" * 32,)), *s.locks),
    "check_items": lambda s: s.with_item(receipt=s.request.items[0].receipt, relay_sig=bytes(64)),
    "check_quotas": lambda s: s.sealed_by_force(s.rewritten(max_capsules=2), *s.locks),
}


@pytest.mark.parametrize("check", CONJUNCTS)
def test_without_any_one_check_something_gets_out_that_should_not(
    ready: Scene, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if check == "check_conflict":
        assert ready.why_not() == ""
    if check == "check_status":
        ready.world.ask("custodian/1", DeliverOrder(ready.order(EntryType.SUSPENSION, ISSUERS[0])))
    request = CONJUNCTS[check](ready)
    assert ready.why_not(request) not in ("", "INTENT_PENDING")
    monkeypatch.setattr(decision.Decision, check, lambda _: None)
    assert ready.why_not(request) == ""


# -- what is left behind -------------------------------------------------------------------------------


@pytest.mark.spec("CUST-13")
def test_no_share_leaves_before_the_log_shows_the_intent(ready: Scene) -> None:
    node, call = ready.world["custodian/1"], Release(ready.asked.request_bytes, ready.asked.signature)
    reply = complete(node.step(Called(Party(AGENCY), call)))
    assert (reply.reason, reply.sealed) == ("INTENT_PENDING", b"")
    ready.world.network.down.add(ready.world["log"].party)
    for _ in range(3):
        assert ready.why_not() == "INTENT_PENDING"
    assert not list(ready.world.store("custodian/1").scan(b"answer/"))
    ready.world.network.down.clear()
    assert ready.why_not() == ""


@pytest.mark.spec("CUST-12")
def test_a_crash_between_intent_and_share_changes_nothing_but_the_time(ready: Scene) -> None:
    store, call = ready.world.store("custodian/1"), Release(ready.asked.request_bytes, ready.asked.signature)
    first_reply = complete(ready.world["custodian/1"].step(Called(Party(AGENCY), call)))
    assert first_reply.pending
    crashed = store.snapshot()
    answer = ready.release()
    store.restore(crashed)
    again = ready.release()
    assert answer.sealed
    assert again.sealed
    (intent,) = ready.entries(EntryType.RELEASE_INTENT)
    assert ReleaseIntent.decode(intent.payload).request_hash == ready.request.hash


def test_intent_and_record_are_what_the_custodian_did(ready: Scene) -> None:
    reply = ready.release()
    ready.settle()
    (intent,), (record,) = ready.entries(EntryType.RELEASE_INTENT), ready.entries(EntryType.RELEASE_RECORD)
    said = ReleaseIntent.decode(intent.payload)
    request = ready.request
    assert (said.seal_tag, said.request_hash, said.count) == (ready.tag, request.hash, request.count)
    assert said.item_root == request.item_root
    done = ReleaseRecord.decode(record.payload)
    assert done.outcome is Outcome.RELEASED
    assert done.response_hash == hashlib.sha256(reply.sealed).digest()


def test_a_denial_is_signed_and_logged_once_and_only_under_a_seal(ready: Scene) -> None:
    unsealed = replace(ready.request, salt=bytes(32))
    for request, logged in ((unsealed, 0), (ready.about(first(ready), expires=0), 1)):
        for _ in range(2):
            reply = ready.release(request)
            denial = Denial.decode(reply.denial)
            assert (denial.reason.name, denial.request_hash) == (reply.reason, request.hash)
            verify(ready.key("custodian/1").public, reply.denial, reply.signature)
        ready.settle()
        assert len(list(ready.entries(EntryType.DENIAL))) == logged


@pytest.mark.spec("CUST-16")
def test_a_failure_of_our_own_denies_and_says_nothing_more(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise KeyError("the share is 0x1234")

    monkeypatch.setattr(decision, "check_status", fails)
    reply = ready.release()
    assert (reply.reason, reply.sealed) == ("INTERNAL_DENY", b"")
    assert b"1234" not in reply.denial


@pytest.mark.spec("CUST-16")
def test_where_whoever_makes_the_shares_fails_none_leaves(ready: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        assert all(job() is None for job in jobs), "the shares: 0x1234"  # the capsules' check returns nothing
        return []

    node = ready.world["custodian/1"]
    monkeypatch.setattr(node, "role", replace(cast(Custodian, node.role), together=fails))
    reply = ready.release()
    assert (reply.reason, reply.sealed) == ("INTERNAL_DENY", b"")
    assert b"1234" not in reply.denial
    assert list(ready.entries(EntryType.RELEASE_INTENT))


def test_however_many_hands_a_custodian_has_its_shares_are_the_same_and_in_their_order(ready: Scene) -> None:
    assert ready.why_not() == ""
    draft = Draft(ready.world.store("custodian/1"))
    for key, _ in list(draft.scan(b"answer/")):
        draft.delete(key)
    call = Release(ready.request.encode(), sign_request(ready.request_key, ready.request))
    hpke, done = Recording(), list[int]()

    def backwards(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
        done.append(len(jobs))
        return [job() for job in reversed(jobs)][::-1]

    for together in (one_by_one, backwards):
        role = replace(cast(Custodian, ready.world["custodian/1"].role), together=together, hpke=hpke)
        _, reply = role.handle(draft, Called(Party(AGENCY), call), ready.world.now, bytes(32))
        assert cast(ReleaseReply, reply).reason == ""
    assert len(hpke.sealed) == 2
    assert hpke.sealed[0] == hpke.sealed[1]
    assert done == [ready.request.count]
    assert ready.request.count > 1


@pytest.mark.spec("CUST-9")
def test_a_capsule_is_checked_before_its_request_is_admitted_and_again_before_its_share_is_made(
    ready: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = list[bytes]()
    verify_capsule = Tdh2.verify

    def verify(self: Tdh2, ctx: CommitteeContext, label: bytes, capsule: bytes) -> None:
        checked.append(capsule)
        verify_capsule(self, ctx, label, capsule)

    monkeypatch.setattr(Tdh2, "verify", verify)
    capsules = sorted({item.capsule for item in ready.request.items})
    node = ready.world["custodian/1"]
    complete(node.catch_up())
    call = Called(Party(AGENCY), Release(ready.request.encode(), sign_request(ready.request_key, ready.request)))
    assert complete(node.step(call)).pending
    assert sorted(checked) == capsules
    checked.clear()
    assert ready.why_not() == ""
    assert sorted(checked) == capsules
    # What spoils a capsule that was admitted, in whatever way, keeps its share from being made.
    monkeypatch.setattr(Tdh2, "verify", lambda *_: _refuse())
    store = ready.world.store("custodian/1")
    draft = Draft(store)
    for key, _ in list(draft.scan(b"answer/")):
        draft.delete(key)
    complete(store.commit(lambda _: (draft.writes(), None)))
    assert ready.why_not() == "CAPSULE_INVALID"


def _refuse() -> None:
    raise RefusedError(Reason.CAPSULE_INVALID)


class Recording:
    """Seals nothing, and keeps what it was to seal."""

    def __init__(self) -> None:
        self.sealed: list[bytes] = []

    def seal(self, recipient_public: bytes, info: bytes, plaintext: bytes) -> bytes:
        self.sealed.append(plaintext)
        return plaintext


@pytest.mark.spec("CUST-15")
@pytest.mark.parametrize("ended", ["expiry", "cancellation"])
def test_after_the_end_stored_responses_are_gone_and_nothing_is_released(ready: Scene, ended: str) -> None:
    assert ready.why_not() == ""
    store = ready.world.store("custodian/1")
    assert list(store.scan(b"answer/"))
    if ended == "expiry":
        ready.pass_time(ready.payload.not_after - ready.world.now)
    else:
        ready.world.ask("custodian/1", DeliverOrder(ready.order(EntryType.CANCELLATION, ISSUERS[0])))
        ready.settle()
    assert not list(store.scan(b"answer/"))
    assert ready.why_not() == ("EXPIRED" if ended == "expiry" else "CANCELLED")


@pytest.mark.spec("CUST-14")
def test_an_intent_that_comes_to_nothing_is_recorded_as_withheld(ready: Scene) -> None:
    call = Release(ready.asked.request_bytes, ready.asked.signature)
    complete(ready.world["custodian/1"].step(Called(Party(AGENCY), call)))
    ready.world.ask("custodian/1", DeliverOrder(ready.order(EntryType.CANCELLATION, ISSUERS[0])))
    ready.settle()
    assert ready.why_not() == "CANCELLED"
    (record,) = ready.entries(EntryType.RELEASE_RECORD)
    assert ReleaseRecord.decode(record.payload).outcome is Outcome.WITHHELD


@pytest.mark.spec("CUST-15")
def test_a_response_opens_for_nobody_but_the_recipient(ready: Scene) -> None:
    reply = ready.release()
    generation = holding_of(ready)[1].generation
    info = hpke_info(ready.tag, ready.request.hash, ready.key("custodian/1").public, generation.hash)
    mine = load_case(ready.world.store(AGENCY), ready.warrant_id).recipient_key
    assert ReleaseResponse.decode(mine.open(info, reply.sealed)).index == 1
    with pytest.raises(RefusedError, match="SHARE_INVALID"):
        RecipientKey.from_seed(bytes(32)).open(info, reply.sealed)
    other = hpke_info(bytes(32), ready.request.hash, ready.key("custodian/1").public, generation.hash)
    with pytest.raises(RefusedError, match="SHARE_INVALID"):
        mine.open(other, reply.sealed)


@given(place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_no_request_with_a_flipped_bit_is_released(place: int, bit: int) -> None:
    ready = scene().rewind("ready")
    data = bytearray(ready.asked.request_bytes)
    data[place % len(data)] ^= 1 << bit
    try:
        reply = ready.world.ask("custodian/1", Release(bytes(data), ready.asked.signature), AGENCY)
    except EscrowError:
        return
    assert reply.reason
    assert not reply.sealed
