"""WAR-24: a warrant's quota holds over all custodians together, and no custodian uses it up without the agency."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.tlog.entry import EntryType
from escrow.warrant.release import ReleaseIntent
from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("WAR-24")

wishes = st.tuples(st.integers(0, 2), st.integers(1, 3), st.booleans())


@effort(0.15)
@given(st.integers(1, 2), st.lists(wishes, min_size=2, max_size=7))
def test_whoever_is_asked_the_warrant_opens_no_more(
    census: Census, most: int, asked: list[tuple[int, int, bool]]
) -> None:
    at = scene().rewind("ready")
    tight = at.sealed_by_force(at.rewritten(max_capsules=most), *at.locks)
    opened = set[int]()
    for item, custodian, invented in asked:
        if invented:
            # A custodian says that half the world was asked for; nobody has signed that.
            lie = ReleaseIntent(
                tight.seal_tag, at.key("custodian/3").public, tight.committee_key_hash, 0,
                bytes([item]) * 32, bytes(32), 1000, bytes(64),
            )  # fmt: skip
            at.log("custodian/3", EntryType.RELEASE_INTENT, lie.encode())
        request = replace(tight, items=(tight.items[item],), request_id=bytes([item + 1]) * 16)
        said = at.why_not(request, custodian=custodian)
        at.settle()
        if said == "":
            opened.add(item)
            census("opened")
        else:
            assert said == "QUOTA_WARRANT"
            assert len(opened) == most
            census("refused")
        assert len(opened) <= most
