"""Evidence: what an honest agency brings is believed, and each thing that can be wrong with it has its own name."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from escrow.errors import DeviationError, EscrowError, IntegrityError
from escrow.roles.evidence.bundle import Answer, Asked, Bundle
from escrow.tlog.entry import EntryType
from escrow.warrant.documents import Target
from escrow.warrant.request import ReleaseRequest
from escrow.world.founding import APPROVERS, ISSUERS
from tests.core.roles.corrupt import accepted_by_a_corrupt_relay, released_by_rogues
from tests.core.roles.court import bundle_of, bundle_with, verified
from tests.core.roles.scene import DAY, HOUR, SALT, TEXTS, Scene, scene


@pytest.fixture
def ready() -> Scene:
    return scene().rewind("ready")


@pytest.fixture
def executed(ready: Scene) -> Scene:
    ready.execute()
    ready.settle()
    return ready


def why_not(at: Scene, bundle: Bundle) -> str:
    """The reason for which a verifier does not believe it."""
    with pytest.raises(EscrowError) as refused:
        verified(at, bundle)
    return refused.value.reason.name


def released(at: Scene, request: ReleaseRequest, *others: Asked, **how: Any) -> Bundle:
    return bundle_with(at, *others, released_by_rogues(at, request, **how))


# -- what is believed -----------------------------------------------------------------------------------


def test_an_honest_bundle_is_believed(executed: Scene) -> None:
    proved = verified(executed, bundle_of(executed))
    assert sorted(said.text for said in proved.opened) == sorted(TEXTS)
    assert proved.custodians == {1, 2, 3}
    assert not proved.culprits
    assert proved.warrant.id == executed.warrant_id


def test_a_bundle_reads_as_it_was_written(executed: Scene) -> None:
    bundle = bundle_of(executed)
    assert Bundle.parse(bundle.encode()) == bundle


def test_what_was_opened_stays_proved_when_the_warrant_is_cancelled_later(executed: Scene) -> None:
    executed.log("authority", EntryType.CANCELLATION, executed.order(EntryType.CANCELLATION, ISSUERS[0]))
    executed.pass_time(3 * DAY)
    assert verified(executed, bundle_of(executed)).opened


def test_two_requests_are_proved_side_by_side(executed: Scene) -> None:
    (asked,) = bundle_of(executed).requests
    again = replace(executed.request, request_id=bytes(16))
    assert len(verified(executed, released(executed, again, asked)).opened) == 2 * len(TEXTS)


def test_a_custodian_whose_share_is_bad_is_named_and_the_others_suffice(executed: Scene) -> None:
    bundle = bundle_of(executed)
    (asked,) = bundle.requests
    wrong = msgspec.structs.replace(asked, answers=(*asked.answers[:2], spoilt(asked.answers[2])))
    assert verified(executed, msgspec.structs.replace(bundle, requests=(wrong,))).culprits == {3}


def spoilt(answer: Answer) -> Answer:
    """The same answer with the last byte of its last proof changed."""
    return msgspec.structs.replace(answer, response=answer.response[:-1] + bytes([answer.response[-1] ^ 1]))


# -- what is not ----------------------------------------------------------------------------------------


def test_of_another_deployment(executed: Scene) -> None:
    assert (
        why_not(executed, msgspec.structs.replace(bundle_of(executed), genesis_hash="00" * 32)) == "EVIDENCE_MISMATCH"
    )


def test_of_another_warrant(executed: Scene) -> None:
    assert why_not(executed, msgspec.structs.replace(bundle_of(executed), warrant_id="00" * 16)) == "EVIDENCE_MISMATCH"


def test_without_a_request_nothing_is_proved(ready: Scene) -> None:
    bundle = bundle_of(ready)
    assert bundle.requests == ()
    assert why_not(ready, bundle) == "EVIDENCE_MISMATCH"


@pytest.mark.spec("EVI-1")
def test_a_log_with_another_entry(executed: Scene) -> None:
    bundle = bundle_of(executed)
    changed = (*bundle.entries[:-1], bundle.entries[-1] + b"x")
    with pytest.raises(IntegrityError):
        verified(executed, msgspec.structs.replace(bundle, entries=changed))


def test_a_log_without_its_end(executed: Scene) -> None:
    bundle = bundle_of(executed)
    assert why_not(executed, msgspec.structs.replace(bundle, entries=bundle.entries[:-1])) == "LOG_STALE"


def test_a_log_with_more_than_its_witnesses_have_seen(executed: Scene) -> None:
    bundle = bundle_of(executed)
    assert why_not(executed, msgspec.structs.replace(bundle, entries=(*bundle.entries, b"x"))) == "MALFORMED"
    assert why_not(executed, msgspec.structs.replace(bundle, entries=(), checkpoints=())) == "MALFORMED"


def test_checkpoints_out_of_order(executed: Scene) -> None:
    bundle = bundle_of(executed)
    turned = (bundle.checkpoints[1], bundle.checkpoints[0], *bundle.checkpoints[2:])
    assert why_not(executed, msgspec.structs.replace(bundle, checkpoints=turned)) == "MALFORMED"


def test_a_checkpoint_without_a_quorum(executed: Scene) -> None:
    bundle = bundle_of(executed)
    lines = bundle.checkpoints[-1].splitlines(keepends=True)
    alone = "".join(lines[:6])  # text, an empty line, the log's own signature, one witness
    assert why_not(executed, msgspec.structs.replace(bundle, checkpoints=(alone,))) == "QUORUM_MISSING"


@pytest.mark.spec("EVI-2")
def test_a_warrant_that_was_never_sealed(ready: Scene) -> None:
    payload = ready.rewritten()
    request = replace(ready.request, seal_tag=b"t" * 32)
    assert why_not(ready, released(ready, request)) == "EVIDENCE_MISMATCH", "the tag is that of the warrant"
    opened = ready.under(payload, ready.request.dsse)
    assert why_not(ready, msgspec.structs.replace(released(ready, opened), warrant_id=payload.warrant_id)) == (
        "SEAL_NOT_LOGGED"
    )


@pytest.mark.spec("EVI-2")
def test_a_warrant_under_one_lock(ready: Scene) -> None:
    request = ready.sealed_by_force(ready.rewritten(), ready.locks[0])
    assert why_not(ready, released(ready, request)) == "LOCKS_INCOMPLETE"


@pytest.mark.spec("EVI-3")
def test_a_release_that_was_not_logged(ready: Scene) -> None:
    bundle = released(ready, ready.request, intents=(1,))
    with pytest.raises(DeviationError) as refused:
        verified(ready, bundle)
    assert (refused.value.reason.name, refused.value.culprits) == ("INTENT_MISSING", frozenset({"custodian/2"}))


MOMENTS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "cancelled": (lambda s: stop(s, EntryType.CANCELLATION, ISSUERS), "CANCELLED"),
    "suspended": (lambda s: stop(s, EntryType.SUSPENSION, APPROVERS), "SUSPENDED"),
    "refused": (lambda s: stop(s, EntryType.REFUSAL, APPROVERS), "REFUSED"),
    "expired": (lambda s: s.pass_time(2 * DAY), "EXPIRED"),
}


def stop(at: Scene, order: EntryType, people: Iterable[str]) -> None:
    assert at.log("authority", order, at.order(order, next(iter(people)))) == ("",)


@pytest.mark.spec("EVI-4")
@pytest.mark.parametrize("case", MOMENTS)
def test_a_release_while_the_warrant_was_not_in_force(ready: Scene, case: str) -> None:
    happens, reason = MOMENTS[case]
    happens(ready)
    assert why_not(ready, released(ready, ready.request)) == reason


@pytest.mark.spec("EVI-4")
def test_a_checkpoint_that_is_left_out_makes_no_later_resumption_count(ready: Scene) -> None:
    stop(ready, EntryType.SUSPENSION, APPROVERS)
    asked = released_by_rogues(ready, ready.request)
    resumed = ready.order(EntryType.RESUMPTION, ISSUERS[0], APPROVERS[0])
    assert ready.log("authority", EntryType.RESUMPTION, resumed) == ("",)
    bundle = bundle_with(ready, asked)
    assert why_not(ready, bundle) == "SUSPENDED"
    announced = next(place for place, data in enumerate(bundle.entries) if b"release-intent" in data)
    before = [note for note in bundle.checkpoints if int(note.split("\n")[1]) <= announced]
    without = msgspec.structs.replace(bundle, checkpoints=(*before, bundle.checkpoints[-1]))
    assert why_not(ready, without) == "SUSPENDED"


@pytest.mark.spec("EVI-4")
def test_a_release_before_the_warrant_was_active(ready: Scene) -> None:
    later = ready.rewritten(not_before=ready.world.now + HOUR)
    request = ready.sealed_by_force(later, *ready.locks)
    assert why_not(ready, released(ready, request)) == "NOT_YET_ACTIVE"


def test_what_the_warrant_does_not_cover(ready: Scene) -> None:
    somebody = Target(account=ready.account(ready.alice).hex(), device=None)
    request = ready.sealed_by_force(ready.rewritten(targets=(somebody,)), *ready.locks)
    assert why_not(ready, released(ready, request)) == "OUT_OF_SCOPE"


@pytest.mark.spec("EVI-7")
def test_more_than_the_warrant_admits(ready: Scene) -> None:
    small = ready.sealed_by_force(ready.rewritten(max_capsules=3), *ready.locks)
    first = released_by_rogues(ready, small)
    again = released_by_rogues(ready, replace(small, request_id=bytes(16)))
    assert verified(ready, bundle_with(ready, first)).opened
    assert why_not(ready, bundle_with(ready, first, again)) == "QUOTA_WARRANT"
    assert why_not(ready, bundle_with(ready, again)) == "QUOTA_WARRANT", "the first one is kept back, not undone"


def test_an_item_that_the_device_did_not_sign(ready: Scene) -> None:
    body, signature = ready.request.items[0].body, ready.request.items[0].device_sig
    changed = ready.with_item(body=body[:-1] + bytes([body[-1] ^ 1]))
    assert why_not(ready, released(ready, changed)) == "RECEIPT_INVALID"
    request = ready.with_item(device_sig=signature[:-1] + bytes([signature[-1] ^ 1]))
    assert why_not(ready, released(ready, request)) == "SUBMISSION_INVALID"


def test_what_a_corrupt_relay_accepted_after_the_first_intent(ready: Scene) -> None:
    window = msgspec.structs.replace(ready.payload.message_window, end=ready.world.now + HOUR)
    request = ready.sealed_by_force(ready.rewritten(message_window=window), *ready.locks)
    first = released_by_rogues(ready, request)
    made_up = accepted_by_a_corrupt_relay(ready, request.items[0])
    second = replace(request, items=(made_up,), request_id=bytes(16))
    assert why_not(ready, released(ready, second, first)) == "PRECEDENCE"
    assert verified(ready, bundle_with(ready, first)).opened, "the first request stays proved"


@pytest.mark.spec("EVI-5")
def test_shares_whose_proofs_do_not_hold(ready: Scene) -> None:
    asked = released_by_rogues(ready, ready.request)
    wrong = msgspec.structs.replace(asked, answers=(asked.answers[0], spoilt(asked.answers[1])))
    bundle = msgspec.structs.replace(bundle_with(ready, asked), requests=(wrong,))
    with pytest.raises(DeviationError) as refused:
        verified(ready, bundle)
    assert (refused.value.reason.name, refused.value.culprits) == ("SHARE_INVALID", frozenset({"custodian/2"}))


@pytest.mark.spec("EVI-5")
def test_fewer_shares_than_the_threshold(ready: Scene) -> None:
    asked = released_by_rogues(ready, ready.request)
    alone = msgspec.structs.replace(asked, answers=asked.answers[:1])
    bundle = msgspec.structs.replace(bundle_with(ready, asked), requests=(alone,))
    assert why_not(ready, bundle) == "NOT_ENOUGH_SHARES"
    nobody = msgspec.structs.replace(asked, answers=())
    assert why_not(ready, msgspec.structs.replace(bundle, requests=(nobody,))) == "NOT_ENOUGH_SHARES"


def test_the_answer_of_one_custodian_under_the_name_of_another(ready: Scene) -> None:
    asked = released_by_rogues(ready, ready.request)
    twice = (asked.answers[0], msgspec.structs.replace(asked.answers[0], custodian=2))
    bundle = msgspec.structs.replace(
        bundle_with(ready, asked), requests=(msgspec.structs.replace(asked, answers=twice),)
    )
    assert why_not(ready, bundle) == "SHARE_INVALID"


def test_a_request_that_the_agency_did_not_sign(executed: Scene) -> None:
    bundle = bundle_of(executed)
    (asked,) = bundle.requests
    unsigned = msgspec.structs.replace(asked, signature=bytes(64))
    assert why_not(executed, msgspec.structs.replace(bundle, requests=(unsigned,))) == "REQUEST_SIGNATURE"


@pytest.mark.spec("EVI-6")
@pytest.mark.parametrize(
    "change", [{"text": "I did it."}, {"ingest_time": 1}, {"ingest_seq": 99}, {"sender_account": "00" * 32}]
)
def test_words_that_nobody_said(executed: Scene, change: dict[str, Any]) -> None:
    bundle = bundle_of(executed)
    said = msgspec.structs.replace(bundle.opened[0], **change)
    assert why_not(executed, msgspec.structs.replace(bundle, opened=(said, *bundle.opened[1:]))) == "EVIDENCE_MISMATCH"
    assert why_not(executed, msgspec.structs.replace(bundle, opened=bundle.opened[1:])) == "EVIDENCE_MISMATCH"


def test_the_seal_of_other_bytes(executed: Scene) -> None:
    request = replace(executed.request, salt=SALT)
    assert why_not(executed, released(executed, request)) == "SEAL_MISMATCH"
