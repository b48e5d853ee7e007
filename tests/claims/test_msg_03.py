"""MSG-03: a message that is refused leaves sessions, chains, sender keys and rosters as they were."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.crypto.coins import Coins
from escrow.e2ee.content import Text, encode_content
from escrow.e2ee.plain import Plain
from escrow.roles.calls import PlainDelivery
from escrow.roles.device import voices
from escrow.roles.device.state import PLAIN
from tests.claims.measures import Census, effort
from tests.core.roles.phones import flipped
from tests.core.roles.test_device_groups import TEAM, office
from tests.core.roles.test_device_insiders import LIES, OWN_BUSINESS, begun, later
from tests.core.roles.test_device_voices import INCONSISTENT, own, picnic, team

pytestmark = pytest.mark.claim("MSG-03")


@effort(0.5)
@given(st.sampled_from([*INCONSISTENT]), st.integers(1, 240), st.booleans())
@example(case="a key", place=1, broken=False)
@example(case="a roster", place=1, broken=True)
def test_without_escrow(census: Census, case: str, place: int, broken: bool) -> None:
    """Bob lies under his own sender key, or the network breaks what he says, but for the name of the key."""
    at = picnic()
    at.reset()
    held, draft = team(at, "bob"), at.draft("bob")
    said = Plain(held.conversation.id, 0, bytes(16), encode_content(Text("false")))
    lie = (said if broken else INCONSISTENT[case](said)).encode()
    envelope = voices.speak(draft, held.conversation.id, own(at, "bob"), lie, Coins(bytes(32)))
    false, before = flipped(envelope, -place) if broken else envelope, at.state("alice", *OWN_BUSINESS)
    at.send("bob", TEAM, "true", PLAIN)  # under the same key of his chain
    (true,) = (one.plain for one in at.waiting("alice") if one.plain is not None)
    at.deliver("alice", PlainDelivery(at.me("bob").keys.account, 1, false))
    assert len(at.alarms("alice")) == 1
    assert at.state("alice", *OWN_BUSINESS) == before
    census("refused")
    texts = at.texts("alice")
    at.deliver("alice", true)
    assert at.texts("alice") == [*texts, "true"]
    census("accepted")


@effort(0.5)
@given(st.sampled_from([*LIES]))
@example("another class")
def test_with_escrow(census: Census, case: str) -> None:
    at = office()
    at.reset()
    chain, capsule = begun(at)
    before = at.state("alice", *OWN_BUSINESS)
    at.deliver("alice", later(at, chain, capsule, "false", LIES[case][0]))
    at.sync("alice")
    assert len(at.alarms("alice")) == 1
    assert at.state("alice", *OWN_BUSINESS) == before
    census("refused")
    at.deliver("alice", later(at, chain, capsule, "true"))
    assert at.texts("alice") == ["begins", "true"]
    census("accepted")
