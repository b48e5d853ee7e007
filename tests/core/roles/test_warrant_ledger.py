"""What the log takes about a warrant besides seal and orders: nothing that is not in its turn (LOG-09, LOG-10)."""

from typing import Any

import pytest

from escrow.errors import Reason
from escrow.roles.calls import GetCase
from escrow.roles.ledger import Ledger
from escrow.tlog.entry import EntryType
from escrow.warrant.disclosure import PUBLIC, Disclosure
from escrow.warrant.error_report import ErrorKind, ErrorReport
from escrow.warrant.noticed import NoticeDelivered
from escrow.warrant.postponing import Postponement
from escrow.warrant.release import Denial, Outcome, ReleaseRecord
from tests.core.roles.scene import AGENCY, DAY, Scene, scene

EXTENDED, DELAYED = EntryType.NONDISCLOSURE_EXTENDED, EntryType.NOTICE_DELAYED


@pytest.fixture
def ready() -> Scene:
    return scene().rewind("ready")


def disclosure(at: Scene, names: Any = PUBLIC) -> bytes:
    case = at.world.ask("authority", GetCase(at.warrant_id), AGENCY)
    return Disclosure.of(at.payload, case.dsse, case.salt, names).encode()


def postponed(at: Scene, kind: EntryType, until: int) -> str:
    (reason,) = at.log("authority", kind, Postponement.signed(kind, at.tag, until, *at.locks).encode())
    return reason


def shown(at: Scene) -> Any:
    ledger, view = Ledger(at.world.genesis), at.world.store("relay")
    seal = ledger.seal(view, at.tag)
    assert seal is not None
    return ledger.shown(view, seal)


@pytest.mark.spec("DSC-3")
def test_a_warrant_is_disclosed_field_by_field_and_each_field_once(ready: Scene) -> None:
    assert ready.log("authority", EntryType.DISCLOSURE, disclosure(ready, ("kind", "urgent"))) == ("",)
    assert shown(ready).disclosed_ms is None
    assert ready.log("authority", EntryType.DISCLOSURE, disclosure(ready, ("kind",))) == ("ILLEGAL_STEP",)
    assert ready.log("custodian/2", EntryType.DISCLOSURE, disclosure(ready)) == ("",)
    assert shown(ready).disclosed_ms is not None
    assert ready.log("custodian/1", EntryType.DISCLOSURE, disclosure(ready)) == ("ILLEGAL_STEP",)
    assert ready.log("relay", EntryType.DISCLOSURE, disclosure(ready)) == ("ENTRY_REFUSED",)


@pytest.mark.spec("DSC-4")
def test_secrecy_is_extended_within_a_bound(ready: Scene) -> None:
    own, most = shown(ready).secret_until, ready.world.genesis.policy.limits.max_extension
    assert own == ready.payload.nondisclosure_until
    assert postponed(ready, EXTENDED, own) == "RANGE_INVALID"
    assert postponed(ready, EXTENDED, own + DAY) == ""
    assert shown(ready).secret_until == own + DAY
    assert postponed(ready, EXTENDED, own + DAY - 1) == "RANGE_INVALID"
    assert postponed(ready, EXTENDED, own + most + 1) == "RANGE_INVALID"
    assert postponed(ready, EXTENDED, own + most) == ""


@pytest.mark.spec("DSC-4")
def test_an_extension_that_comes_too_late_moves_nothing(ready: Scene) -> None:
    own = shown(ready).secret_until
    ready.pass_time(own - ready.world.now)
    assert postponed(ready, EXTENDED, own + DAY) == ""
    assert shown(ready).secret_until == own


def test_a_notice_is_delayed_within_a_bound(ready: Scene) -> None:
    limits, due = ready.world.genesis.policy.limits, shown(ready).notice_until
    assert due == ready.payload.nondisclosure_until + limits.notice_within
    assert postponed(ready, DELAYED, due + limits.max_notice_delay + 1) == "RANGE_INVALID"
    assert postponed(ready, DELAYED, due + DAY) == ""
    assert shown(ready).notice_until == due + DAY
    assert postponed(ready, DELAYED, due + 1) == "RANGE_INVALID"


def test_one_lock_postpones_nothing_and_a_postponement_is_of_the_type_it_says(ready: Scene) -> None:
    until = shown(ready).secret_until + DAY
    alone = Postponement.signed(EXTENDED, ready.tag, until, ready.locks[0]).encode()
    assert ready.log("authority", EXTENDED, alone) == ("LOCKS_INCOMPLETE",)
    other = Postponement.signed(DELAYED, ready.tag, until, *ready.locks).encode()
    assert ready.log("authority", EXTENDED, other) == ("ENTRY_REFUSED",)


@pytest.mark.spec("DSC-5")
def test_a_denial_is_logged_once_and_only_under_a_seal(ready: Scene) -> None:
    key = ready.key("custodian/1").public
    once = Denial(ready.tag, key, b"r" * 32, Reason.EXPIRED)
    assert ready.log("custodian/1", EntryType.DENIAL, once.encode()) == ("",)
    again = Denial(ready.tag, key, b"r" * 32, Reason.SUSPENDED)
    assert ready.log("custodian/1", EntryType.DENIAL, again.encode()) == ("ILLEGAL_STEP",)
    nowhere = Denial(bytes(32), key, b"q" * 32, Reason.EXPIRED)
    assert ready.log("custodian/1", EntryType.DENIAL, nowhere.encode()) == ("SEAL_NOT_LOGGED",)
    assert ready.log("custodian/2", EntryType.DENIAL, once.encode()) == ("ENTRY_REFUSED",)


@pytest.mark.spec("DSC-6")
def test_a_record_follows_on_its_intent(ready: Scene) -> None:
    key = ready.key("custodian/1").public
    record = ReleaseRecord(ready.tag, key, ready.request.hash, bytes(32), Outcome.RELEASED).encode()
    assert ready.log("custodian/1", EntryType.RELEASE_RECORD, record) == ("INTENT_MISSING",)
    assert ready.why_not() == ""
    ready.settle()
    assert ready.log("custodian/1", EntryType.RELEASE_RECORD, record) == ("",)
    assert ready.log("custodian/2", EntryType.RELEASE_RECORD, record) == ("ENTRY_REFUSED",)


def test_notices_and_error_reports_belong_to_a_seal_and_are_logged_once(ready: Scene) -> None:
    ledger, view = Ledger(ready.world.genesis), ready.world.store("relay")
    told = NoticeDelivered(ready.tag, b"n" * 32, 2)
    wrong = ErrorReport(ready.tag, ErrorKind.WRONG_IDENTIFIER, 1, ready.world.now, b"d" * 32)
    for kind, entry in ((EntryType.NOTICE_DELIVERED, told), (EntryType.ERROR_REPORT, wrong)):
        assert ready.log("authority", kind, entry.encode()) == ("",)
        assert ready.log("authority", kind, entry.encode()) == ("",)  # the very same entry is one
        assert ready.log("custodian/1", kind, entry.encode()) == ("ILLEGAL_STEP",)
        assert ready.log("relay", kind, entry.encode()) == ("ENTRY_REFUSED",)
        nowhere = type(entry).decode(entry.encode().replace(ready.tag, bytes(32)))
        assert ready.log("authority", kind, nowhere.encode()) == ("SEAL_NOT_LOGGED",)
    assert ledger.notices(view, ready.tag) == [told]
    assert ledger.errors(view, ready.tag) == [wrong]
    assert shown(ready).noticed_ms is not None
