"""Every state against every event at the authority's desk: what the table admits happens, and nothing else (WAR-26)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import MalformedError, Reason, RefusedError
from escrow.roles.agency.state import load_case
from escrow.roles.calls import OrderCase
from escrow.tlog.entry import EntryType
from escrow.warrant.identifier import identifier
from escrow.warrant.orders import statement_of
from escrow.warrant.sealing import SealedLeaf
from escrow.warrant.table import IN_FORCE, TABLE, Event, State
from escrow.world.founding import APPROVERS, ISSUERS
from tests.claims.measures import effort
from tests.core.roles.desk import SITUATIONS, Desk, applied, situation
from tests.core.roles.scene import AGENCY, DAY, HOUR, MINUTE, scene

ASKED = (Event.WITHDRAW, Event.ISSUE, Event.APPROVE, Event.REFUSE, Event.SUSPEND, Event.RESUME, Event.CANCEL,
         Event.ATTAIN, Event.EXTEND, Event.RENEW, Event.MODIFY)  # fmt: skip
"""What people can ask for; what is left of the events happens by itself."""


def expected(name: str, state: State, event: Event) -> State | None:
    """The table with its guards, written out for the situations."""
    following = TABLE[state].get(event)
    lock_missing = "urgent" in name
    if state in {State.SUBMITTED, State.APPROVED, State.ISSUED_URGENT}:
        if event is Event.APPROVE and state is State.SUBMITTED:
            return None  # the first lock comes first
        if event is Event.ISSUE and lock_missing:
            return State.COOLING if state is State.SUBMITTED else None  # under one lock it is sealed at once
        return following
    if event in (Event.APPROVE, Event.REFUSE) and not lock_missing:
        return None
    return State.COOLING if following is State.SEALED else following


def test_there_is_a_situation_for_every_state_that_people_see() -> None:
    seen = {state for state, _ in SITUATIONS.values()}
    assert set(State) - seen == {State.NONE, State.DRAFT, State.SEALED}  # before the desk, or passed at once


@pytest.mark.spec("WRT-10")
@pytest.mark.parametrize("name", SITUATIONS)
def test_each_event_does_what_the_table_says_or_nothing(name: str) -> None:
    state = SITUATIONS[name][0]
    assert situation(name).state is state
    for event in ASKED:
        desk = situation(name)
        following, before = expected(name, state, event), desk.at.world.store("authority").snapshot()
        if following is None:
            with pytest.raises(RefusedError) as refused:
                desk.ask(event, APPROVERS[1])
            # What has ended the agency's own tool cannot even word a narrower warrant for.
            worded = {Reason.RANGE_INVALID} if event is Event.MODIFY else set()
            assert refused.value.reason in {Reason.ILLEGAL_STEP, Reason.LOCKS_INCOMPLETE} | worded, event
            assert desk.at.world.store("authority").snapshot() == before, event
            assert desk.state is state
        else:
            desk.ask(event, APPROVERS[1])
            # Both locks of a resumed one are tested again from the seal on, and its time has come long ago.
            resumed = {State.COOLING, State.ACTIVE} if event is Event.RESUME else {following}
            assert desk.state in resumed, event


def test_what_happens_by_itself_follows_the_table() -> None:
    """Lapse, expiry, the end of secrecy and what is overdue need nobody, and lead where the table says."""
    for name, by, following in (
        ("submitted, urgent", 13 * HOUR, State.LAPSED),
        ("submitted", 25 * HOUR, State.LAPSED),
        ("cooling", MINUTE, State.ACTIVE),
        ("active, urgent", 12 * HOUR, State.LAPSED),
        ("active", DAY, State.EXPIRED),
        ("exhausted", DAY, State.EXPIRED),
        ("suspended", DAY, State.EXPIRED),
        ("attained", 2 * DAY, State.DISCLOSED),
        ("cancelled", 2 * DAY, State.DISCLOSED),
        ("refused", 2 * DAY, State.DISCLOSED),
        ("lapsed", 2 * DAY, State.DISCLOSED),
        ("expired", DAY, State.DISCLOSED),
        ("disclosure due", DAY + HOUR, State.OVERDUE),
    ):
        desk = situation(name)
        before = desk.state
        desk.at.pass_time(by)
        assert desk.state is following, name
        steps = TABLE[before].values()
        assert following in steps or any(following in TABLE[step].values() for step in steps)


def test_one_person_suspends_and_both_locks_resume_again_and_again() -> None:
    desk = situation("active")
    for turn in range(2):
        assert desk.order(EntryType.SUSPENSION, ISSUERS[turn]).state == "suspended"
        desk.at.settle()
        with pytest.raises(RefusedError, match="ILLEGAL_STEP"):
            desk.order(EntryType.SUSPENSION, APPROVERS[1])
        waiting = desk.order(EntryType.RESUMPTION, ISSUERS[0])
        assert (waiting.state, waiting.waiting[-1]) == ("suspended", f"resumption:{ISSUERS[0]}")
        desk.order(EntryType.RESUMPTION, APPROVERS[0])
        desk.at.settle()
        assert desk.state is State.ACTIVE
        assert desk.case.turn == turn + 1


def test_an_old_signature_resumes_nothing() -> None:
    desk = situation("active")
    desk.ask(Event.SUSPEND)
    desk.ask(Event.RESUME)
    desk.order(EntryType.SUSPENSION, ISSUERS[0])
    desk.at.settle()
    statement = statement_of(EntryType.RESUMPTION, desk.tag, 0)
    person = APPROVERS[1]
    call = OrderCase(desk.warrant_id, EntryType.RESUMPTION, 0, person, desk.at.person(person).sign(statement))
    with pytest.raises(RefusedError, match="ILLEGAL_STEP"):
        desk.at.world.ask("authority", call, f"person/{person}")


def test_secrecy_is_extended_by_both_locks_for_one_and_the_same_time() -> None:
    desk = situation("active")
    until = desk.case.secret_until
    desk.order(EntryType.NONDISCLOSURE_EXTENDED, ISSUERS[0], until + HOUR)
    desk.order(EntryType.NONDISCLOSURE_EXTENDED, APPROVERS[0], until + 2 * HOUR)
    desk.at.settle()
    assert desk.case.secret_until == until
    desk.order(EntryType.NONDISCLOSURE_EXTENDED, ISSUERS[1], until + 2 * HOUR)
    desk.at.settle()
    assert desk.case.secret_until == until + 2 * HOUR
    most = desk.at.world.genesis.policy.limits.max_extension
    with pytest.raises(RefusedError, match="RANGE_INVALID"):
        desk.order(EntryType.NONDISCLOSURE_EXTENDED, ISSUERS[0], until + most + 1)


def test_a_notice_is_delayed_by_both_locks() -> None:
    desk = situation("expired")
    due = desk.case.secret_until + desk.at.world.genesis.policy.limits.notice_within
    for person in (ISSUERS[0], APPROVERS[0]):
        assert desk.order(EntryType.NOTICE_DELAYED, person, due + DAY).state == "expired"
    desk.at.settle()
    assert [entry.type for entry in desk.at.entries(EntryType.NOTICE_DELAYED)] == [EntryType.NOTICE_DELAYED]
    early = situation("submitted")
    with pytest.raises(RefusedError, match="ILLEGAL_STEP"):
        early.order(EntryType.NOTICE_DELAYED, ISSUERS[0], due)


@pytest.mark.parametrize("event", [Event.RENEW, Event.MODIFY])
def test_a_sealed_successor_ends_what_it_replaces_and_then_opens(event: Event) -> None:
    desk = situation("active")
    new = desk.succeed(event)
    ending = desk.at.person(ISSUERS[0]).sign(statement_of(EntryType.CANCELLATION, desk.tag))
    with pytest.raises(RefusedError, match="SIGNATURE_INVALID"):
        new.sign("issuer", ISSUERS[0])
    new.sign("issuer", ISSUERS[0], ending=ending)
    assert desk.state is State.ACTIVE
    new.sign("approver", APPROVERS[0])
    desk.at.settle()
    assert (desk.state, new.state) == (State.CANCELLED, State.COOLING)
    desk.at.pass_time(2 * MINUTE)
    assert desk.at.execute(new.warrant_id).refused == ""
    opened = sum(request.opened for request in desk.at.report(new.warrant_id).requests)
    assert opened == (3 if event is Event.RENEW else 2)
    assert desk.at.execute(desk.warrant_id).refused == "CANCELLED"


def test_a_refused_modification_was_never_made() -> None:
    desk = situation("active")
    new = desk.succeed(Event.MODIFY)
    ending = desk.at.person(ISSUERS[0]).sign(statement_of(EntryType.CANCELLATION, desk.tag))
    new.sign("issuer", ISSUERS[0], ending=ending)
    new.order(EntryType.REFUSAL, APPROVERS[0])
    desk.at.settle()
    assert (desk.state, new.state) == (State.ACTIVE, State.REFUSED)
    assert desk.at.execute(desk.warrant_id).refused == ""
    assert desk.at.report(desk.warrant_id).opened == 3


@pytest.mark.spec("CUST-6")
def test_a_successor_opens_nothing_while_what_it_replaces_is_in_force() -> None:
    """An authority that keeps the cancellation back has one warrant at a time, not two."""
    desk = situation("active")
    at = desk.at
    at.warrant_id, kept = desk.warrant_id, at.warrant_id
    try:
        at.unanswered()
        new = at.sealed_by_force(at.rewritten(supersedes=desk.tag.hex()), *at.locks)
        assert at.why_not(new) == "NOT_YET_ACTIVE"
        assert at.log("authority", EntryType.CANCELLATION, at.order(EntryType.CANCELLATION, ISSUERS[0])) == ("",)
        assert at.why_not(new) == ""
    finally:
        at.warrant_id = kept


def test_a_successor_is_of_the_same_agency_and_of_a_warrant_in_force() -> None:
    for name in ("submitted", "suspended", "cancelled"):
        with pytest.raises(RefusedError, match="ILLEGAL_STEP"):
            situation(name).succeed(Event.MODIFY)
    assert situation("active").state in IN_FORCE


def test_an_application_is_withdrawn_by_its_agency_and_only_until_it_is_sealed() -> None:
    assert situation("submitted").withdraw() == ""
    desk = situation("active")
    assert desk.withdraw() == "ILLEGAL_STEP"
    assert load_case(desk.at.world.store(AGENCY), desk.warrant_id).state != "cancelled"


@pytest.mark.parametrize("origin", [AGENCY, f"person/{APPROVERS[0]}"])
def test_people_order_for_themselves(origin: str) -> None:
    desk = situation("active")
    person = ISSUERS[0]
    signature = desk.at.person(person).sign(statement_of(EntryType.SUSPENSION, desk.tag))
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        desk.at.world.ask("authority", OrderCase(desk.warrant_id, EntryType.SUSPENSION, 0, person, signature), origin)


def test_what_is_no_order_is_malformed() -> None:
    desk = situation("active")
    call = OrderCase(desk.warrant_id, EntryType.POLICY, 0, ISSUERS[0], bytes(64))
    with pytest.raises(MalformedError):
        desk.at.world.ask("authority", call, f"person/{ISSUERS[0]}")


@effort(0.3)
@given(st.lists(st.sampled_from(ASKED), max_size=6))
def test_whatever_people_ask_for_in_whatever_order_the_table_is_kept(events: list[Event]) -> None:
    desk = situation("active")
    state = desk.state
    for event in events:
        try:
            desk.ask(event, APPROVERS[len(events) % 2])
        except RefusedError:
            assert desk.state is state
            continue
        if event in {Event.CANCEL, Event.ATTAIN, Event.SUSPEND} and desk.state is state:
            continue  # the same person said the same again
        assert desk.state in {*TABLE[state].values(), State.COOLING, State.ACTIVE}
        assert not (state not in IN_FORCE and desk.state in IN_FORCE)
        state = desk.state


def test_the_seal_of_a_lapsed_warrant_was_logged_and_its_material_is_not_released() -> None:
    desk = situation("lapsed")
    assert any(
        SealedLeaf.decode(entry.payload).seal_tag == desk.tag for entry in desk.at.entries(EntryType.WARRANT_SEALED)
    )
    assert desk.at.execute(desk.warrant_id).refused in ("LAPSED", "APPROVAL_MISSING")


def test_a_person_who_is_unknown_orders_nothing() -> None:
    desk = situation("active")
    with pytest.raises(RefusedError, match="PERMISSION_DENIED"):
        Desk(desk.at, desk.warrant_id).at.world.ask(
            "authority", OrderCase(desk.warrant_id, EntryType.CANCELLATION, 0, "nobody", bytes(64)), "person/nobody"
        )


# -- profiles ------------------------------------------------------------------------------------------


@pytest.mark.spec("WRT-16")
def test_an_application_beyond_its_profile_is_refused_though_the_policy_admits_it() -> None:
    at = scene().rewind("said")
    long = {"not_after": at.world.now + 31 * DAY, "nondisclosure_until": at.world.now + 31 * DAY}
    assert applied(at, **long).state is State.SUBMITTED
    refused = at.apply(**long, profile="us-title-iii")
    assert at.report(refused).refused == "RANGE_INVALID"
    unknown = at.apply(profile="narnia")
    assert at.report(unknown).refused == "SCHEMA_INVALID"


def test_a_renewal_waits_for_its_window() -> None:
    at = scene().rewind("said")
    desk = applied(at, profile="eu-e-evidence", not_after=at.world.now + 59 * DAY, nondisclosure_until=0)
    confirmed = (identifier(at.account(at.bob)),)
    desk.sign("issuer", ISSUERS[0], identifiers=confirmed)
    desk.sign("approver", APPROVERS[0], identifiers=confirmed)
    at.settle()
    at.pass_time(2 * MINUTE)
    long = at.world.now + 60 * DAY
    with pytest.raises(RefusedError, match="within 30 days"):
        desk.succeed(Event.RENEW, long)
    at.pass_time(30 * DAY)
    assert desk.succeed(Event.RENEW, long).state is State.SUBMITTED


@pytest.mark.spec("WRT-19")
def test_two_people_confirm_the_identifier_each_from_their_own_source() -> None:
    at = scene().rewind("said")
    desk = applied(at, profile="uk-ipa-2016")
    right, wrong = identifier(at.account(at.bob)), identifier(at.account(at.alice))
    for said, reason in (((), "MISMATCH"), ((wrong,), "MISMATCH"), ((right[:-1],), "INVALID")):
        with pytest.raises(RefusedError, match=f"IDENTIFIER_{reason}"):
            desk.sign("issuer", ISSUERS[0], identifiers=said)
    desk.sign("issuer", ISSUERS[0], identifiers=(right,))
    with pytest.raises(RefusedError, match="IDENTIFIER_MISMATCH"):
        desk.sign("approver", APPROVERS[0])
    assert desk.state is State.SUBMITTED
    assert desk.sign("approver", APPROVERS[0], identifiers=(right,)).state == "approved"
