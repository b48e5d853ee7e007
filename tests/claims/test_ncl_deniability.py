"""NCL-DENIABILITY: an escrowed message proves its sender to anybody. Without escrow either end could have made it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.capsule.body import body_id
from escrow.capsule.envelope import env_root
from escrow.capsule.header import cap_hash
from escrow.capsule.label import label_hash
from escrow.capsule.submission import SignedContent
from escrow.crypto import aead
from escrow.e2ee import ratchet
from escrow.errors import RefusedError
from escrow.secret import Secret
from tests.claims.keygen import committee
from tests.claims.measures import Census, effort
from tests.claims.messages import Message, read, send
from tests.claims.sealing import numbers, seeds
from tests.core.crypto.draws import flip
from tests.core.e2ee.people import NOW, coins, person, ratchet_pair

pytestmark = pytest.mark.claim("NCL-DENIABILITY")

HELD, ALICE, AD = committee(), person("alice").keys, b"mode and lineage"
texts = st.binary(min_size=1, max_size=60)


def convinced(message: Message, signature: bytes, seed: bytes, text: bytes) -> bool:
    """A stranger who knows Alice's logged device key and was given the rest by the receiver or by the agency."""
    said = SignedContent(
        label_hash(message.label), cap_hash(1, message.capsule), 0, body_id(message.body), env_root([])
    )
    try:
        said.verify(ALICE.identity.signing, signature)
    except RefusedError:
        return False
    return read(message, Secret(seed)) == text


@effort(0.5)
@given(numbers, seeds, texts, st.integers(0))
def test_an_escrowed_message_convinces_a_stranger(
    census: Census, number: int, seed: bytes, text: bytes, bit: int
) -> None:
    sent = send(HELD, number, seed, text)
    said = SignedContent(label_hash(sent.label), cap_hash(1, sent.capsule), 0, body_id(sent.body), env_root([]))
    signature = said.sign(ALICE.signing_key)
    assert convinced(sent, signature, seed, text)
    assert not convinced(sent, flip(signature, bit), seed, text)
    census("stranger convinced")


@effort(0.5)
@given(texts, texts)
def test_a_message_without_escrow_is_forged_by_its_own_receiver(census: Census, text: bytes, invented: bytes) -> None:
    alice, bob = ratchet_pair()
    _, message = ratchet.encrypt(alice, text, AD, coins("honest"))
    forged = reply_in_her_name(bob, message, invented)
    for shown, said in ((message, text), (forged, invented)):
        assert ratchet.decrypt(bob, shown, AD, NOW)[1] == said
    assert message[: ratchet.HEADER.size] == forged[: ratchet.HEADER.size]
    census("forged by the receiver")


def reply_in_her_name(bob: ratchet.RatchetState, message: bytes, text: bytes) -> bytes:
    """What Bob makes with nothing but his own state: other words under Alice's header."""
    header = message[: ratchet.HEADER.size]
    remote, previous, number, nonce = ratchet.HEADER.unpack(header)
    state, key = ratchet._key_for(bob, remote, previous, number, NOW)
    return header + aead.seal(key, nonce, text, state.ad + header + AD)
