"""Profiles: what one legal order demands of a warrant beyond the policy, as data with a source for every number.

A study model, not legal advice. A profile only narrows: the policy's limits rule whatever it says. It is the desk's
rule, chosen with the application; custodians do not know it, and nothing they decide depends on it.
"""

import tomllib
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from escrow.errors import Reason, RefusedError
from escrow.warrant.calendar import DAY_MS, Calendar, months_after
from escrow.warrant.documents import WarrantPayload
from escrow.warrant.scope import Scope

DISCLAIMER: Final = "study model, not legal advice"

_Text = Annotated[str, Meta(min_length=1)]
_HOUR_MS: Final = 3_600_000


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A length of time, where it is written, and whether somebody has compared it with that place."""

    value: Annotated[int, Meta(ge=0, le=4000)]
    unit: Literal["hours", "days", "working days", "months", "years"]
    source: _Text
    verified: bool


class Principle(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule in words: how the model follows it, and where it is written."""

    model: _Text
    source: _Text
    verified: bool


class Count(Struct, frozen=True, forbid_unknown_fields=True):
    """How many of something."""

    value: Annotated[int, Meta(ge=0, le=16)]
    source: _Text
    verified: bool


class Holidays(Struct, frozen=True, forbid_unknown_fields=True):
    """Days that are no working days; ``until`` is the end of what is listed: nobody knows those behind it."""

    days: tuple[str, ...]
    until: _Text
    source: _Text
    verified: bool


class Profile(Struct, frozen=True, forbid_unknown_fields=True, dict=True, kw_only=True):
    """One profile. A rule that is missing sets no limit of its own."""

    name: Annotated[str, Meta(pattern=r"\A[a-z0-9-]{1,64}\Z")]
    title: _Text
    disclaimer: Literal["study model, not legal advice"]
    holidays: Holidays
    duration: Rule | None = None
    """From ``not_before`` to ``not_after`` at most."""
    urgent_duration: Rule | None = None
    """The same of an urgent warrant, from the application on."""
    urgent_approval: Rule | None = None
    """By when an urgent warrant must have its second lock; none: there is no urgent path."""
    renewal_window: Rule | None = None
    """How long before the end a warrant may be renewed; none: at any time while it is in force."""
    secrecy: Rule | None = None
    """From the end of the warrant to the end of secrecy at most."""
    notice: Principle
    modification: Principle
    cancellation: Principle
    sealing: Principle
    retention: Rule | None = None
    """How long what was opened is kept under seal."""
    error_report: Rule | None = None
    """How soon an error is reported, once it is found."""
    reporting: Principle
    confirmations: Count
    """How many people confirm the target's identifier, each from their own source."""

    @cached_property
    def calendar(self) -> Calendar:
        """Its working days."""
        return Calendar.of(self.holidays.days)

    def after(self, rule: Rule, start: int) -> int:
        """When a time that begins at ``start`` is over.

        ``RANGE_INVALID`` for working days beyond the calendar: a limit that nobody can compute is none.
        """
        match rule.unit:
            case "hours":
                return start + rule.value * _HOUR_MS
            case "days":
                return start + rule.value * DAY_MS
            case "working days":
                end = self.calendar.working_days_after(start, rule.value)
                if end > self._end_of_calendar:
                    raise RefusedError(Reason.RANGE_INVALID, f"no holidays are listed behind {self.holidays.until}")
                return end
            case "months":
                return months_after(start, rule.value)
            case _:
                return months_after(start, 12 * rule.value)

    def check(self, payload: WarrantPayload, now: int) -> None:
        """Refuse an application that the policy may admit and this profile does not; ``RANGE_INVALID``."""
        # SPEC WRT-16: an application beyond the times of its profile is refused at the desk.
        limits = [
            (self.duration, payload.not_before, payload.not_after, "the warrant lasts"),
            (self.secrecy, payload.not_after, payload.nondisclosure_until, "secrecy lasts"),
        ]
        if payload.urgent:
            if self.urgent_approval is None:
                raise RefusedError(Reason.RANGE_INVALID, "the profile has no urgent path")
            limits.append((self.urgent_approval, now, payload.approve_by, "the second lock may be missing"))
            limits.append((self.urgent_duration, now, payload.not_after, "the urgent warrant lasts"))
        for rule, start, end, what in limits:
            if rule is not None and end > self.after(rule, start):
                raise RefusedError(Reason.RANGE_INVALID, f"{what} longer than {rule.value} {rule.unit}")

    def check_renewal_time(self, before: WarrantPayload, now: int) -> None:
        """Refuse a renewal that comes before its window; ``RANGE_INVALID``."""
        if self.renewal_window is not None and before.not_after > self.after(self.renewal_window, now):
            window = f"{self.renewal_window.value} {self.renewal_window.unit}"
            raise RefusedError(Reason.RANGE_INVALID, f"a warrant is renewed within {window} of its end")

    @property
    def _end_of_calendar(self) -> int:
        return (max(Calendar.of([self.holidays.until]).holidays) + 1) * DAY_MS


def parse_profile(text: str) -> Profile:
    """A profile from TOML; ``SCHEMA_INVALID``."""
    try:
        profile = msgspec.convert(tomllib.loads(text), Profile, strict=True)
        profile.after(Rule(0, "working days", "the calendar is one", verified=True), 0)
    except (ValueError, msgspec.ValidationError) as error:
        raise RefusedError(Reason.SCHEMA_INVALID, f"not a profile: {error}") from error
    return profile


def is_renewal(new: WarrantPayload, before: WarrantPayload) -> bool:
    """Whether a successor lasts longer than what it replaces; otherwise it is a modification."""
    return new.not_after > before.not_after


def check_successor(new: WarrantPayload, before: WarrantPayload) -> None:
    """Refuse a successor that is none, but a new warrant: it may renew, or narrow, and never widen.

    A renewal moves the end and the end of the message window, and nothing else; it begins before the other ends.
    A modification changes no time but to a shorter one, and opens no more. ``OUT_OF_SCOPE``, ``RANGE_INVALID``.
    """
    # SPEC WRT-17: what widens a warrant is not its successor.
    covered, known = Scope.of(new), Scope.of(before)
    if is_renewal(new, before):
        known = Scope.make(
            senders=known.senders, members=known.members, conversations=known.conversations,
            epochs=covered.epochs, window=covered.window,
        )  # fmt: skip
        if new.message_window.start < before.message_window.start:
            raise RefusedError(Reason.OUT_OF_SCOPE, "a renewal does not reach further back")
        if new.not_before > before.not_after:
            raise RefusedError(Reason.RANGE_INVALID, "a renewal begins before the end of what it renews")
    elif new.quota > before.quota or new.not_before < before.not_before:
        raise RefusedError(Reason.RANGE_INVALID, "a modification opens no more, and no earlier")
    if new.kind != before.kind or not covered <= known:
        raise RefusedError(Reason.OUT_OF_SCOPE, "a successor covers no more than what it replaces: apply anew")


def named(profiles: Mapping[str, Profile], name: str) -> Profile | None:
    """The profile of that name, none for the empty one; ``SCHEMA_INVALID`` for one that is not known here."""
    if name and name not in profiles:
        raise RefusedError(Reason.SCHEMA_INVALID, f"no profile is called {name}: {', '.join(sorted(profiles))}")
    return profiles.get(name)
