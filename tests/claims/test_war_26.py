"""WAR-26: a warrant moves as the table says and in no other way, and whatever has ended releases nothing again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.errors import Reason, RefusedError
from escrow.warrant.table import ENDED, RELEASING, Event, State, step
from tests.claims.measures import Census, effort

pytestmark = pytest.mark.claim("WAR-26")

STOP = "suspend:suspended cancel:cancelled refuse:refused lapse:lapsed expire:expired"
STAY = "approve renew modify extend"
DISCLOSE = "due:disclosure_due disclose:disclosed"

# Written out a second time, from the specification; an event without a state stays where it is.
LAW = {
    "none": "apply:draft",
    "draft": "submit:submitted withdraw:cancelled",
    "submitted": "issue issue_urgent:issued_urgent approve:approved refuse:refused withdraw:cancelled lapse:lapsed",
    "issued_urgent": "approve:approved seal:sealed refuse:refused cancel:cancelled lapse:lapsed",
    "approved": "seal:sealed cancel:cancelled expire:expired",
    "sealed": f"witnessed:cooling approve {STOP}",
    "cooling": f"activate:active approve {STOP}",
    "active": f"exhaust:exhausted attain:attained {STAY} {STOP}",
    "exhausted": f"attain:attained {STAY} {STOP}",
    "suspended": "resume:sealed approve extend cancel:cancelled refuse:refused lapse:lapsed expire:expired",
    "attained": f"approve extend notify refuse:refused lapse:lapsed {DISCLOSE}",
    "expired": f"approve extend notify refuse:refused lapse:lapsed {DISCLOSE}",
    "cancelled": f"approve extend notify refuse:refused lapse:lapsed {DISCLOSE}",
    "refused": f"extend notify {DISCLOSE}",
    "lapsed": f"extend notify {DISCLOSE}",
    "disclosure_due": "notify disclose:disclosed overdue:overdue",
    "overdue": "notify disclose:disclosed",
    "disclosed": "notify",
}


def lawful(state: State) -> dict[str, str]:
    pairs = (word.partition(":") for word in LAW[state].split())
    return {event: following or state for event, _, following in pairs}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_pair_is_as_the_specification_says_or_raises(census: Census, state: State, event: Event) -> None:
    if event in lawful(state):
        assert step(state, event) == lawful(state)[event]
        census("accepted")
        return
    with pytest.raises(RefusedError) as refused:
        step(state, event)
    assert refused.value.reason is Reason.ILLEGAL_STEP
    census("refused")


@effort(2)
@given(st.lists(st.sampled_from(Event), min_size=5, max_size=60), st.sampled_from(State))
def test_no_walk_leads_from_an_end_back_to_a_release(census: Census, events: list[Event], state: State) -> None:
    ended = False
    for event in events:
        try:
            state = step(state, event)
        except RefusedError:
            continue
        ended = ended or state in ENDED
        assert not (ended and state in RELEASING)
    census("ended" if ended else "not ended")
