"""LOG-10: nobody floods the log: not without an office, and about warrants not without a seal, nor twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.errors import Reason
from escrow.roles.calls import Append
from escrow.secret import Secret
from escrow.tlog.entry import Entry, EntryType
from escrow.warrant.release import Denial
from tests.claims.measures import Census, effort
from tests.core.roles.scene import scene

pytestmark = pytest.mark.claim("LOG-10")

STRANGER = SigningKey.from_seed(Secret(b"stranger" * 4))
TYPES = sorted(set(EntryType) - {EntryType.DEVICE_LIST})


@effort(0.5)
@given(st.sampled_from(TYPES), st.binary(max_size=64), st.sampled_from(("relay", "nobody")))
def test_without_an_office_nothing_is_logged(census: Census, kind: EntryType, payload: bytes, who: str) -> None:
    at = scene().rewind("ready")
    key = at.key("relay") if who == "relay" and kind is not EntryType.INGEST_ROOT else STRANGER
    entry = Entry.make(kind, payload, key, at.world.genesis.log.origin)
    before = at.world.store("log").length("log/leaves")
    (result,) = at.world.ask("log", Append((entry,))).results
    assert result.reason == "ENTRY_REFUSED"
    assert at.world.store("log").length("log/leaves") == before
    census("refused")


@effort(0.12)
@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(("sealed", "nowhere")), st.integers(1, 2)), max_size=8))
def test_denials_stand_under_a_seal_and_once_for_each_request(
    census: Census, denials: list[tuple[int, str, int]]
) -> None:
    """Whatever a corrupt custodian sends, and however often an agency asks for what is refused."""
    at = scene().rewind("ready")
    logged = set[tuple[int, int]]()
    for request, where, custodian in denials:
        key = at.key(f"custodian/{custodian}")
        tag = at.tag if where == "sealed" else bytes(32)
        denial = Denial(tag, key.public, bytes([request]) * 32, Reason.EXPIRED)
        said = at.log(f"custodian/{custodian}", EntryType.DENIAL, denial.encode())
        fresh = where == "sealed" and (request, custodian) not in logged
        if fresh:
            assert said == ("",)
            logged.add((request, custodian))
            census("logged")
        else:
            census("refused")
    assert len(list(at.entries(EntryType.DENIAL))) == len(logged)
