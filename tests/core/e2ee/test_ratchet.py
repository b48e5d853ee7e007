import pytest
from hypothesis import given
from hypothesis import strategies as st

from escrow.crypto.kdf import hkdf_expand, hkdf_extract
from escrow.e2ee import ratchet
from escrow.e2ee.ratchet import HEADER, RatchetState
from escrow.e2ee.symmetric import MAX_SKIP, MAX_SKIPPED, SKIPPED_LIFETIME, advance
from escrow.errors import EscrowError, Reason
from escrow.roles.state import pack, unpack
from tests.core.e2ee.people import NOW, coins, ratchet_pair

AD = b"mode and lineage"


def say(state: RatchetState, text: bytes, *seed: object) -> tuple[RatchetState, bytes]:
    return ratchet.encrypt(state, text, AD, coins(text, *seed))


def hear(state: RatchetState, message: bytes) -> tuple[RatchetState, bytes]:
    return ratchet.decrypt(state, message, AD, NOW)


def refusal(state: RatchetState, message: bytes, ad: bytes = AD) -> Reason:
    before = pack(state)
    with pytest.raises(EscrowError) as caught:
        ratchet.decrypt(state, message, ad, NOW)
    assert pack(state) == before
    return caught.value.reason


def acquainted() -> tuple[RatchetState, RatchetState]:
    """A pair in which either has already heard the other."""
    alice, bob = ratchet_pair()
    alice, hello = say(alice, b"hello")
    bob, _ = hear(bob, hello)
    bob, answer = say(bob, b"answer")
    alice, _ = hear(alice, answer)
    return alice, bob


step = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 1)),
    st.tuples(st.sampled_from(["deliver", "repeat", "lose"]), st.integers(0, 30)),
)


@given(st.lists(step, max_size=60))
def test_whatever_the_network_does_each_message_is_opened_once_and_as_it_was_sent(steps: list[tuple[str, int]]) -> None:
    sides = list(ratchet_pair())
    flying: list[tuple[int, bytes, bytes]] = []
    opened: list[tuple[int, bytes]] = []
    texts = 0
    for what, which in steps:
        if what == "say":
            if which == 1 and not sides[1].remote:
                continue
            texts += 1
            text = b"text %d" % texts
            sides[which], message = say(sides[which], text)
            flying.append((1 - which, text, message))
        elif flying and what == "lose":
            flying.pop(which % len(flying))
        elif flying:
            to, text, message = flying.pop(which % len(flying))
            sides[to], heard = hear(sides[to], message)
            assert heard == text
            opened.append((to, message))
        if what == "repeat" and opened:
            to, message = opened[which % len(opened)]
            assert refusal(sides[to], message) is Reason.ENVELOPE_INVALID
    assert len(set(opened)) == len(opened)


def test_every_mutated_byte_is_refused_and_leaves_the_state_unchanged() -> None:
    alice, bob = acquainted()
    alice, _lost = say(alice, b"one that is skipped")
    _, message = say(alice, b"the seed of this chain")
    for place in range(len(message)):
        mutated = bytearray(message)
        mutated[place] ^= 1 << place % 8
        assert refusal(bob, bytes(mutated)) in {Reason.ENVELOPE_INVALID, Reason.SKIP_LIMIT}
    assert hear(bob, message)[1] == b"the seed of this chain"


def test_other_associated_data_are_refused() -> None:
    alice, bob = ratchet_pair()
    _, message = say(alice, b"hello")
    assert refusal(bob, message, b"another mode") is Reason.ENVELOPE_INVALID


@pytest.mark.parametrize("length", [0, 1, HEADER.size, HEADER.size + 15])
def test_a_message_that_is_too_short_is_malformed(length: int) -> None:
    alice, bob = ratchet_pair()
    _, message = say(alice, b"")
    assert refusal(bob, message[:length]) is Reason.MALFORMED


@pytest.mark.parametrize("low", [bytes(32), b"\x01" + bytes(31)])
def test_a_ratchet_key_of_low_order_is_refused(low: bytes) -> None:
    alice, bob = acquainted()
    _, message = say(alice, b"hello")
    assert refusal(bob, low + message[32:]) is Reason.MALFORMED


