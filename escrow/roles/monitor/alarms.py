"""What is wrong, as far as the log shows: one function for each kind of subject, over the followed register.

An alarm is raised only for what is certain. What an entry's time proves is an interval (``dating``), so each comparison
takes the end of it that speaks for the accused. An intent that came late, or beyond a quota, is no offence: its
custodian decides once more when the log shows it. What that custodian then *released* is.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from escrow.errors import MalformedError, RefusedError
from escrow.roles.ledger import Ledger
from escrow.roles.machine import Draft, Read
from escrow.roles.monitor.commands import Alarm, Finding, Watched
from escrow.roles.monitor.dating import came
from escrow.roles.warrant_ledger import SEAL, LoggedIntent, LoggedRecord, LoggedSeal
from escrow.warrant.release import Outcome
from escrow.warrant.table import Event

_KEY = re.compile("[0-9a-f]{64}")
_STOPS = frozenset({Event.CANCEL, Event.REFUSE, Event.ATTAIN})


@dataclass(frozen=True, slots=True)
class Alarms:
    """Everything that the register in ``view`` shows to be wrong at ``now`` (ms, by the witnesses' clock)."""

    ledger: Ledger
    view: Read | Draft
    now: int

    def all(self, watched: Iterable[Watched]) -> list[Finding]:
        """Every finding, in a fixed order."""
        found = [*self.about_accounts(watched), *self.about_periods()]
        for tag in self._tags():
            found += self.about_warrant(tag)
        return sorted(found)

    # -- warrants -----------------------------------------------------------------------------

    def about_warrant(self, tag: bytes) -> Iterator[Finding]:
        """Of one seal tag: how often sealed, what was released, what should be public by now."""
        first, *others = self.ledger.seals(self.view, tag)
        for again in others:
            yield Finding(Alarm.SEALED_AGAIN, tag, again.index, f"first at {first.index}")
        yield from self._about_releases(tag, first)
        yield from self._about_disclosure(tag, first)

    def _about_releases(self, tag: bytes, seal: LoggedSeal) -> Iterator[Finding]:
        intents = {(one.intent.custodian, one.intent.request_hash): one for one in self._intents(tag)}
        for logged in self.ledger.records(self.view, tag):
            # SPEC MON-2: who only intended is not accused.
            if logged.record.outcome is Outcome.RELEASED:
                intent = intents[logged.record.custodian, logged.record.request_hash]
                yield from self._about_release(tag, seal, intent, logged)
        yield from self._about_number(tag, seal)

    def _about_number(self, tag: bytes, seal: LoggedSeal) -> Iterator[Finding]:
        """What was released beyond what the warrant admits, by custodian until the request key is disclosed.

        Until then nobody but the custodians can tell a request from an invention of one of them, which would count
        against the others: so each answers for what it says itself that it released. Then all are counted together.
        """
        most, public = self._most(tag, seal), self._request_public(tag)
        released = {(b"" if public else one.record.custodian, one.record.request_hash)
                    for one in self.ledger.records(self.view, tag)
                    if one.record.outcome is Outcome.RELEASED}  # fmt: skip
        asked, counted = Counter[bytes](), set[tuple[bytes, bytes]]()
        for one in self.ledger.intents(self.view, tag):
            place = b"" if public else one.intent.custodian, one.intent.request_hash
            # SPEC MON-4: what the agency has not signed is counted against nobody else.
            counts = one.intent.is_signed_by(public) if public else place in released
            if place in counted or not counts:
                continue
            counted.add(place)
            asked[place[0]] += one.intent.count
            if asked[place[0]] > most and place in released:
                yield Finding(Alarm.TOO_MUCH, tag, one.index, f"{asked[place[0]]} asked for, {most} at most")

    def _request_public(self, tag: bytes) -> bytes:
        """The key under which the agency asks, once it is disclosed."""
        said = self._disclosed(tag, "request_key")
        return bytes.fromhex(said) if isinstance(said, str) and _KEY.fullmatch(said) else b""

    def _disclosed(self, tag: bytes, name: str) -> Any:
        """What a warrant says in a field, or None. An authority can have sealed anything, even what is no value."""
        said = (one for one in self.ledger.disclosures(self.view, tag) if name in one.names)
        with suppress(MalformedError, RefusedError):
            return next((one.value(name) for one in said), None)
        return None

    def _about_release(
        self, tag: bytes, seal: LoggedSeal, intent: LoggedIntent, logged: LoggedRecord
    ) -> Iterator[Finding]:
        who, leaf = intent.intent.custodian.hex()[:16], seal.leaf
        # SPEC MON-1: of the times between which an entry came, the one that speaks for the accused counts.
        earliest = came(self.view, seal.index).after_ms + 1000 * leaf.activation_delay
        if came(self.view, logged.index).by_ms < earliest:
            yield Finding(Alarm.RELEASE_TOO_EARLY, tag, logged.index, who)
        # Who had been stopped, and resumed before the record, may have released in between.
        orders = self.ledger.orders(self.view, tag)
        turns = [order.index + 1 for order in orders if intent.index <= order.index < logged.index]
        if all(self._stopped(tag, size) for size in (intent.index, *turns)):
            yield Finding(Alarm.RELEASE_AFTER_STOP, tag, logged.index, who)
        late = leaf.urgent and came(self.view, intent.index).after_ms >= leaf.approve_by
        if late and not self._approved(tag, leaf.approve_by, intent.index):
            yield Finding(Alarm.RELEASE_UNAPPROVED, tag, logged.index, who)

    def _stopped(self, tag: bytes, before: int) -> bool:
        """Whether the orders before this place in the log had stopped the warrant."""
        suspended = False
        for order in self.ledger.orders(self.view, tag):
            if order.index >= before:
                break
            if order.event in _STOPS:
                return True
            suspended = order.event is Event.SUSPEND or (suspended and order.event is not Event.RESUME)
        return suspended

    def _approved(self, tag: bytes, approve_by: int, before: int) -> bool:
        """Whether a second lock came before this place and, as far as it can be told, in time."""
        orders = (one for one in self.ledger.orders(self.view, tag) if one.event is Event.APPROVE)
        return any(one.index < before and came(self.view, one.index).after_ms < approve_by for one in orders)

    def _most(self, tag: bytes, seal: LoggedSeal) -> int:
        """How many release units the warrant admits: its size class, or its number where that is disclosed."""
        quota = "max_identity_keys" if self.ledger.genesis.policy.opens_identities else "max_capsules"
        said = self._disclosed(tag, quota)
        if isinstance(said, int) and not isinstance(said, bool):
            return said
        return int(10**seal.leaf.count_bucket - 1)

    def _about_disclosure(self, tag: bytes, seal: LoggedSeal) -> Iterator[Finding]:
        grace = self.ledger.genesis.policy.limits.disclosure_grace
        shown = self.ledger.shown(self.view, seal, lambda filed: came(self.view, filed.index).after_ms)
        if shown.disclosed_ms is None and self.now >= shown.secret_until + grace:
            yield Finding(Alarm.NOT_DISCLOSED, tag, seal.index, f"secret until {shown.secret_until}")
        if shown.noticed_ms is None and self.now >= shown.notice_until + grace:
            yield Finding(Alarm.NOT_NOTIFIED, tag, seal.index, f"due by {shown.notice_until}")

    def _tags(self) -> list[bytes]:
        return list(dict.fromkeys(key[len(SEAL) : len(SEAL) + 32] for key, _ in self.view.scan(SEAL)))

    def _intents(self, tag: bytes) -> list[LoggedIntent]:
        """Latest first, so that a table of them keeps each custodian's earliest."""
        return self.ledger.intents(self.view, tag)[::-1]

    # -- periods and accounts -----------------------------------------------------------------

    def about_periods(self) -> Iterator[Finding]:
        """Who has not said, in the time that a log has to show it, that it erased a retired period."""
        for logged in self.ledger.committee_keys(self.view):
            generation = self.ledger.generation(self.view, logged.key.hash)
            if generation is None or self.now < logged.key.retire_at + self.ledger.genesis.mmd_ms:
                continue
            erased = self.ledger.erased(self.view, logged.key.hash)
            for member in generation.members:
                if member not in erased:
                    yield Finding(Alarm.NOT_ERASED, member, -1, f"period {logged.period}")

    def about_accounts(self, watched: Iterable[Watched]) -> Iterator[Finding]:
        """Lists of watched accounts that are newer than what their owners know."""
        for one in watched:
            newest = self.ledger.device_list(self.view, one.account)
            if newest is not None and newest.version > one.version:
                detail = f"version {newest.version}, known is {one.version}"
                yield Finding(Alarm.GHOST_DEVICE, one.account, -1, detail)
