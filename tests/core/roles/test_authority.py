"""The authority's desk: two locks by different people, one seal, and a state that follows the log."""

import msgspec
import pytest

from escrow.errors import EscrowError, RefusedError
from escrow.roles.calls import Apply, Case, DeliverOrder, GetCase, OrderCase, SignCase
from escrow.tlog.entry import EntryType
from escrow.warrant import dsse, strict
from escrow.warrant.documents import PAYLOAD_TYPE
from escrow.warrant.locks import check_locks
from escrow.warrant.orders import statement_of
from escrow.warrant.sealing import SealedLeaf, check_leaf, seal_tag
from escrow.world.founding import APPROVERS, ISSUERS
from escrow.world.loop import complete
from tests.core.roles.scene import AGENCY, HOUR, MINUTE, Scene, scene


@pytest.fixture
def applied() -> Scene:
    return scene().rewind("applied")


def case_of(at: Scene, warrant_id: bytes = b"", origin: str = AGENCY) -> Case:
    case: Case = at.world.ask("authority", GetCase(warrant_id or at.warrant_id), origin)
    return case


def seals(at: Scene) -> list[SealedLeaf]:
    return [SealedLeaf.decode(entry.payload) for entry in at.entries(EntryType.WARRANT_SEALED)]


def test_two_locks_make_one_seal(applied: Scene) -> None:
    assert applied.sign("issuer", ISSUERS[0]).state == "submitted"
    assert seals(applied) == []
    assert applied.sign("approver", APPROVERS[0]).state == "approved"
    (leaf,) = seals(applied)
    case = case_of(applied)
    assert (case.state, case.sealed) == ("sealed", True)
    assert case.signers == (f"issuer:{ISSUERS[0]}", f"approver:{APPROVERS[0]}")
    check_leaf(leaf, applied.payload, case.dsse, case.salt)
    assert check_locks(case.dsse, applied.world.genesis).approved


def test_the_state_follows_the_log_and_the_clock() -> None:
    at = scene().rewind("sealed")
    assert case_of(at).state == "cooling"
    at.pass_time(MINUTE)
    assert case_of(at).state == "active"
    at.world.network.down.add(at.world["log"].party)
    at.pass_time(at.payload.not_after - at.world.now)
    assert case_of(at).state == "disclosure_due"  # this one stays secret no longer than it is in force
    at.world.network.down.clear()
    at.settle()
    assert case_of(at).state == "disclosed"


def test_a_warrant_that_stays_secret_expires_first(applied: Scene) -> None:
    warrant_id = applied.apply(not_after=applied.world.now + HOUR, nondisclosure_until=applied.world.now + 2 * HOUR)
    for role, person in (("issuer", ISSUERS[0]), ("approver", APPROVERS[0])):
        applied.sign(role, person, warrant_id)
    applied.settle()
    applied.pass_time(HOUR)
    assert case_of(applied, warrant_id).state == "expired"
    applied.pass_time(HOUR)
    assert case_of(applied, warrant_id).state == "disclosed"


def test_the_second_lock_waits_for_the_first(applied: Scene) -> None:
    with pytest.raises(RefusedError, match="LOCKS_INCOMPLETE"):
        applied.sign("approver", APPROVERS[0])
    assert case_of(applied).signers == ()


def test_nobody_signs_in_a_role_they_do_not_hold(applied: Scene) -> None:
    for role, person in (("issuer", APPROVERS[0]), ("approver", ISSUERS[0]), ("clerk", ISSUERS[0]), ("", "")):
        call = SignCase(applied.warrant_id, role, person, bytes(64))
        with pytest.raises(RefusedError, match="ROLE_KEY_UNAUTHORISED"):
            applied.world.ask("authority", call, f"person/{person}")
    assert case_of(applied).signers == ()


def test_people_sign_for_themselves(applied: Scene) -> None:
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        applied.sign("issuer", ISSUERS[0], origin=f"person/{APPROVERS[0]}")


@pytest.mark.parametrize("spoil", ["another document", "another type", "another key"])
def test_a_signature_must_be_over_this_warrant(applied: Scene, spoil: str) -> None:
    payload, kind, key = applied.payload_bytes(), PAYLOAD_TYPE, applied.person(ISSUERS[0])
    match spoil:
        case "another document":
            payload += b" "
        case "another type":
            kind = "application/json"
        case _:
            key = applied.person(APPROVERS[0])
    call = SignCase(applied.warrant_id, "issuer", ISSUERS[0], dsse.sign(kind, payload, key).sig)
    before = applied.world.store("authority").snapshot()
    with pytest.raises(RefusedError, match="SIGNATURE_INVALID"):
        applied.world.ask("authority", call, f"person/{ISSUERS[0]}")
    assert applied.world.store("authority").snapshot() == before


def test_signing_twice_is_signing_once(applied: Scene) -> None:
    once = applied.sign("issuer", ISSUERS[0])
    assert applied.sign("issuer", ISSUERS[0]) == once
    applied.sign("approver", APPROVERS[0])
    again = applied.sign("approver", APPROVERS[0])
    assert len(again.signers) == 2
    assert len(seals(applied)) == 1


