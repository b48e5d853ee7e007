"""The monitor: silent while everybody keeps the rules, and each way to break them has its own alarm."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from escrow.crypto.sign import SigningKey
from escrow.errors import BehindError, RefusedError
from escrow.ids import Party
from escrow.roles.agency.state import load_case
from escrow.roles.calls import GetHead
from escrow.roles.monitor import Monitor
from escrow.roles.monitor.commands import Alarm, Findings, GetFindings, Watched
from escrow.roles.monitor.statistics import year_of
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.disclosure import Disclosure
from escrow.warrant.release import Outcome, ReleaseIntent, ReleaseRecord
from escrow.warrant.request import ReleaseRequest, sign_request
from escrow.warrant.sealing import make_leaf
from escrow.world.founding import APPROVERS, ISSUERS
from escrow.world.loop import complete
from tests.core.roles.corrupt import logged_by_force
from tests.core.roles.onlooker import NAME, Onlooker
from tests.core.roles.scene import AGENCY, DAY, HOUR, MINUTE, SALT, TEXTS, Scene, scene
from tests.core.roles.town import founded

STRANGER = SigningKey.from_seed(Secret(b"s" * 32))


@pytest.fixture
def ready() -> Scene:
    return scene().rewind("ready")


@pytest.fixture
def onlooker(ready: Scene) -> Onlooker:
    return Onlooker(ready).look()


def intend(at: Scene, request: ReleaseRequest, custodian: int = 1) -> None:
    """An intent of a custodian that has decided nothing."""
    key = at.key(f"custodian/{custodian}").public
    signature = sign_request(at.request_key, request)
    said = request.committee_key_hash, 0, request.hash, request.item_root, request.count, signature
    payload = ReleaseIntent(request.seal_tag, key, *said).encode()
    assert at.log(f"custodian/{custodian}", EntryType.RELEASE_INTENT, payload) == ("",)


def release(at: Scene, request: ReleaseRequest, custodian: int = 1) -> None:
    """The same, and its word that it has released."""
    intend(at, request, custodian)
    say_released(at, request, custodian)


def say_released(at: Scene, request: ReleaseRequest, custodian: int = 1) -> None:
    """A custodian's word alone."""
    key = at.key(f"custodian/{custodian}").public
    record = ReleaseRecord(request.seal_tag, key, request.hash, bytes(32), Outcome.RELEASED)
    assert at.log(f"custodian/{custodian}", EntryType.RELEASE_RECORD, record.encode()) == ("",)


def silence(at: Scene) -> None:
    """Authority and custodians do nothing any more; log and witnesses do."""
    at.world.network.down.update([Party("authority"), Party("relay"), *at.custodians])


# -- silence ------------------------------------------------------------------------------------------


def test_an_honest_release_raises_no_alarm(ready: Scene, onlooker: Onlooker) -> None:
    assert onlooker.alarms() == set()
    ready.execute()
    ready.settle()
    assert onlooker.alarms() == set()
    found = onlooker.findings()
    assert found.size == ready.world.store("log").length("log/leaves")


def test_nor_does_what_honest_custodians_refuse(ready: Scene, onlooker: Onlooker) -> None:
    ready.log("authority", EntryType.CANCELLATION, ready.order(EntryType.CANCELLATION, ISSUERS[0]))
    assert ready.why_not() == "CANCELLED"
    ready.settle()
    assert onlooker.alarms() == set()


@pytest.mark.spec("MON-2")
def test_nor_an_intent_whose_custodian_released_nothing(ready: Scene, onlooker: Onlooker) -> None:
    ready.log("authority", EntryType.CANCELLATION, ready.order(EntryType.CANCELLATION, ISSUERS[0]))
    intend(ready, ready.request)
    assert onlooker.alarms() == set()


@pytest.mark.spec("MON-1")
def test_a_delay_that_nobody_saw_pass_is_no_offence(ready: Scene) -> None:
    patient = ready.rewritten(activation_delay_s=3600)
    request = ready.sealed_by_force(patient, *ready.locks, wait=MINUTE)
    release(ready, request)
    assert Onlooker(ready).alarms() == set(), "seal and release came between two looks"


