"""MSG-11: whoever reads along in a group, every key of its messages in hand, cannot write there in another's name."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.crypto.sign import SigningKey
from escrow.roles.calls import PlainDelivery
from escrow.roles.device.state import PLAIN
from tests.claims.measures import Census, effort
from tests.core.roles.test_device_groups import TEAM, office
from tests.core.roles.test_device_insiders import Lie, begun, later
from tests.core.roles.test_device_voices import forged, own, picnic

pytestmark = pytest.mark.claim("MSG-11")

SIGNERS = st.sampled_from(("as herself", "as nobody", "under her own sender key"))
TEXTS = st.text(min_size=1, max_size=100)


@effort(0.5)
@given(SIGNERS, st.integers(0, 2), TEXTS)
@example("as herself", 0, "false")
def test_without_escrow_the_sender_key_signs(census: Census, signer: str, ahead: int, text: str) -> None:
    at = picnic()
    at.reset()
    keys = {
        "as herself": at.me("carol").keys.signing_key,
        "as nobody": SigningKey.from_seed(at.coins()),
        "under her own sender key": SigningKey.from_pair(own(at, "carol").key.signing),
    }
    false, before = forged(at, text, keys[signer], ahead), at.texts("alice")
    at.send("bob", TEAM, "true", PLAIN)
    (true,) = (one.plain for one in at.waiting("alice") if one.plain is not None)
    at.deliver("alice", PlainDelivery(at.me("bob").keys.account, 1, false))
    assert at.texts("alice") == before
    census("refused")
    at.deliver("alice", true)
    assert at.texts("alice") == [*before, "true"]
    census("accepted")


@effort(0.5)
@given(st.sampled_from(("as herself", "as nobody")), st.integers(0, 1), TEXTS)
@example("as herself", 0, "false")
def test_with_escrow_the_device_signs_also_if_the_relay_helps(
    census: Census, signer: str, ahead: int, text: str
) -> None:
    at = office()
    at.reset()
    chain, capsule = begun(at)
    key = at.me("carol").keys.signing_key if signer == "as herself" else SigningKey.from_seed(at.coins())
    at.deliver("alice", later(at, chain, capsule, text, Lie(ahead=ahead, signer=key)))
    at.sync("alice")
    assert at.texts("alice") == ["begins"]
    census("refused")
    at.deliver("alice", later(at, chain, capsule, "true"))
    assert at.texts("alice") == ["begins", "true"]
    census("accepted")