def test_after_the_seal_no_more_signatures_are_taken(applied: Scene) -> None:
    applied.sign("issuer", ISSUERS[0])
    applied.sign("approver", APPROVERS[0])
    with pytest.raises(RefusedError, match="ILLEGAL_STEP"):
        applied.sign("issuer", ISSUERS[1])


def test_applying_twice_is_applying_once_and_an_id_is_not_taken_twice(applied: Scene) -> None:
    payload = applied.payload_bytes()
    assert applied.world.ask("authority", Apply(payload), AGENCY) == case_of(applied)
    other = strict.encode(msgspec.structs.replace(applied.payload, max_capsules=9))
    for data, origin in ((other, AGENCY), (payload, "agency/others")):
        with pytest.raises(RefusedError, match="IDEMPOTENCY_CONFLICT"):
            applied.world.ask("authority", Apply(data), origin)


@pytest.mark.parametrize(
    ("origin", "reason"), [("person/" + ISSUERS[0], "PERMISSION_DENIED"), ("relay", "PERMISSION_DENIED")]
)
def test_only_agencies_apply(applied: Scene, origin: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        applied.world.ask("authority", Apply(applied.payload_bytes()), origin)


def test_an_application_beyond_the_policy_is_refused(applied: Scene) -> None:
    payload = applied.rewritten(not_after=applied.payload.not_before + 400 * 24 * HOUR)
    with pytest.raises(RefusedError, match="RANGE_INVALID"):
        applied.world.ask("authority", Apply(strict.encode(payload)), AGENCY)


def test_a_case_is_shown_to_its_agency_and_to_those_who_sign(applied: Scene) -> None:
    assert case_of(applied) == case_of(applied, origin=f"person/{ISSUERS[1]}")
    for origin in ("agency/others", "device/x/1", "relay"):
        with pytest.raises(RefusedError, match="NOT_FOUND"):
            case_of(applied, origin=origin)
    with pytest.raises(RefusedError, match="NOT_FOUND"):
        case_of(applied, bytes(16))


def cancel(at: Scene, person: str, signer: str = "", origin: str = "") -> Case:
    signature = at.person(signer or person).sign(statement_of(EntryType.CANCELLATION, at.tag))
    call = OrderCase(at.warrant_id, EntryType.CANCELLATION, 0, person, signature)
    case: Case = at.world.ask("authority", call, origin or f"person/{person}")
    complete(at.world["authority"].pump())
    return case


@pytest.mark.parametrize("person", [ISSUERS[1], APPROVERS[0]])
def test_one_lock_cancels_for_everybody_and_for_good(person: str) -> None:
    at = scene().rewind("ready")
    assert cancel(at, person).state == "cancelled"
    assert [at.why_not(custodian=n) for n in (1, 2, 3)] == ["CANCELLED"] * 3
    assert cancel(at, person).state == "cancelled"
    at.settle()
    assert at.execute().refused == "CANCELLED"
    with pytest.raises(RefusedError, match="ILLEGAL_STEP"):
        at.sign("approver", APPROVERS[1])


def test_a_cancellation_reaches_custodians_without_the_log() -> None:
    at = scene().rewind("ready")
    at.world.network.down.add(at.world["log"].party)
    cancel(at, ISSUERS[0])
    assert [at.why_not(custodian=n) for n in (1, 2, 3)] == ["CANCELLED"] * 3


def test_nobody_else_cancels() -> None:
    at = scene().rewind("ready")
    for how in ({"signer": APPROVERS[0]}, {"origin": AGENCY}):
        with pytest.raises(EscrowError, match=r"SIGNATURE_INVALID|PERMISSION_DENIED"):
            cancel(at, ISSUERS[0], **how)
    assert at.why_not() == ""


def test_before_there_is_a_warrant_nothing_is_cancelled(applied: Scene) -> None:
    with pytest.raises(RefusedError, match="ILLEGAL_STEP"):
        cancel(applied, ISSUERS[0])


def test_an_urgent_warrant_is_sealed_under_one_lock_and_lapses_without_the_other(applied: Scene) -> None:
    deadline = applied.world.now + HOUR
    warrant_id = applied.apply(approve_by=deadline)
    applied.sign("issuer", ISSUERS[0], warrant_id)
    applied.settle()
    applied.pass_time(2 * MINUTE)
    assert case_of(applied, warrant_id).state == "active"
    applied.keep("urgent")
    applied.pass_time(deadline - applied.world.now)
    assert case_of(applied, warrant_id).state == "lapsed"

    applied.rewind("urgent")
    statement = statement_of(EntryType.APPROVAL, seal_tag(warrant_id))
    signature = applied.person(APPROVERS[0]).sign(statement)
    call = SignCase(warrant_id, "approver", APPROVERS[0], signature)
    applied.world.ask("authority", call, f"person/{APPROVERS[0]}")
    applied.settle()
    applied.pass_time(deadline - applied.world.now)
    assert case_of(applied, warrant_id).state == "active"


def test_suspension_and_resumption_are_shown() -> None:
    at = scene().rewind("ready")
    at.world.ask("custodian/1", DeliverOrder(at.order(EntryType.SUSPENSION, ISSUERS[0])))
    at.settle()
    assert case_of(at).state == "suspended"
    at.log("authority", EntryType.RESUMPTION, at.order(EntryType.RESUMPTION, ISSUERS[0], APPROVERS[0]))
    assert case_of(at).state == "active"
