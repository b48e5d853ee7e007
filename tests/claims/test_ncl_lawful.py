"""NCL-LAWFUL: form, locks, scope and time are checked. Whether a warrant is lawful is not, and cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.warrant import strict
from escrow.warrant.documents import parse_warrant, validate
from escrow.warrant.locks import check_locks
from tests.claims.keygen import coins
from tests.claims.measures import Census, effort
from tests.core.warrant.office import BOTH_LOCKS, GENESIS, POLICY, envelope, warrant

pytestmark = pytest.mark.claim("NCL-LAWFUL")


@effort(0.5)
@given(st.text(max_size=40))
def test_a_warrant_for_no_reason_at_all_passes_every_check_of_form(census: Census, nonsense: str) -> None:
    baseless = warrant(instrument_sha256=coins("legal basis", nonsense).hex())
    locks = check_locks(envelope(strict.encode(baseless), *BOTH_LOCKS), GENESIS)
    payload = parse_warrant(locks.payload)
    validate(payload, POLICY)
    assert payload == baseless
    assert locks.approved
    census("accepted")