def test_who_looks_rarely_accuses_nobody_wrongly(ready: Scene) -> None:
    ready.execute()
    ready.settle()
    assert Onlooker(ready).look().alarms() == set()


def test_what_it_remembers_is_of_one_deployment(ready: Scene, onlooker: Onlooker) -> None:
    complete(onlooker.store.commit(Monitor(ready.world.genesis, NAME).pin))
    complete(onlooker.store.commit(Monitor(ready.world.genesis, NAME).pin))
    other = Monitor(founded().genesis, NAME)
    with pytest.raises(RefusedError, match="EVIDENCE_MISMATCH"):
        complete(onlooker.store.commit(other.pin))


def test_only_whoever_runs_it_is_answered(ready: Scene, onlooker: Onlooker) -> None:
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        complete(onlooker.node.ask(Party("person/other"), GetFindings()))


# -- alarms -------------------------------------------------------------------------------------------


def test_a_release_without_a_seal(ready: Scene, onlooker: Onlooker) -> None:
    intend(ready, ready.under(ready.rewritten(), ready.request.dsse))
    assert onlooker.alarms() == {Alarm.INTENT_WITHOUT_SEAL}


def test_a_seal_after_the_release(ready: Scene, onlooker: Onlooker) -> None:
    payload = ready.rewritten()
    request = ready.under(payload, ready.request.dsse)
    intend(ready, request)
    sealed = make_leaf(payload, request.dsse, SALT).encode()
    assert ready.log("authority", EntryType.WARRANT_SEALED, sealed) == ("",)
    assert onlooker.alarms() == {Alarm.INTENT_WITHOUT_SEAL}


def test_one_warrant_sealed_twice(ready: Scene, onlooker: Onlooker) -> None:
    ready.sealed_by_force(ready.payload, *ready.locks)
    assert onlooker.alarms() == {Alarm.SEALED_AGAIN}


def test_a_release_before_the_delay_is_over(ready: Scene, onlooker: Onlooker) -> None:
    ready.pass_time(MINUTE)
    onlooker.look()
    patient = ready.rewritten(activation_delay_s=3600)
    release(ready, ready.sealed_by_force(patient, *ready.locks, wait=MINUTE))
    assert onlooker.alarms() == {Alarm.RELEASE_TOO_EARLY}


STOPS: dict[str, Callable[[Scene], tuple[EntryType, bytes]]] = {
    "cancelled": lambda s: (EntryType.CANCELLATION, s.order(EntryType.CANCELLATION, ISSUERS[0])),
    "suspended": lambda s: (EntryType.SUSPENSION, s.order(EntryType.SUSPENSION, APPROVERS[0])),
    "refused": lambda s: (EntryType.REFUSAL, s.order(EntryType.REFUSAL, APPROVERS[0])),
}


@pytest.mark.parametrize("case", STOPS)
def test_a_release_after_a_stop(ready: Scene, onlooker: Onlooker, case: str) -> None:
    assert ready.log("authority", *STOPS[case](ready)) == ("",)
    release(ready, ready.request)
    assert onlooker.alarms() == {Alarm.RELEASE_AFTER_STOP}


def test_a_release_after_a_stop_that_was_lifted_before_it_is_no_offence(ready: Scene, onlooker: Onlooker) -> None:
    assert ready.log("authority", *STOPS["suspended"](ready)) == ("",)
    intend(ready, ready.request)
    resumed = ready.order(EntryType.RESUMPTION, ISSUERS[0], APPROVERS[0])
    assert ready.log("authority", EntryType.RESUMPTION, resumed) == ("",)
    say_released(ready, ready.request)
    assert onlooker.alarms() == set()


