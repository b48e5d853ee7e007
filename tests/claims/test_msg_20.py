"""MSG-20: nothing is sealed for devices that the user has not agreed to, and comparing shows whoever stands between."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from escrow.e2ee.safety import compare, safety_number, safety_text
from escrow.errors import Reason, RefusedError
from escrow.ids import Party
from escrow.roles.calls import Call, GetBundle, GetPath, GetRecord, Reply, Submit
from escrow.roles.device.commands import Confirm, GetSafety, Meet
from escrow.world.founding import MINUTE
from escrow.world.loop import complete
from escrow.world.network import OnReply
from tests.claims.measures import Census, effort
from tests.core.roles.phones import Phones, friends
from tests.core.roles.test_device_sending import count

pytestmark = pytest.mark.claim("MSG-20")

keys = st.lists(st.binary(min_size=32, max_size=32), min_size=3, max_size=3, unique=True)


@effort(0.2)
@given(
    numbers=st.lists(st.integers(1, 6), min_size=1, max_size=4, unique=True),
    mode=st.sampled_from([0, 1]),
    stale=st.booleans(),
)
def test_other_devices_get_nothing_before_the_user_agrees(
    census: Census, numbers: list[int], mode: int, stale: bool
) -> None:
    at = friends()
    at.reset()
    at.send("alice", "bob", "to whom I know", mode)
    following = at.next_list("bob", *numbers)
    at.log("bob", following)
    at.world.advance(11 * MINUTE)
    asked = count(at)
    at.send("alice", "bob", "to whom?", mode)
    assert (asked[Submit], asked[GetBundle]) == (0, 0)
    assert (at.status("alice").queued, at.status("alice").waiting) == (1, ("KEY_CHANGED",))
    shown = at.world.run(at.device("alice"), GetSafety("bob"))
    if stale:
        at.log("bob", at.next_list("bob", *numbers, 7, after=following))
        at.world.run(at.device("alice"), Meet("bob"))
        with pytest.raises(RefusedError, match="KEY_CHANGED"):
            at.world.run(at.device("alice"), Confirm("bob", shown.list_hash))
        assert (asked[Submit], asked[GetBundle]) == (0, 0)
        census("not what was shown")
    else:
        at.world.run(at.device("alice"), Confirm("bob", shown.list_hash))
        assert asked[GetBundle] == len(numbers)
        census("agreed")
    at.reset()


@effort(0.2)
@given(versions=st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_a_peers_devices_never_go_back(census: Census, versions: list[int]) -> None:
    at = friends()
    at.reset()
    chain = [at.next_list("bob", 1)]
    for _ in range(3):
        chain.append(at.next_list("bob", 1, after=chain[-1]))
    seen = 0
    for version in versions:
        at.slip_in(at.entry_of("bob", chain[version - 1]))
        at.world.network.on_reply = _pointing_at(at, at.world.store("log").length("log/leaves") - 1)
        at.world.run(at.device("alice"), Meet("bob"))
        census("went on" if version > seen else "kept from going back")
        seen = max(seen, version)
        assert at.world.run(at.device("alice"), GetSafety("bob")).version == seen
    at.reset()


def _pointing_at(at: Phones, place: int) -> OnReply:
    """A log that says that the entry at ``place`` is the newest about whatever it is asked."""

    def on_reply(_origin: Party, _to: Party, call: Call, reply: Reply) -> Reply:
        if isinstance(call, GetRecord) and place < call.size:
            return complete(at.world["log"].ask(Party("log"), GetPath(place, call.size)))
        return reply

    return on_reply


@effort(2)
@given(keys)
def test_comparing_shows_whoever_stands_between(census: Census, three: list[bytes]) -> None:
    mine, theirs, between = three
    for shown in (safety_text(theirs, mine), safety_number(theirs, mine)):
        compare(shown, mine, theirs)
    census("same")
    for shown in (
        safety_text(theirs, between),
        safety_text(between, mine),
        safety_number(theirs, between),
        safety_number(between, mine),
    ):
        assume(shown != safety_number(theirs, mine))
        with pytest.raises(RefusedError) as caught:
            compare(shown, mine, theirs)
        assert caught.value.reason is Reason.SAFETY_MISMATCH
        census("somebody between")
