"""ESC-10: the relay writes each chain, number and index once; the same bytes again get the same receipt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.claims.measures import Census, effort
from tests.core.roles.town import Phone, Town

pytestmark = pytest.mark.claim("ESC-10")


@effort(0.2)
@given(st.lists(st.sampled_from(("same", "same chain", "same number", "same key", "later")), min_size=1, max_size=6))
def test_what_is_accepted_stands(census: Census, script: list[str]) -> None:
    town = Town()
    key = town.committee()
    alice, bob = Phone(town, "alice").register(), Phone(town, "bob").register()
    route = alice.route(bob)
    alice.ask(route)
    label = alice.label(key, route)
    letter = alice.draft(key, label, (bob,))
    (first,) = alice.submit(letter.item()).items
    assert not first.reason
    for what in script:
        fresh = alice.label(key, route)
        match what:
            case "same":
                assert alice.submit(letter.item()).items == (first,)
                census("same receipt")
                continue
            case "later":
                town.advance(60_000)
                continue
            case "same chain":
                item, reason = alice.draft(key, replace(fresh, chain_id=label.chain_id), (bob,)).item(), "CHAIN_REUSED"
            case "same number":
                item, reason = alice.draft(key, replace(fresh, chain_no=label.chain_no), (bob,)).item(), "CHAIN_REUSED"
            case _:
                other = alice.draft(key, fresh, (bob,)).item()
                item = replace(other, idempotency_key=letter.item().idempotency_key)
                reason = "IDEMPOTENCY_CONFLICT"
        assert [one.reason for one in alice.submit(item).items] == [reason]
        census("refused")
