"""WAR-21: one lock alone opens no more than a little, and nothing once its time is over; it lapses by itself."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.tlog.entry import EntryType
from escrow.warrant.orders import Order
from tests.claims.asking import why_not
from tests.claims.measures import Census, effort
from tests.core.roles.scene import HOUR, MINUTE, scene

pytestmark = pytest.mark.claim("WAR-21")


@effort(0.2)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), min_size=1, max_size=5),
    st.integers(0, 5),
    st.integers(0, 90),
    st.integers(1, 2),
)
def test_without_the_second_lock_little_opens_and_then_nothing(
    census: Census, wishes: list[tuple[int, int]], approved_at: int, minutes: int, most: int
) -> None:
    at = scene().rewind("ready")
    genesis, deadline = at.world.genesis, at.world.now + HOUR
    urgent = at.sealed_by_force(at.rewritten(urgent=True, approve_by=deadline), at.locks[0])
    honest = genesis.policy
    limited = msgspec.structs.replace(honest, limits=msgspec.structs.replace(honest.limits, urgent_capsules=most))
    vars(limited)["hash"] = honest.hash
    vars(genesis)["policy"] = limited
    opened, approved = set[int](), False
    try:
        for number, (item, custodian) in enumerate(wishes):
            if number == approved_at:
                order = Order.signed(EntryType.APPROVAL, urgent.seal_tag, at.locks[1]).encode()
                assert at.log("authority", EntryType.APPROVAL, order) == ("",)
                approved = True
            request = replace(urgent, items=(urgent.items[item],), request_id=bytes([item + 1]) * 16)
            said = why_not(at, custodian, request)
            if said == "":
                opened.add(item)
            else:
                assert said == "QUOTA_URGENT"
                census("refused")
            assert approved or len(opened) <= most
        at.pass_time(minutes * MINUTE)
        late = at.world.now >= deadline
        said = why_not(at, 1, replace(urgent, items=urgent.items[:1], request_id=b"\x01" * 16))
        if not approved and late:
            assert said in ("LAPSED", "APPROVAL_MISSING")
            assert not list(at.world.store("custodian/1").scan(b"answer/"))
            census("lapsed")
        else:
            assert said in ("", "QUOTA_URGENT")
            census("in force")
    finally:
        vars(genesis)["policy"] = honest
