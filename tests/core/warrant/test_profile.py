"""Profiles: legal time by the calendar, limits that only narrow, and successors that never widen (WAR-21)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from escrow.errors import RefusedError
from escrow.rpc.profiles import shipped_profiles
from escrow.warrant.calendar import DAY_MS, Calendar, months_after
from escrow.warrant.documents import EpochRange, Target, WarrantPayload, Window
from escrow.warrant.profile import (
    DISCLAIMER,
    Count,
    Holidays,
    Principle,
    Rule,
    check_successor,
    is_renewal,
    named,
    parse_profile,
)
from tests.conftest import ROOT
from tests.core.warrant.office import DAY, OTHER, POLICY, TARGET, warrant

UK, US = shipped_profiles()["uk-ipa-2016"], shipped_profiles()["us-title-iii"]
GENERIC = shipped_profiles()["generic"]
days = st.integers(0, 40_000)
calendars = st.sets(st.integers(20_000, 20_100), max_size=40).map(lambda days: Calendar(frozenset(days)))


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


# -- the calendar --------------------------------------------------------------------------------------


@given(calendars, st.integers(19_990 * DAY_MS, 20_090 * DAY_MS), st.integers(0, 12))
def test_a_limit_of_working_days_ends_with_the_last_of_them(calendar: Calendar, start: int, count: int) -> None:
    end = calendar.working_days_after(start, count)
    assert end % DAY_MS == 0
    between = [day for day in range(start // DAY_MS + 1, end // DAY_MS) if calendar.is_working(day)]
    assert len(between) == count
    assert not count or between[-1] == end // DAY_MS - 1


@given(calendars, st.integers(19_990 * DAY_MS, 20_090 * DAY_MS), st.integers(1, 9), st.integers(20_000, 20_100))
def test_later_starts_and_more_holidays_never_end_earlier(
    calendar: Calendar, start: int, count: int, holiday: int
) -> None:
    end = calendar.working_days_after(start, count)
    more = Calendar(calendar.holidays | {holiday})
    assert more.working_days_after(start, count) >= end
    assert calendar.working_days_after(start + DAY_MS, count) >= end
    assert calendar.working_days_after(start, count + 1) > end
    event("moved" if more.working_days_after(start, count) > end else "not moved")


@given(st.integers(0, 40_000 * DAY_MS), st.integers(0, 240))
def test_months_keep_the_day_or_take_the_last_one(start: int, count: int) -> None:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    begun, ended = epoch + timedelta(milliseconds=start), epoch + timedelta(milliseconds=months_after(start, count))
    assert (ended.year - begun.year) * 12 + ended.month - begun.month == count
    assert ended.time() == begun.time()
    if ended.day != begun.day:
        assert ended.day < begun.day
        assert (ended + timedelta(days=1)).day == 1
        event("shorter month")


def test_the_third_working_day_over_easter() -> None:
    """Issued on Maundy Thursday 2026: Good Friday, the weekend and Easter Monday do not count."""
    assert UK.urgent_approval is not None
    assert UK.after(UK.urgent_approval, ms("2026-04-02T15:00")) == ms("2026-04-10T00:00")
    assert UK.after(UK.urgent_approval, ms("2026-06-01T09:00")) == ms("2026-06-05T00:00")


def test_a_limit_behind_the_calendar_is_none() -> None:
    assert UK.urgent_approval is not None
    with pytest.raises(RefusedError, match="RANGE_INVALID"):
        UK.after(UK.urgent_approval, ms("2027-12-30T15:00"))


# -- the data ------------------------------------------------------------------------------------------


def test_there_are_four_profiles_and_each_says_what_it_is() -> None:
    assert set(shipped_profiles()) == {"generic", "uk-ipa-2016", "us-title-iii", "eu-e-evidence"}
    for name, profile in shipped_profiles().items():
        assert profile.name == name
        assert profile.disclaimer == DISCLAIMER
        parts = [getattr(profile, field) for field in profile.__struct_fields__]
        sourced = [part for part in parts if isinstance(part, Rule | Principle | Count | Holidays)]
        assert len(sourced) >= 8
        assert all(part.source for part in sourced)


def test_what_nobody_has_compared_is_marked() -> None:
    for name in ("uk-ipa-2016", "us-title-iii", "eu-e-evidence"):
        text = (ROOT / "escrow/warrant/profiles" / f"{name}.toml").read_text(encoding="utf-8")
        assert "verified = false" in text
        assert DISCLAIMER in text.lower()


GENERIC_TEXT = (ROOT / "escrow/warrant/profiles/generic.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not = toml =",
        GENERIC_TEXT.replace('study model, not legal advice"', 'legal advice"'),
        GENERIC_TEXT.replace("source =", "sauce ="),
        GENERIC_TEXT.replace("value = 3", "value = -3"),
        GENERIC_TEXT.replace("2035-12-31", "some day"),
        GENERIC_TEXT.replace("days = []", 'days = ["2026-02-30"]'),
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="SCHEMA_INVALID"):
        parse_profile(text)


def test_a_profile_is_found_by_its_name_and_none_by_no_name() -> None:
    assert named(shipped_profiles(), "") is None
    assert named(shipped_profiles(), "generic") is GENERIC
    with pytest.raises(RefusedError, match="SCHEMA_INVALID"):
        named(shipped_profiles(), "narnia")


# -- applications --------------------------------------------------------------------------------------


def lasting(by: int, secrecy: int = 0, **changes: object) -> WarrantPayload:
    start = ms("2026-06-01T09:00")
    times = {"not_before": start, "not_after": start + by, "nondisclosure_until": start + by + secrecy}
    return warrant(**times | changes)


@pytest.mark.spec("WRT-16")
@given(st.integers(1, 60 * DAY), st.integers(0, 120 * DAY))
def test_a_warrant_lasts_and_stays_secret_as_long_as_its_profile_says(by: int, secrecy: int) -> None:
    payload, now = lasting(by, secrecy), ms("2026-06-01T09:00")
    if by <= 30 * DAY and secrecy <= 90 * DAY:
        event("accepted")
        US.check(payload, now)
    else:
        event("refused")
        with pytest.raises(RefusedError, match="RANGE_INVALID"):
            US.check(payload, now)
    GENERIC.check(payload, now)


@pytest.mark.spec("WRT-16")
@given(st.integers(1, 8 * DAY), st.integers(1, 12 * DAY))
def test_an_urgent_warrant_has_its_second_lock_and_its_end_in_working_days(approved: int, by: int) -> None:
    now = ms("2026-06-01T09:00")  # a Monday
    payload = lasting(by, urgent=True, approve_by=now + approved)
    if now + approved <= ms("2026-06-05T00:00") and now + by <= ms("2026-06-09T00:00"):
        event("accepted")
        UK.check(payload, now)
    else:
        event("refused")
        with pytest.raises(RefusedError, match="RANGE_INVALID"):
            UK.check(payload, now)


def test_a_profile_without_an_urgent_path_has_none() -> None:
    text = GENERIC_TEXT.replace("[urgent_approval]", "[error_report]")
    with pytest.raises(RefusedError, match="no urgent path"):
        parse_profile(text).check(lasting(DAY, urgent=True, approve_by=1), 0)


@given(st.integers(0, 200 * DAY))
def test_a_renewal_comes_in_its_window(before_end: int) -> None:
    payload = lasting(180 * DAY)
    if before_end <= 30 * DAY:
        event("accepted")
        UK.check_renewal_time(payload, payload.not_after - before_end)
    else:
        event("refused")
        with pytest.raises(RefusedError, match="RANGE_INVALID"):
            UK.check_renewal_time(payload, payload.not_after - before_end)
    US.check_renewal_time(payload, payload.not_after - before_end)


# -- successors ----------------------------------------------------------------------------------------

BEFORE = warrant()
LONGER = {"not_after": 16 * DAY, "nondisclosure_until": 40 * DAY}
NEXT = {"message_window": Window(start=2 * DAY, end=6 * DAY),
        "epochs": (EpochRange(policy=POLICY.hash.hex(), first=2, end=6),)}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"max_capsules": 99}, ""),
        ({"not_after": 14 * DAY}, ""),
        ({"message_window": Window(start=2 * DAY, end=3 * DAY)}, ""),
        ({"targets": (Target(account=TARGET.hex(), device=3),)}, ""),
        ({"max_capsules": 101}, "RANGE_INVALID"),
        ({"not_before": 9 * DAY}, "RANGE_INVALID"),
        (NEXT, "OUT_OF_SCOPE"),
        ({"targets": (Target(account=OTHER.hex(), device=None),)}, "OUT_OF_SCOPE"),
        ({"direction": "CONVERSATION_OF"}, "OUT_OF_SCOPE"),
        ({"kind": "PROSPECTIVE"}, "OUT_OF_SCOPE"),
        (LONGER, ""),
        (LONGER | NEXT, ""),
        (LONGER | {"max_capsules": 1000}, ""),
        (LONGER | {"not_before": 15 * DAY}, ""),
        (LONGER | {"not_before": 15 * DAY + 1}, "RANGE_INVALID"),
        (LONGER | {"message_window": Window(start=DAY, end=4 * DAY)}, "OUT_OF_SCOPE"),
        (LONGER | {"targets": (Target(account=OTHER.hex(), device=None),)}, "OUT_OF_SCOPE"),
        (LONGER | {"direction": "CONVERSATION_OF"}, "OUT_OF_SCOPE"),
    ],
)
@pytest.mark.spec("WRT-17")
def test_a_successor_renews_or_narrows(changes: dict[str, object], reason: str) -> None:
    new = warrant(**changes)
    assert is_renewal(new, BEFORE) == ("not_after" in changes and new.not_after > BEFORE.not_after)
    if not reason:
        check_successor(new, BEFORE)
        return
    with pytest.raises(RefusedError, match=reason):
        check_successor(new, BEFORE)
