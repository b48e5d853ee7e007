"""ESC-13: the receiver blames the sender only for what the sender signed, and the relay only for what the relay did."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.body import Body
from escrow.roles.calls import EscrowDelivery, EscrowSend
from escrow.roles.device.state import load_me
from tests.claims.measures import Census, effort
from tests.claims.postmen import Letter
from tests.claims.test_msg_13 import statement
from tests.core.crypto.draws import flip

pytestmark = pytest.mark.claim("ESC-13")

FIELDS = EscrowDelivery.__struct_fields__


@effort(0.6)
@given(st.sampled_from(FIELDS), st.integers(0))
def test_whatever_the_relay_changes_is_not_shown_and_never_laid_to_the_sender(
    census: Census, field: str, bit: int
) -> None:
    letter = Letter()
    letter.delivering(lambda item: msgspec.structs.replace(item, **{field: flip(getattr(item, field), bit)}))
    assert not letter.send()
    assert "sender" not in letter.blamed
    census("relay blamed" if letter.blamed else "nobody blamed")


@effort(0.2)
@given(st.integers(0))
def test_what_the_sender_signed_against_its_own_envelope_is_laid_to_the_sender(census: Census, bit: int) -> None:
    letter = Letter()
    key = load_me(letter.at.world.store(letter.at.bob.party)).keys.signing_key

    def cheat(item: EscrowSend) -> EscrowSend:
        """A body that is signed, but is not the one of which the envelope speaks."""
        body = Body.decode(item.body)
        other = Body(body.header, body.commitment, flip(body.ciphertext, bit)).encode()
        item = msgspec.structs.replace(item, body=other)
        return msgspec.structs.replace(item, device_sig=statement(item).sign(key))

    letter.posting(cheat)
    assert not letter.send()
    assert letter.blamed == {"sender"}
    census("sender blamed")
