"""MSG-17: without an envelope a message counts under the chain that was pinned, and no chain begins without one."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.claims.measures import Census, effort
from tests.core.roles.test_device_groups import office
from tests.core.roles.test_device_insiders import Lie, begun, later

pytestmark = pytest.mark.claim("MSG-17")

HASHES = st.binary(min_size=32, max_size=32)
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "begins without": ({"index": 0}, "RECIPIENTS_MISMATCH"),
    "another label": ({"label_hash": b""}, "CHAIN_MISMATCH"),
    "another capsule": ({"cap_hash": b""}, "CHAIN_MISMATCH"),
}


@effort(0.6)
@given(st.sampled_from([*CASES]), HASHES)
@example("begins without", bytes(32))
@example("another label", bytes(32))
def test_what_is_not_of_the_pinned_chain_is_refused_and_what_is_needs_no_envelope(
    census: Census, case: str, other: bytes
) -> None:
    at = office()
    at.reset()
    chain, capsule = begun(at)
    fields, reason = CASES[case]
    header = {name: value if isinstance(value, int) else other for name, value in fields.items()}
    at.deliver("alice", later(at, chain, capsule, "false", Lie(header=header)))
    assert [one for one, _ in at.alarms("alice")] == [reason]
    assert at.texts("alice") == ["begins"]
    census("refused")
    at.deliver("alice", later(at, chain, capsule, "true"))
    assert at.texts("alice") == ["begins", "true"]
    census("accepted")
