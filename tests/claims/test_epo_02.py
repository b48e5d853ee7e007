"""EPO-02: no chain goes on in another epoch than the one in which it began, whenever its messages are sealed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.capsule.body import Body
from escrow.capsule.header import Header
from escrow.capsule.label import Label
from escrow.ids import Party
from escrow.roles.calls import Call, EscrowSend, Submit
from escrow.world.founding import DAY, HOUR
from tests.claims.measures import Census, effort
from tests.core.roles.test_device_groups import TEAM, office

pytestmark = pytest.mark.claim("EPO-02")

PAUSES = st.lists(st.sampled_from((0, 0, HOUR, 12 * HOUR, DAY, DAY - 1, 3 * DAY)), min_size=2, max_size=6)


@effort(0.4)
@given(PAUSES)
@example([0, 0, DAY])
@example([0, DAY - 1, 1])
def test_each_chain_is_of_one_epoch_and_long_within_it(census: Census, pauses: list[int]) -> None:
    at = office()
    at.reset()
    policy, items = at.world.genesis.policy, list[tuple[int, EscrowSend]]()

    def on_call(_origin: Party, _to: Party, call: Call) -> Call:
        if isinstance(call, Submit) and call.items[0].escrow is not None:
            items.append((policy.epoch_of(at.world.now), call.items[0].escrow))
        return call

    at.world.network.on_call = on_call
    for number, pause in enumerate(pauses):
        at.world.advance(pause)
        at.send("bob", TEAM, f"{number}")
    began: dict[bytes, int] = {}
    for epoch, item in items:
        header = Header.decode(Body.decode(item.body).header)
        if item.label:
            assert Label.decode(item.label).epoch == epoch
            began[header.label_hash] = epoch
            census("begun")
        assert began[header.label_hash] == epoch
        if header.index:
            census("gone on")
    at.sync("alice")
    assert at.texts("alice") == [f"{number}" for number in range(len(pauses))]
