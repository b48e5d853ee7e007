"""WAR-11: a response opens for the warrant's recipient alone, and only as the answer that it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.hpke import RecipientKey
from escrow.errors import EscrowError
from escrow.roles.agency.state import load_case
from escrow.warrant.release import ReleaseResponse, hpke_info
from tests.claims.measures import Census, effort
from tests.core.roles.scene import AGENCY, scene

pytestmark = pytest.mark.claim("WAR-11")

PARTS = ("seal_tag", "request_hash", "custodian", "generation_hash")


@effort(0.3)
@given(st.sampled_from((*PARTS, "recipient", "bytes", "nothing")), st.integers(1, 3), st.integers(0))
def test_only_the_recipient_opens_it_and_only_as_this_answer(
    census: Census, wrong: str, custodian: int, place: int
) -> None:
    at = scene().rewind("ready")
    sealed = at.release(custodian=custodian).sealed
    key = load_case(at.world.store(AGENCY), at.warrant_id).recipient_key
    held = at.world.genesis.custodian_keys[f"custodian/{custodian}"]
    generation = at.world.store(f"custodian/{custodian}").get(b"answer/" + at.tag + at.request.hash)
    assert generation is not None
    parts: dict[str, Any] = dict(zip(PARTS, (at.tag, at.request.hash, held, generation[:32]), strict=True))
    match wrong:
        case "recipient":
            key = RecipientKey.from_seed(bytes([place % 256]) * 32)
        case "bytes":
            at_byte = place % len(sealed)
            sealed = sealed[:at_byte] + bytes([sealed[at_byte] ^ 1]) + sealed[at_byte + 1 :]
        case "nothing":
            pass
        case name:
            parts[name] = bytes(32)
    info = hpke_info(**parts)
    if wrong == "nothing":
        response = ReleaseResponse.decode(key.open(info, sealed))
        assert response.request_hash == at.request.hash
        assert len(response.shares) == at.request.count
        census("opened")
        return
    with pytest.raises(EscrowError):
        key.open(info, sealed)
    census("refused")


def test_two_custodians_answers_are_not_exchanged(census: Census) -> None:
    at = scene().rewind("ready")
    key = load_case(at.world.store(AGENCY), at.warrant_id).recipient_key
    one = at.release(custodian=1).sealed
    place = at.tag + at.request.hash
    generation = at.world.store("custodian/1").get(b"answer/" + place)
    assert generation is not None
    other = at.world.genesis.custodian_keys["custodian/2"]
    with pytest.raises(EscrowError):
        key.open(hpke_info(at.tag, at.request.hash, other, generation[:32]), one)
    census("refused")
