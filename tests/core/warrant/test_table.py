"""The state table against a second writing of it, and what it must never allow (WAR-26)."""

from itertools import product
from pathlib import Path

import pytest

from escrow.errors import Reason, RefusedError
from escrow.warrant.table import DUE_ORDER, ENDED, IN_FORCE, RELEASING, TABLE, Event, State, mermaid, step
from tests.conftest import ROOT

# Written a second time, independently of the code, in the form of the specification.
WRITTEN = """
none: apply -> draft
draft: submit -> submitted; withdraw -> cancelled
submitted: issue -> submitted; issue_urgent -> issued_urgent; approve -> approved; refuse -> refused
submitted: withdraw -> cancelled; lapse -> lapsed
issued_urgent: approve -> approved; seal -> sealed; refuse -> refused; cancel -> cancelled; lapse -> lapsed
approved: seal -> sealed; cancel -> cancelled; expire -> expired
sealed: witnessed -> cooling; approve -> sealed; suspend -> suspended; cancel -> cancelled
sealed: refuse -> refused; lapse -> lapsed; expire -> expired
cooling: activate -> active; approve -> cooling; suspend -> suspended; cancel -> cancelled
cooling: refuse -> refused; lapse -> lapsed; expire -> expired
active: exhaust -> exhausted; attain -> attained; approve, renew, modify, extend -> active
active: suspend -> suspended; cancel -> cancelled; refuse -> refused; lapse -> lapsed
active: expire -> expired
exhausted: attain -> attained; approve, renew, modify, extend -> exhausted; suspend -> suspended
exhausted: cancel -> cancelled; refuse -> refused; lapse -> lapsed; expire -> expired
suspended: resume -> sealed; approve, extend -> suspended; cancel -> cancelled; refuse -> refused
suspended: lapse -> lapsed; expire -> expired
attained: approve, extend, notify -> attained; refuse -> refused; lapse -> lapsed
attained: due -> disclosure_due; disclose -> disclosed
expired: approve, extend, notify -> expired; refuse -> refused; lapse -> lapsed
expired: due -> disclosure_due; disclose -> disclosed
cancelled: approve, extend, notify -> cancelled; refuse -> refused; lapse -> lapsed
cancelled: due -> disclosure_due; disclose -> disclosed
refused: extend, notify -> refused; due -> disclosure_due; disclose -> disclosed
lapsed: extend, notify -> lapsed; due -> disclosure_due; disclose -> disclosed
disclosure_due: notify -> disclosure_due; disclose -> disclosed; overdue -> overdue
overdue: notify -> overdue; disclose -> disclosed
disclosed: notify -> disclosed
"""


def written() -> dict[tuple[str, str], str]:
    """(state, event) -> next state, read from the text above."""
    pairs = {}
    for line in WRITTEN.strip().splitlines():
        state, row = line.split(": ")
        for arrow in row.split("; "):
            events, following = arrow.split(" -> ")
            pairs.update({(state, event): following for event in events.split(", ")})
    return pairs


@pytest.mark.spec("WRT-10")
def test_every_pair_of_state_and_event_is_in_the_table_or_is_refused() -> None:
    expected, taken, refused = written(), 0, 0
    for state, event in product(State, Event):
        if (state, event) in expected:
            assert step(state, event) == expected[state, event]
            taken += 1
        else:
            with pytest.raises(RefusedError) as error:
                step(state, event)
            assert error.value.reason is Reason.ILLEGAL_STEP
            refused += 1
    assert taken == len(expected)
    assert refused == len(State) * len(Event) - taken


def reachable(start: State) -> set[State]:
    """``start`` and all that follows."""
    found, new = {start}, [start]
    while new:
        following = set(TABLE[new.pop()].values()) - found
        found |= following
        new += following
    return found


def test_every_state_is_reached_and_every_event_occurs() -> None:
    assert reachable(State.NONE) == set(State)
    assert {event for row in TABLE.values() for event in row} == set(Event)


def test_no_path_leads_from_an_ended_state_back_to_one_that_releases() -> None:
    for state in ENDED:
        assert not reachable(state) & IN_FORCE
    assert RELEASING < IN_FORCE
    assert reachable(State.NONE) >= RELEASING


def test_the_warrants_end_is_the_only_way_out_of_force() -> None:
    for state in IN_FORCE:
        assert set(TABLE[state].values()) <= IN_FORCE | ENDED
        for stop in (Event.CANCEL, Event.REFUSE, Event.LAPSE, Event.EXPIRE):
            assert TABLE[state][stop] in ENDED


def test_a_suspended_warrant_is_tested_again_from_the_seal_on() -> None:
    assert step(State.SUSPENDED, Event.RESUME) is State.SEALED
    assert not set(TABLE[State.SUSPENDED].values()) & RELEASING


def test_what_stops_comes_before_what_opens() -> None:
    assert DUE_ORDER[-1] is Event.ACTIVATE
    assert len(set(DUE_ORDER)) == len(DUE_ORDER)


def test_the_printed_diagram_is_the_table() -> None:
    text = Path(ROOT, "docs", "spec", "warrant.md").read_text(encoding="utf-8")
    start, end = "<!-- diagram: escrow.warrant.table -->\n```mermaid\n", "```\n<!-- end of diagram -->"
    assert text.count(start) == 1
    assert text.split(start)[1].split(end)[0] == mermaid()
