"""MSG-07: whatever members of groups send, a device keeps only so many keys of messages that did not come."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.capsule.label import Label
from escrow.e2ee.keys import IdentityKeys
from escrow.e2ee.sender_keys import OVERHEAD, Place, begin, seal
from escrow.e2ee.symmetric import MAX_SKIP, advance
from escrow.errors import RefusedError
from escrow.ids import DeviceNo
from escrow.roles.calls import PlainDelivery
from escrow.roles.device import chains, voices
from escrow.roles.device.chains import ReceivingChain
from escrow.roles.device.incoming import MOST_UNHEARD
from escrow.roles.device.voices import Heard
from escrow.roles.state import unpack
from escrow.secret import Secret
from tests.claims.measures import Census, effort
from tests.core.capsule.vault import label as a_label
from tests.core.roles.phones import changed
from tests.core.roles.test_device_voices import picnic, team

pytestmark = pytest.mark.claim("MSG-07")

SKIPS = st.lists(st.sampled_from((1, 400, MAX_SKIP, MAX_SKIP + 1, 5000)), min_size=1, max_size=7)
TOO_MANY = [MAX_SKIP] * 6


@effort(0.2)
@given(SKIPS)
@example(TOO_MANY)
@example([MAX_SKIP + 1])
def test_without_escrow(census: Census, skips: list[int]) -> None:
    """Each is skipped by a device of its own, a liar that has just told its sender key."""
    at = picnic()
    at.reset()
    draft, conversation = at.draft("carol"), team(at, "carol").conversation
    for number, skip in enumerate(skips):
        liar = IdentityKeys.make(conversation.admin, DeviceNo(100 + number), at.coins()).identity
        key = begin(Place(conversation.id, 0, liar.account, liar.device), Secret(at.coins()), at.coins())
        voices.take_voice(draft, liar, conversation, key.distribution, number)
        for _ in range(skip):
            key = replace(key, iteration=key.iteration + 1, chain=Secret(advance(key.chain.expose())[0]))
        message = voices.SPOKEN + seal(key, b"ahead", at.coins())[1]
        try:
            voices.hear(draft, liar, message, number)
        except RefusedError:
            census("refused")
        else:
            census("kept")
    kept = [len(unpack(data, Heard).key.skipped) for _, data in draft.scan(b"voice/heard/")]
    assert max(kept) <= MAX_SKIP
    assert sum(kept) <= voices.MAX_SKIPPED


@effort(0.2)
@given(SKIPS)
@example(TOO_MANY)
@example([MAX_SKIP + 1])
def test_with_escrow(census: Census, skips: list[int]) -> None:
    at = picnic()
    at.reset()
    draft, like = at.draft("carol"), Label.decode(a_label())
    for number, skip in enumerate(skips):
        label = changed(like, {"chain_id": at.coins()[16:], "n_max": 1 << 13})
        chain = ReceivingChain(b"l" * 32, b"c" * 32, b"i" * 32, 0, 1 << 13, Secret(at.coins()), 0)
        try:
            following, _ = chain.take(skip, number)
        except RefusedError:
            census("refused")
        else:
            chains.follow(draft, label, following, 1 << 40)
            census("kept")
    kept = [len(unpack(data, ReceivingChain).skipped) for _, data in draft.scan(b"chain/in/") if data]
    assert max(kept, default=0) <= chains.MAX_SKIP
    assert sum(kept) <= chains.MAX_SKIPPED


@pytest.mark.parametrize("count", [MOST_UNHEARD, MOST_UNHEARD + 1, MOST_UNHEARD + 70])
def test_what_waits_for_a_sender_key(census: Census, count: int) -> None:
    """The relay makes them up, under the name of a member."""
    at = picnic()
    at.reset()
    bob = at.me("bob").keys.account
    made_up = (voices.SPOKEN + number.to_bytes(16, "big") + bytes(OVERHEAD) for number in range(count))
    at.deliver("carol", *(PlainDelivery(bob, 1, each) for each in made_up))
    assert len(at.status("carol").deferred) == min(count, MOST_UNHEARD)
    census("all wait" if count <= MOST_UNHEARD else "some given up")
