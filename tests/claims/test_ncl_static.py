"""NCL-STATIC: transport keys that are stolen before they are erased rebuild the whole key from recorded traffic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.edwards25519 import EDWARDS25519
from escrow.crypto.group import Scalar
from escrow.crypto.sharing import interpolate_scalars
from tests.claims.keygen import committee, keygen
from tests.claims.measures import Census, effort
from tests.claims.theft import rebuilt_by_transport_key

pytestmark = pytest.mark.claim("NCL-STATIC")

N, THRESHOLD = 4, 3


@effort(0.1)
@given(st.integers(0, 2**32))
def test_kept_transport_keys_and_recorded_ciphertexts_give_the_committee_key_away(census: Census, seed: int) -> None:
    story = keygen(N, THRESHOLD, seed)
    record, secret = story.states[1].record, Scalar(0)
    for dealer in range(1, N + 1):
        dealt: dict[int, Scalar] = {}
        for victim in range(1, N + 1):
            stolen = story.before_certificate[victim].transport
            share = rebuilt_by_transport_key(story, record, stolen, victim, dealer) if stolen else None
            if share is not None:
                dealt[victim] = share
        # What a dealer sent to the others is as many shares as the threshold needs: its own is not missed.
        secret = secret + interpolate_scalars(dict(list(dealt.items())[:THRESHOLD]))
    assert EDWARDS25519.base_mul(secret) == committee(N, THRESHOLD, seed).ctx.public
    census("key rebuilt")
