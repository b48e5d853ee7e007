"""WAR-12: a custodian opens no more in a day than its caps admit, of an agency, an authority, a target, and in all."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.warrant.policy import Policy
from tests.claims.measures import Census, effort
from tests.core.roles.scene import DAY, Scene, scene

pytestmark = pytest.mark.claim("WAR-12")

CAPS = {
    "agency_daily_cap": "QUOTA_AGENCY",
    "authority_daily_cap": "QUOTA_AUTHORITY",
    "target_daily_cap": "QUOTA_TARGET",
    "global_daily_cap": "QUOTA_GLOBAL",
}
wishes = st.tuples(st.integers(0, 2), st.sampled_from(("agency/police", "agency/others")))


def capped(at: Scene, cap: str, most: int) -> Policy:
    """The policy with another cap under the same hash: labels name it."""
    policy = at.world.genesis.policy
    changed = msgspec.structs.replace(policy, limits=msgspec.structs.replace(policy.limits, **{cap: most}))
    vars(changed)["hash"] = policy.hash
    return changed


@effort(0.15)
@given(st.sampled_from(sorted(CAPS)), st.integers(1, 3), st.lists(wishes, min_size=3, max_size=8), st.integers(1, 9))
def test_no_day_opens_more_than_its_caps(
    census: Census, cap: str, most: int, asked: list[tuple[int, str]], tomorrow: int
) -> None:
    at = scene().rewind("ready")
    genesis = at.world.genesis
    honest, vars(genesis)["policy"] = genesis.policy, capped(at, cap, most)
    try:
        opened = Counter[str]()
        for number, (item, agency) in enumerate(asked):
            if number == tomorrow:
                at.pass_time(DAY)
                opened = Counter()
            request = replace(at.request, items=(at.request.items[item],), request_id=bytes([number]) * 16)
            said, whose = at.why_not(request, origin=agency), agency if cap == "agency_daily_cap" else ""
            if said == "":
                opened[whose] += 1
                assert opened[whose] <= most
                census("opened")
            else:
                assert (said, opened[whose]) == (CAPS[cap], most)
                census("refused")
    finally:
        vars(genesis)["policy"] = honest