def test_an_initiator_that_has_sent_nothing_hears_nothing() -> None:
    alice, bob = ratchet_pair()
    _, message = say(alice, b"hello")
    assert refusal(alice, message) is Reason.ENVELOPE_INVALID
    with pytest.raises(AssertionError):
        say(bob, b"a responder waits")


def test_ones_own_message_thrown_back_is_refused() -> None:
    alice, _ = acquainted()
    alice, message = say(alice, b"hello")
    assert refusal(alice, message) is Reason.ENVELOPE_INVALID


def test_a_message_may_skip_a_thousand_keys_and_no_more() -> None:
    alice, bob = acquainted()
    for place in range(MAX_SKIP):
        alice, _ = say(alice, b"%d" % place)
    alice, last = say(alice, b"last")
    _, beyond = say(alice, b"beyond")
    assert refusal(bob, beyond) is Reason.SKIP_LIMIT
    bob, text = hear(bob, last)
    assert text == b"last"
    assert len(bob.skipped) == MAX_SKIP
    assert hear(bob, beyond)[1] == b"beyond"


def test_the_bound_counts_both_chains_that_a_turn_touches() -> None:
    _alice, bob = acquainted()
    forged = HEADER.pack(coins("key"), MAX_SKIP // 2 + bob.received, MAX_SKIP // 2 + 1, bytes(12)) + bytes(16)
    assert refusal(bob, forged) is Reason.SKIP_LIMIT


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_forged_header_never_makes_a_state_grow(previous: int, number: int) -> None:
    _alice, bob = acquainted()
    forged = HEADER.pack(coins("key"), previous, number % 4, bytes(12)) + bytes(32)
    assert refusal(bob, forged) in {Reason.ENVELOPE_INVALID, Reason.SKIP_LIMIT}
    forged = HEADER.pack(bob.remote, previous, number, bytes(12)) + bytes(32)
    assert refusal(bob, forged) in {Reason.ENVELOPE_INVALID, Reason.SKIP_LIMIT}


def test_a_state_keeps_two_thousand_skipped_keys_and_the_oldest_give_way() -> None:
    alice, bob = acquainted()
    alice, oldest = say(alice, b"oldest")
    for turn in range(3):
        for place in range(MAX_SKIP - 1):
            alice, _ = say(alice, b"%d %d" % (turn, place))
        alice, heard = say(alice, b"heard %d" % turn)
        bob, _ = hear(bob, heard)
        assert len(bob.skipped) <= MAX_SKIPPED
    assert refusal(bob, oldest) is Reason.ENVELOPE_INVALID


def test_a_skipped_key_lasts_its_lifetime_from_when_it_was_skipped() -> None:
    alice, bob = acquainted()
    alice, late = say(alice, b"late")
    _, early = say(alice, b"early")
    bob, _ = hear(bob, early)
    assert hear(ratchet.prune(bob, NOW + SKIPPED_LIFETIME - 1), late)[1] == b"late"
    assert refusal(ratchet.prune(bob, NOW + SKIPPED_LIFETIME), late) is Reason.ENVELOPE_INVALID


def test_a_stolen_state_opens_nothing_that_was_opened_before() -> None:
    alice, bob = ratchet_pair()
    past = []
    for turn in range(4):
        alice, there = say(alice, b"there %d" % turn)
        bob, _ = hear(bob, there)
        bob, back = say(bob, b"back %d" % turn)
        alice, _ = hear(alice, back)
        past += [there, back]
    for stolen in (alice, bob):
        assert {refusal(stolen, message) for message in past} == {Reason.ENVELOPE_INVALID}


def test_a_stolen_state_opens_the_skipped_message_and_only_that() -> None:
    alice, bob = acquainted()
    alice, skipped = say(alice, b"skipped")
    alice, opened = say(alice, b"opened")
    stolen, _ = hear(bob, opened)
    assert hear(stolen, skipped)[1] == b"skipped"
    assert refusal(stolen, opened) is Reason.ENVELOPE_INVALID


def test_after_a_round_trip_a_stolen_state_opens_nothing_new() -> None:
    alice, bob = acquainted()
    thief = bob
    for turn in range(3):
        alice, there = say(alice, b"there %d" % turn, "fresh")
        bob, _ = hear(bob, there)
        bob, back = say(bob, b"back %d" % turn, "fresh")
        alice, _ = hear(alice, back)
        if turn == 0:
            # Bob has not turned since the theft: the thief still has what he has.
            thief, _ = hear(thief, there)
        else:
            assert refusal(thief, there) is Reason.ENVELOPE_INVALID


def test_a_restored_backup_never_uses_a_key_and_nonce_for_other_words() -> None:
    alice, bob = ratchet_pair()
    _, first = ratchet.encrypt(alice, b"attack at dawn", AD, coins("stuck"))
    _, again = ratchet.encrypt(alice, b"attack at dawn", AD, coins("stuck"))
    _, other = ratchet.encrypt(alice, b"attack at dusk", AD, coins("stuck"))
    _, fresh = ratchet.encrypt(alice, b"attack at dusk", AD, coins("fresh"))
    assert first == again
    nonces = {HEADER.unpack_from(message)[3] for message in (first, other, fresh)}
    assert len(nonces) == 3
    body = HEADER.size
    keystream = {bytes(a ^ b for a, b in zip(first[body:], message[body:], strict=True)) for message in (other, fresh)}
    words = bytes(a ^ b for a, b in zip(b"attack at dawn", b"attack at dusk", strict=True))
    assert not any(stream.startswith(words) for stream in keystream)
    assert hear(bob, other)[1] == b"attack at dusk"


def test_a_state_survives_its_store_and_hides_its_keys() -> None:
    alice, bob = acquainted()
    alice, _skipped = say(alice, b"skipped")
    alice, message = say(alice, b"stored")
    bob, _ = hear(bob, message)
    assert unpack(pack(bob), RatchetState) == bob
    assert bob.root.expose().hex() not in repr(bob)
    assert "Secret(<32 bytes>)" in repr(bob)


def test_the_chain_step_is_the_published_one() -> None:
    """Signal's libsignal, ChainKey test of session version 3: the keys after one step."""
    chain = bytes.fromhex("8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f")
    following, key = advance(chain)
    assert following.hex() == "28e8f8fee54b801eef7c5cfb2f17f32c7b334485bbb70fac6ec10342a246d15d"
    derived = hkdf_expand(hkdf_extract(bytes(32), key), b"WhisperMessageKeys", 32)
    assert derived.hex() == "bf51e9d75e0e31031051f82a2491ffc084fa298b7793bd9db620056febf45217"


def test_the_responder_turns_only_when_it_has_something_to_say() -> None:
    alice, bob = ratchet_pair()
    _, message = say(alice, b"hello")
    bob, _ = hear(bob, message)
    assert not bob.sending
    bob, _ = say(bob, b"answer")
    assert bob.sending


def test_a_turn_leaves_nothing_of_the_key_that_it_replaces() -> None:
    alice, bob = acquainted()
    for turn in range(3):
        alice, message = say(alice, b"ping", turn)
        replaced = bob.own
        assert replaced
        bob, _ = hear(bob, message)
        bob, message = say(bob, b"pong", turn)
        assert replaced.pair.expose()[:32] not in pack(bob)
        alice, _ = hear(alice, message)


def test_a_stuck_generator_gives_another_ratchet_key_at_each_turn() -> None:
    alice, bob = acquainted()
    seen = set()
    for _ in range(4):
        alice, message = ratchet.encrypt(alice, b"ping", AD, bytes(32))
        bob, _ = hear(bob, message)
        bob, answer = ratchet.encrypt(bob, b"pong", AD, bytes(32))
        alice, _ = hear(alice, answer)
        seen |= {message[:32], answer[:32]}
    assert len(seen) == 8