def test_more_than_the_size_class_of_a_warrant(ready: Scene, onlooker: Onlooker) -> None:
    small = ready.sealed_by_force(ready.rewritten(max_capsules=3), *ready.locks)
    four = [replace(small, request_id=bytes([n]) * 16) for n in range(4)]
    for request in four[:3]:
        release(ready, request)
    assert onlooker.alarms() == set(), "nine capsules fit one digit"
    release(ready, four[3])
    assert onlooker.alarms() == {Alarm.TOO_MUCH}


def test_more_than_a_disclosed_warrant_admits(ready: Scene, onlooker: Onlooker) -> None:
    payload = ready.rewritten(max_capsules=2)
    request = ready.sealed_by_force(payload, *ready.locks)
    release(ready, request)
    assert onlooker.alarms() == set(), "three capsules fit one digit"
    said = Disclosure.of(payload, request.dsse, SALT).encode()
    assert ready.log("authority", EntryType.DISCLOSURE, said) == ("",)
    assert onlooker.alarms() == {Alarm.TOO_MUCH}


@pytest.mark.spec("MON-4")
@pytest.mark.parametrize("disclosed", [False, True])
def test_what_one_custodian_invents_counts_against_nobody_else(
    ready: Scene, onlooker: Onlooker, *, disclosed: bool
) -> None:
    payload = ready.rewritten(max_capsules=3)
    request = ready.sealed_by_force(payload, *ready.locks)
    key = ready.key("custodian/1").public
    invented = request.committee_key_hash, 0, bytes(32), request.item_root, 1000, bytes(64)
    intent = ReleaseIntent(request.seal_tag, key, *invented).encode()
    assert ready.log("custodian/1", EntryType.RELEASE_INTENT, intent) == ("",)
    for custodian in (2, 3):
        release(ready, request, custodian)
    if disclosed:
        said = Disclosure.of(payload, request.dsse, SALT).encode()
        assert ready.log("authority", EntryType.DISCLOSURE, said) == ("",)
    assert onlooker.alarms() == set()


def test_a_sealed_field_that_holds_nonsense_silences_no_monitor(ready: Scene, onlooker: Onlooker) -> None:
    payload = msgspec.structs.replace(ready.rewritten(), max_capsules="many", request_key="nobody's")
    request = ready.sealed_by_force(payload, *ready.locks)
    said = Disclosure.of(payload, request.dsse, SALT).encode()
    assert ready.log("authority", EntryType.DISCLOSURE, said) == ("",)
    release(ready, request)
    assert onlooker.alarms() == set()


def test_an_urgent_warrant_that_was_never_approved(ready: Scene, onlooker: Onlooker) -> None:
    soon = ready.world.now + HOUR
    urgent = ready.rewritten(urgent=True, approve_by=soon)
    request = ready.sealed_by_force(urgent, ready.locks[0])
    release(ready, request)
    assert onlooker.alarms() == set()
    ready.pass_time(2 * HOUR)
    onlooker.look()
    release(ready, replace(request, request_id=bytes(16)), custodian=2)
    assert onlooker.alarms() == {Alarm.RELEASE_UNAPPROVED}


def test_secrecy_that_does_not_end(ready: Scene, onlooker: Onlooker) -> None:
    silence(ready)
    ready.world.advance(ready.payload.nondisclosure_until - ready.world.now)
    ready.settle()
    assert not onlooker.alarms() & {Alarm.NOT_DISCLOSED, Alarm.NOT_NOTIFIED}
    limits = ready.world.genesis.policy.limits
    ready.pass_time(limits.disclosure_grace + MINUTE)
    assert Alarm.NOT_DISCLOSED in onlooker.alarms()
    ready.pass_time(limits.notice_within)
    assert onlooker.alarms() >= {Alarm.NOT_DISCLOSED, Alarm.NOT_NOTIFIED}


def test_what_is_disclosed_is_not_overdue(ready: Scene, onlooker: Onlooker) -> None:
    silence(ready)
    case = load_case(ready.world.store(AGENCY), ready.warrant_id)
    said = Disclosure.of(case.payload, case.dsse, case.salt).encode()
    assert ready.log("authority", EntryType.DISCLOSURE, said) == ("",)
    ready.pass_time(ready.payload.nondisclosure_until - ready.world.now + 30 * DAY)
    assert Alarm.NOT_DISCLOSED not in onlooker.alarms()


