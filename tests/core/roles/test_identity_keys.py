"""Where a share opens an identity: one share for a day of an account, none before that day is over."""

import hashlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from escrow.capsule.label import Label
from escrow.capsule.schemes.ibe import SHARE_SIZE, Ibe
from escrow.roles.agency.commands import GetOpened
from escrow.roles.agency.opening import read_response
from escrow.roles.agency.state import load_case
from escrow.roles.custodian import decision
from escrow.roles.custodian.commands import Refresh
from escrow.roles.custodian.state import load_holding
from escrow.roles.lightview import LightView
from escrow.tlog.entry import EntryType
from escrow.warrant.documents import Target, Window
from escrow.warrant.release import ReleaseIntent, ReleaseResponse
from escrow.warrant.request import ReleaseRequest
from tests.core.capsule.forging import spoilt_capsule
from tests.core.roles.corrupt import accepted_by_a_corrupt_relay
from tests.core.roles.court import bundle_of, verified
from tests.core.roles.days import Days, days, naming
from tests.core.roles.scene import AGENCY, DAY, MINUTE, TEXTS


@pytest.fixture
def ready() -> Days:
    at = days()
    at.rewind("ready")
    return at


def response(at: Days, request: ReleaseRequest, custodian: int = 1) -> ReleaseResponse:
    """What a custodian gives, read with the agency's key."""
    store = at.world.store(AGENCY)
    recipient = load_case(store, at.warrant_id).recipient_key
    generation = LightView(at.world.genesis).generation(store, at.asked.period)
    assert generation is not None
    return read_response(recipient, request, generation, custodian, at.release(request, custodian).sealed)


def test_one_share_opens_all_that_an_account_has_sent_in_an_epoch(ready: Days) -> None:
    request = ready.request
    assert (len(request.items), request.count, len(request.identities)) == (len(TEXTS), 1, 1)
    assert [len(share) for share in response(ready, request).shares] == [SHARE_SIZE]
    report = ready.execute()
    assert (report.opened, report.beyond) == (len(TEXTS), 0)
    assert sorted(ready.opened()) == sorted(TEXTS)
    intents = [ReleaseIntent.decode(entry.payload) for entry in ready.entries(EntryType.RELEASE_INTENT)]
    assert {intent.count for intent in intents} == {1}


def test_a_share_is_the_same_whoever_asks_and_however_often(ready: Days) -> None:
    one, other = ready.request, naming(ready.request, ready.request.items[0])
    assert response(ready, one).shares == response(ready, other).shares


@pytest.mark.spec("IBE-4")
def test_no_identity_key_is_given_while_its_epoch_is_open(ready: Days) -> None:
    request, item = ready.wide(), ready.today("today")
    wanted = naming(request, item)
    policy, grace = ready.world.genesis.policy, ready.world.genesis.grace_ms
    assert ready.why_not(wanted) == "EPOCH_OPEN"
    ready.world.advance_to(policy.epoch_end(item.terms.epoch) + grace - 1)
    ready.settle(1)
    assert ready.why_not(wanted) == "EPOCH_OPEN"
    ready.over(item)
    assert ready.why_not(wanted) == ""


@pytest.mark.spec("IBE-4")
def test_nor_of_an_epoch_that_has_not_begun(ready: Days) -> None:
    request, item = ready.wide(), ready.request.items[0]
    later = replace(item, label=_label(item.label, epoch=item.terms.epoch + 2))
    assert ready.why_not(naming(request, later)) == "EPOCH_OPEN"


def _label(data: bytes, **changes: Any) -> bytes:
    return msgspec.structs.replace(Label.decode(data), **changes).encode()


@pytest.mark.spec("IBE-5")
def test_a_prospective_warrant_opens_no_epoch_that_began_before_it(ready: Days) -> None:
    """Not even what was said in it behind the activation: its key opens the morning, too."""
    request, item = ready.wide(kind="PROSPECTIVE"), ready.today("behind the activation")
    ready.over(item)
    assert ready.why_not(naming(request, ready.request.items[0])) == "BEFORE_ACTIVATION"
    assert ready.why_not(naming(request, item)) == "BEFORE_ACTIVATION"
    next_day = ready.today("on the next day")
    ready.over(next_day)
    assert ready.why_not(naming(request, next_day)) == ""


NAMED: dict[str, Any] = {
    "nobody": lambda _: (),
    "another": lambda _: (hashlib.sha256(b"another").digest(),),
    "one more": lambda own: (*own, hashlib.sha256(b"another").digest()),
    "the same twice": lambda own: (*own, *own),
}


@pytest.mark.spec("IBE-8")
@pytest.mark.parametrize("who", NAMED)
def test_other_identities_than_those_of_the_items_are_refused(ready: Days, who: str) -> None:
    named = NAMED[who](ready.request.identities)
    assert ready.why_not(replace(ready.request, identities=named)) == "ID_MISMATCH"
    assert ready.why_not() == ""


@pytest.mark.spec("IBE-9")
def test_the_quota_counts_identity_keys_and_not_messages(ready: Days) -> None:
    request, item = ready.wide(max_identity_keys=1), ready.today("today")
    ready.over(item)
    first = ready.request.items
    assert ready.why_not(naming(request, *first, item, number=1)) == "QUOTA_WARRANT"
    assert ready.why_not(naming(request, *first, number=2)) == ""
    assert ready.why_not(naming(request, item, number=3)) == "QUOTA_WARRANT"


