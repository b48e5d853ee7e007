"""NCL-IDENTITY: the key that a warrant obtained opens what no request named, also what is sealed after it was given."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.combine import open_capsule
from escrow.capsule.label import Label
from escrow.capsule.schemes.ibe import Ibe
from escrow.crypto.suites import IBE
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.claims.sealing import seeds
from tests.core.capsule.vault import answers, asked, committee, hashes, label

pytestmark = pytest.mark.claim("NCL-IDENTITY")

CTX, GENERATION, _ = committee(suite=IBE)
NAMED = label(suite=IBE)


@effort(0.1)
@given(seeds, hashes, st.integers(0, 2**64 - 1))
def test_one_message_was_asked_for_and_all_others_of_the_day_open(
    census: Census, seed: bytes, elsewhere: bytes, number: int
) -> None:
    asked_for = asked(Ibe().encapsulate(CTX, NAMED, Secret(bytes(32))), NAMED, suite=IBE)
    key = open_capsule(asked_for, GENERATION, answers(asked_for)).key
    # Only now the account says something else, in a conversation of which no warrant has spoken.
    later = msgspec.structs.replace(Label.decode(NAMED), conv_tag=elsewhere, chain_no=number).encode()
    capsule = Ibe().encapsulate(CTX, later, Secret(seed))
    assert Ibe().open(CTX, later, capsule, key) == Secret(seed)
    census("opened beside the request")