def test_a_share_that_outlives_its_period(ready: Scene, onlooker: Onlooker) -> None:
    silence(ready)
    policy = ready.world.genesis.policy
    retire_at = policy.retire_at(policy.period_of(policy.epoch_of(ready.world.now)))
    ready.world.clock._now = retire_at + ready.world.genesis.mmd_ms + MINUTE
    ready.settle()
    found = [one for one in onlooker.look().findings().findings if one.alarm == Alarm.NOT_ERASED]
    assert {one.about for one in found} == {ready.key(name).public for name in ready.custodians}


def test_a_device_that_its_owner_does_not_know(ready: Scene, onlooker: Onlooker) -> None:
    account = ready.account(ready.bob)
    assert onlooker.alarms(Watched(account, 0)) == set()
    assert onlooker.alarms(Watched(account, -1)) == {Alarm.GHOST_DEVICE}, "it should have none"


def test_an_entry_that_an_honest_log_does_not_take(ready: Scene, onlooker: Onlooker) -> None:
    logged_by_force(ready, Entry.make(EntryType.COMMITTEE_KEY, b"mine", STRANGER, ready.world.genesis.log.origin))
    assert onlooker.alarms() == {Alarm.ENTRY_REFUSED}


def test_a_log_that_stands_still(ready: Scene, onlooker: Onlooker) -> None:
    ready.world.network.down.add(Party("log"))
    ready.world.clock._now += ready.world.genesis.fresh_ms + MINUTE
    assert onlooker.alarms() == {Alarm.LOG_SILENT}


@pytest.mark.spec("MON-3")
def test_a_log_that_goes_back_on_what_it_said(ready: Scene, onlooker: Onlooker) -> None:
    ready.execute()
    ready.settle()
    size = onlooker.look().findings().size
    scene().rewind("ready")
    for n in range(9):
        intend(ready, replace(ready.request, request_id=bytes([n]) * 16))
    assert Alarm.FORK in onlooker.alarms()
    assert onlooker.findings().size == size, "what was read stays what it was"


def test_a_history_that_others_were_shown(ready: Scene, onlooker: Onlooker) -> None:
    head = ready.world.ask("log", GetHead(0, 0)).note
    onlooker.compare(head)
    assert onlooker.alarms() == set()
    ready.execute()
    ready.settle()
    shown = ready.world.ask("log", GetHead(0, 0)).note
    other = Onlooker(scene().rewind("ready")).look()
    with pytest.raises(BehindError):
        other.compare(shown)
    for n in range(8):
        intend(ready, replace(ready.request, request_id=bytes([n]) * 16))
    other.look().compare(shown)
    assert other.alarms() == {Alarm.FORK}


# -- the count ----------------------------------------------------------------------------------------


def test_the_report_is_what_happened(ready: Scene, onlooker: Onlooker) -> None:
    ready.execute()
    ready.settle()
    ready.log("authority", EntryType.CANCELLATION, ready.order(EntryType.CANCELLATION, ISSUERS[0]))
    assert ready.why_not(replace(ready.request, request_id=bytes(16))) == "CANCELLED"
    ready.settle()
    year = year_of(ready.world.now)
    said = onlooker.report(year)
    assert (said.sealed, said.urgent, said.cancelled) == (1, 0, 1)
    assert (said.requests, said.capsules, said.intents, said.released) == (1, len(TEXTS), 3, 3)
    assert said.denials == (("CANCELLED", 1),)
    other = onlooker.report(year - 1)
    assert (other.sealed, other.released, other.denials) == (0, 0, ())


def test_findings_come_in_a_fixed_order(ready: Scene, onlooker: Onlooker) -> None:
    ready.sealed_by_force(ready.payload, *ready.locks)
    release(ready, ready.under(ready.rewritten(), ready.request.dsse))
    found: Findings = onlooker.look().findings()
    assert list(found.findings) == sorted(found.findings)
    assert len(found.findings) > 1
