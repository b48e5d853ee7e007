"""ESC-24: the path in a frame shows one receipt at one place, and nothing that was not accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.receipt import Frame, Receipt, sign_frame, verify_receipt
from escrow.crypto.sign import SigningKey
from escrow.encoding import u32
from escrow.errors import EscrowError, Reason
from tests.claims.keygen import coins
from tests.claims.measures import Census
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("ESC-24")

RELAY = SigningKey.from_seed(coins("relay"))


def receipt(number: int) -> bytes:
    return Receipt(coins(number), coins("tag"), coins("account"), 1, 2, number, 4).encode()


@given(st.integers(1, 40), st.integers(0), st.integers(0), st.integers(0))
def test_a_path_verifies_its_own_receipt_at_its_own_place_only(
    census: Census, count: int, one: int, other: int, bit: int
) -> None:
    receipts = [receipt(number) for number in range(count)]
    frame, signature, paths = sign_frame(receipts, RELAY, 10)
    here, there = one % count, other % count
    said, signed = verify_receipt(receipts[here], paths[here], frame, signature, RELAY.public)
    assert (said.ingest_seq, signed.count) == (here, count)
    census("accepted")
    moved = u32(there) + paths[here][4:]
    tried = [
        (receipt(count), paths[here], frame, signature),
        (flip(receipts[here], bit), paths[here], frame, signature),
        (receipts[here], paths[here], flip(frame, bit), signature),
        (receipts[here], paths[here], frame, flip(signature, bit)),
        (receipts[here], paths[here] + bytes(32), frame, signature),
        (receipts[here], paths[here], Frame(RELAY.public, Frame.decode(frame).root, count + 1, 10).encode(), signature),
    ]
    if here != there:
        tried += [(receipts[there], paths[here], frame, signature), (receipts[here], moved, frame, signature)]
    for attempt in tried:
        with pytest.raises(EscrowError) as refused:
            verify_receipt(*attempt, RELAY.public)
        assert refused.value.reason in {Reason.RECEIPT_INVALID, Reason.MALFORMED}
        census("refused")