@pytest.mark.spec("IBE-9")
@pytest.mark.parametrize("quota", [(0, 0), (1, 1), (0, 10_001), (5, 0)])
def test_a_warrant_that_promises_another_bound_is_refused(ready: Days, quota: tuple[int, int]) -> None:
    capsules, keys = quota
    assert ready.why_not(ready.wide(max_capsules=capsules, max_identity_keys=keys)) == "RANGE_INVALID"


@pytest.mark.spec("IBE-6")
def test_a_warrant_that_is_narrower_than_the_key_is_refused(ready: Days) -> None:
    account = ready.account(ready.bob).hex()
    for narrower in (
        {"targets": (Target(account=account, device=1),)},
        {"conv_tags": (ready.request.items[0].terms.conv_tag.hex(),)},
        {"direction": "CONVERSATION_OF"},
    ):
        assert ready.why_not(ready.wide(warrant_id="99" * 16, **narrower)) == "RANGE_INVALID"
        ready.rewind("ready")


@pytest.mark.spec("IBE-6")
def test_where_an_identity_is_of_a_conversation_a_warrant_may_be_on_one() -> None:
    at = days("ibe-conversation")
    at.rewind("ready")
    tag = at.request.items[0].terms.conv_tag
    assert at.request.count == 1
    assert at.why_not(at.wide(conv_tags=(tag.hex(),))) == ""
    at.rewind("ready")
    assert at.why_not(at.wide(conv_tags=("ab" * 32,))) == "OUT_OF_SCOPE"
    at.rewind("ready")
    others = at.wide(direction="CONVERSATION_OF")
    assert at.why_not(others) == "RANGE_INVALID", "they may have spoken before the target came"


def test_an_epoch_beside_the_window_is_out_of_scope(ready: Days) -> None:
    window = Window(start=ready.start + DAY, end=ready.start + 2 * DAY)
    assert ready.why_not(ready.wide(message_window=window)) in {"OUT_OF_SCOPE", "RANGE_INVALID"}


def test_what_the_key_opens_beside_the_window_is_produced_opened_and_counted(ready: Days) -> None:
    """The relay rounds the window out to epochs, and the report says how much that was."""
    ready.rewind("said")
    warrant_id = ready.apply(window=(ready.start + 1, ready.start + 2))
    ready.sign("issuer", "judge-imani", warrant_id)
    ready.sign("approver", "commissioner-kaya", warrant_id)
    ready.settle()
    ready.pass_time(2 * MINUTE)
    report = ready.execute(warrant_id)
    times = {item.ingest_time for item in ready.world.run(ready.agency, GetOpened(warrant_id)).items}
    assert times == {ready.start}
    assert report.opened == report.produced == report.beyond == len(TEXTS)


def test_after_a_release_nothing_is_admitted_that_was_logged_later(ready: Days) -> None:
    """The key makes up any capsule of that day; whatever device key the agency has, the log shows when."""
    request = ready.wide()
    assert ready.why_not(naming(request, *ready.request.items)) == ""
    again = accepted_by_a_corrupt_relay(ready, ready.request.items[0])
    assert ready.why_not(naming(request, again, number=2)) == "PRECEDENCE"


def test_a_capsule_that_its_sender_spoilt_keeps_no_other_of_the_day_from_being_opened(
    ready: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody sees it before the key is there: the proof shows that r is known, not what is in W."""
    ready.rewind("said")
    with monkeypatch.context() as client:
        client.setattr(Ibe, "encapsulate", lambda _, *bound: spoilt_capsule(*bound[:2]))
        ready.say(ready.bob, "alice", "nobody reads this")
    ready.say(ready.bob, "alice", "and this they do")
    ready.pass_time(DAY + DAY)
    warrant_id = ready.apply()
    ready.sign("issuer", "judge-imani", warrant_id)
    ready.sign("approver", "commissioner-kaya", warrant_id)
    ready.settle()
    ready.pass_time(2 * MINUTE)
    ready.execute(warrant_id)
    opened = ready.world.run(ready.agency, GetOpened(warrant_id)).items
    assert [item.reason for item in opened if item.reason] == ["CAPSULE_MALFORMED"]
    assert sorted(item.text for item in opened if not item.reason) == sorted([*TEXTS, "and this they do"])
    assert all(not request.culprits for request in ready.report(warrant_id).requests)


def test_a_library_that_fails_its_self_test_releases_nothing(ready: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    decision._boot_test.cache_clear()
    monkeypatch.setattr("escrow.crypto.bls12381.pair_alike", lambda *_: False)
    assert ready.why_not() == "SELF_TEST_FAILED"
    monkeypatch.undo()
    decision._boot_test.cache_clear()
    assert ready.why_not() == ""


def test_shares_that_were_refreshed_open_what_was_sealed_before(ready: Days) -> None:
    """The key stays, and with it every identity; the shares are others, of the same sum."""
    store, key_hash = ready.world.store("custodian/1"), ready.request.committee_key_hash
    before = load_holding(store, key_hash)
    ready.world.ask("custodian/1", Refresh(ready.asked.period), "custodian/1")
    for _ in range(12):
        ready.pass_time(MINUTE)
    after = load_holding(store, key_hash)
    assert before is not None
    assert after is not None
    assert (before.generation.number, after.generation.number) == (0, 1)
    assert before.share != after.share
    report = ready.execute()
    assert (report.opened, report.requests[0].culprits) == (len(TEXTS), ())


def test_what_a_key_opened_is_evidence_for_anybody(ready: Days) -> None:
    """Share by share, and item by item."""
    ready.execute()
    bundle = bundle_of(ready)
    shown = verified(ready, bundle)
    assert sorted(said.text for said in shown.opened) == sorted(TEXTS)
    assert len(shown.custodians) == 3
