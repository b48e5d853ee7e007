"""MSG-13: without its device's signature nothing counts as its message, not to relay, receiver or custodian."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.body import Body, body_id
from escrow.capsule.envelope import env_root
from escrow.capsule.header import Header, cap_hash
from escrow.capsule.label import label_hash
from escrow.capsule.submission import SignedContent
from escrow.crypto.sign import SigningKey
from escrow.roles.calls import EscrowDelivery, EscrowSend
from tests.claims.keygen import coins
from tests.claims.measures import Census, effort
from tests.claims.postmen import Letter
from tests.core.crypto.draws import flip
from tests.core.roles.phones import friends
from tests.core.roles.scene import MINUTE, scene

FRESH_MS = 10 * MINUTE

pytestmark = pytest.mark.claim("MSG-13")

FORGER = SigningKey.from_seed(coins("relay, agency and all custodians together"))


@effort(0.2)
@given(st.integers(0), st.booleans())
def test_the_relay_takes_nothing_that_the_device_has_not_signed(census: Census, bit: int, own_key: bool) -> None:
    letter = Letter()

    def forge(item: EscrowSend) -> EscrowSend:
        signature = FORGER.sign(statement(item).encode()) if own_key else flip(item.device_sig, bit)
        return msgspec.structs.replace(item, device_sig=signature)

    letter.posting(forge)
    assert not letter.send()
    assert not letter.accepted
    census("refused by the relay")


@effort(0.2)
@given(st.integers(0), st.booleans())
def test_the_receiver_shows_nothing_that_the_device_has_not_signed(census: Census, bit: int, own_key: bool) -> None:
    letter = Letter()

    def forge(item: EscrowDelivery) -> EscrowDelivery:
        header = Header.decode(Body.decode(item.body).header)
        said = SignedContent(header.label_hash, header.cap_hash, header.index, body_id(item.body), item.env_root)
        signature = FORGER.sign(said.encode()) if own_key else flip(item.device_sig, bit)
        return msgspec.structs.replace(item, device_sig=signature)

    letter.delivering(forge)
    assert not letter.send()
    assert letter.accepted
    assert {alarm.reason for alarm in letter.alarms} == {"SIGNATURE_INVALID"}
    census("refused by the receiver")


@effort(0.2)
@given(st.integers(0), st.booleans(), st.integers(1, 3))
def test_no_custodian_opens_what_the_device_has_not_signed(
    census: Census, bit: int, own_key: bool, custodian: int
) -> None:
    at = scene().rewind("ready")
    item = at.request.items[0]
    said = SignedContent(*item.capsule_id, item.header.index, body_id(item.body), item.env_root)
    signature = FORGER.sign(said.encode()) if own_key else flip(item.device_sig, bit)
    assert at.why_not(at.with_item(device_sig=signature), custodian=custodian) == "SUBMISSION_INVALID"
    census("refused by a custodian")


def test_an_honest_letter_arrives(census: Census) -> None:
    assert Letter().send()
    census("accepted")


def statement(item: EscrowSend) -> SignedContent:
    root = env_root([(each.account, each.device, each.envelope) for each in item.envelopes])
    return SignedContent(label_hash(item.label), cap_hash(1, item.capsule), 0, body_id(item.body), root)


@effort(0.2)
@given(st.integers(-600, 600), st.booleans())
def test_a_removed_device_signs_nothing_more_even_where_the_relay_takes_it(
    census: Census, minutes: int, heard: bool
) -> None:
    """What it signed before stays good. In the first ten minutes the relay itself may not have heard of it."""
    at = friends()
    at.reset()
    early = at.craft("before it was stolen")
    at.world.advance(max(0, -minutes) * MINUTE)
    at.relist("alice", at.new_keys("alice", 2))
    if heard:
        at.world.advance(FRESH_MS + MINUTE)
        at.send("bob", "carol", "this brings a newer head")
    at.world.advance(max(0, minutes) * MINUTE)
    at.deliver("bob", early if minutes < 0 else at.craft("after it was stolen"))
    at.sync("bob")
    late = minutes > 10 or (minutes >= 0 and heard)
    shown = at.texts("bob")[-1] in {"before it was stolen", "after it was stolen"}
    assert at.accused("bob") == [], "nobody is blamed"
    if late:
        assert not shown
        assert at.status("bob").deferred == ("DEVICE_UNKNOWN",)
        census("removed")
    elif minutes < 0:
        assert shown
        census("accepted")
