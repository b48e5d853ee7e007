import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.capsule.chain import use_hedge
from escrow.crypto import aead
from escrow.crypto.sign import SigningKey
from escrow.e2ee import sender_keys
from escrow.e2ee.sender_keys import HEADER, OVERHEAD, Distribution, Place, ReceiverKey, SenderKey, accept, begin, prune
from escrow.e2ee.symmetric import MAX_SKIP, MAX_SKIPPED, SKIPPED_LIFETIME, advance
from escrow.errors import EscrowError, MalformedError, Reason
from escrow.ids import AccountId, DeviceNo
from escrow.roles.state import pack, unpack
from escrow.secret import Secret
from tests.core.e2ee.people import NOW, coins

PLACE = Place(coins("conversation"), 3, AccountId(coins("alice")), DeviceNo(1))
ELSEWHERE = [
    replace(PLACE, conversation=coins("another")),
    replace(PLACE, roster_version=4),
    replace(PLACE, account=AccountId(coins("mallory"))),
    replace(PLACE, device=DeviceNo(2)),
]


def chain(*seed: object) -> tuple[SenderKey, ReceiverKey]:
    """A sender and a member that was told at once."""
    sender = begin(PLACE, Secret(coins("hedge", *seed)), coins("random", *seed))
    return sender, accept(Distribution.decode(sender.distribution.encode()), PLACE)


def say(sender: SenderKey, text: bytes, *seed: object) -> tuple[SenderKey, bytes]:
    return sender_keys.seal(sender, text, coins(text, *seed))


def hear(member: ReceiverKey, message: bytes, now: int = NOW) -> tuple[ReceiverKey, bytes]:
    return sender_keys.open_(member, message, now)


def refusal(member: ReceiverKey, message: bytes, now: int = NOW) -> Reason:
    before = pack(member)
    with pytest.raises(EscrowError) as caught:
        hear(member, message, now)
    assert pack(member) == before
    return caught.value.reason


def forge(member: ReceiverKey, signing: SigningKey, text: bytes, ahead: int = 0) -> bytes:
    """What a member who can read the chain makes of it with a signing key that it has."""
    key, following = b"", member.chain.expose()
    for _ in range(ahead + 1):
        following, key = advance(following)
    bound = member.ad + HEADER.pack(member.chain_id, member.iteration + ahead, bytes(12))
    signed = bound + aead.seal(key, bytes(12), text, bound)
    return signed[len(member.ad) :] + signing.sign(signed)


step = st.one_of(
    st.tuples(st.just("say"), st.just(0)),
    st.tuples(st.sampled_from(["deliver", "repeat", "lose"]), st.integers(0, 30)),
)


@given(st.lists(step, max_size=50))
def test_whatever_the_network_does_each_message_is_opened_once_and_as_it_was_sent(steps: list[tuple[str, int]]) -> None:
    sender, member = chain()
    flying: list[tuple[bytes, bytes]] = []
    opened: list[bytes] = []
    for number, (what, which) in enumerate(steps):
        if what == "say":
            text = b"text %d" % number
            sender, message = say(sender, text)
            flying.append((text, message))
        elif what == "lose" and flying:
            flying.pop(which % len(flying))
        elif what == "deliver" and flying:
            text, message = flying.pop(which % len(flying))
            member, heard = hear(member, message)
            assert heard == text
            opened.append(message)
        elif what == "repeat" and opened:
            assert refusal(member, opened[which % len(opened)]) is Reason.ENVELOPE_INVALID
    for text, message in flying:
        member, heard = hear(member, message)
        assert heard == text


@given(st.binary(max_size=300), st.integers(1, 31))
def test_one_ciphertext_serves_every_member(text: bytes, members: int) -> None:
    sender, member = chain()
    _, message = say(sender, text)
    assert len(message) == len(text) + OVERHEAD
    assert {hear(member, message)[1] for _ in range(members)} == {text}


def test_every_mutated_byte_is_refused_and_leaves_the_state_unchanged() -> None:
    sender, member = chain()
    sender, _lost = say(sender, b"one that is skipped")
    _, message = say(sender, b"for all of you")
    for place in range(len(message)):
        mutated = bytearray(message)
        mutated[place] ^= 1 << place % 8
        expected = Reason.CHAIN_MISMATCH if place < 16 else Reason.SIGNATURE_INVALID
        assert refusal(member, bytes(mutated)) is expected
    for length in range(len(message)):
        assert refusal(member, message[:length]) in {Reason.MALFORMED, Reason.SIGNATURE_INVALID}
    assert refusal(member, message + b"\x00") is Reason.SIGNATURE_INVALID
    assert hear(member, message)[1] == b"for all of you"


def test_a_member_who_reads_the_chain_cannot_write_in_it() -> None:
    sender, member = chain()
    mallory = SigningKey.from_seed(coins("mallory"))
    assert refusal(member, forge(member, mallory, b"says alice")) is Reason.SIGNATURE_INVALID
    # The forgery fails by its signature alone: with the sender's own key the same bytes are a message.
    own = SigningKey.from_pair(sender.signing)
    assert hear(member, forge(member, own, b"says alice"))[1] == b"says alice"


def test_a_signed_message_does_not_move_to_other_words_or_another_number() -> None:
    sender, member = chain()
    sender, first = say(sender, b"first")
    _, second = say(sender, b"again")
    spliced = second[: HEADER.size] + first[HEADER.size :]
    assert refusal(member, spliced) is Reason.SIGNATURE_INVALID
    assert refusal(member, second[:-64] + first[-64:]) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_chain_opens_in_no_other_place(elsewhere: Place) -> None:
    sender, member = chain()
    _, message = say(sender, b"here")
    assert refusal(accept(sender.distribution, elsewhere), message) is Reason.SIGNATURE_INVALID
    assert hear(member, message)[1] == b"here"


def test_a_message_of_another_chain_is_refused() -> None:
    sender, _ = chain("one")
    _, member = chain("other")
    _, message = say(sender, b"text")
    assert refusal(member, message) is Reason.CHAIN_MISMATCH
    assert sender_keys.chain_id_of(message) == sender.chain_id


def test_who_is_told_later_reads_from_then_on_and_nothing_before() -> None:
    sender, _ = chain()
    sender, before = say(sender, b"before")
    late = accept(sender.distribution, PLACE)
    _, after = say(sender, b"after")
    assert refusal(late, before) is Reason.ENVELOPE_INVALID
    assert hear(late, after)[1] == b"after"


def test_who_is_not_told_the_next_chain_reads_nothing_of_it() -> None:
    """The next chain shares no secret with this one, not even where hedge and randomness repeat."""
    sender, member = chain()
    following = begin(replace(PLACE, roster_version=4), Secret(coins("hedge")), coins("random"))
    assert following.chain != sender.chain
    assert following.chain_id != sender.chain_id
    assert following.signing != sender.signing
    _, message = say(following, b"without you")
    assert refusal(member, message) is Reason.CHAIN_MISMATCH


def test_a_message_may_skip_a_thousand_keys_and_no_more() -> None:
    sender, member = chain()
    for _ in range(MAX_SKIP):
        sender, _ = say(sender, b"lost")
    sender, last = say(sender, b"last")
    _, beyond = say(sender, b"beyond")
    assert refusal(member, beyond) is Reason.SKIP_LIMIT
    member, text = hear(member, last)
    assert text == b"last"
    assert len(member.skipped) == MAX_SKIP
    assert hear(member, beyond)[1] == b"beyond"


@given(st.integers(MAX_SKIP + 1, 2**32 - 1))
def test_even_the_sender_makes_nobody_skip_without_end(iteration: int) -> None:
    sender, member = chain()
    bound = member.ad + HEADER.pack(member.chain_id, iteration, bytes(12))
    signed = bound + aead.seal(bytes(32), bytes(12), b"bomb", bound)
    bomb = signed[len(member.ad) :] + SigningKey.from_pair(sender.signing).sign(signed)
    assert refusal(member, bomb) is Reason.SKIP_LIMIT


def test_nothing_is_skipped_for_a_message_that_is_signed_and_does_not_open() -> None:
    sender, member = chain()
    bound = member.ad + HEADER.pack(member.chain_id, 5, bytes(12))
    signed = bound + aead.seal(bytes(32), bytes(12), b"under no key of this chain", bound)
    message = signed[len(member.ad) :] + SigningKey.from_pair(sender.signing).sign(signed)
    assert refusal(member, message) is Reason.ENVELOPE_INVALID


def test_the_oldest_skipped_keys_give_way() -> None:
    sender, member = chain()
    messages = []
    for _ in range(2 * MAX_SKIP + MAX_SKIP // 2 + 3):
        sender, message = say(sender, b"text")
        messages.append(message)
    for last in (MAX_SKIP, 2 * MAX_SKIP + 1, len(messages) - 1):
        member, _ = hear(member, messages[last])
    assert len(member.skipped) == MAX_SKIPPED
    assert refusal(member, messages[0]) is Reason.ENVELOPE_INVALID
    assert hear(member, messages[-2])[1] == b"text"


def test_skipped_keys_have_their_time() -> None:
    sender, member = chain()
    sender, late = say(sender, b"late")
    sender, later = say(sender, b"later")
    _, early = say(sender, b"early")
    member, _ = hear(member, early)
    assert hear(member, late, NOW + SKIPPED_LIFETIME - 1)[1] == b"late"
    assert refusal(member, late, NOW + SKIPPED_LIFETIME) is Reason.ENVELOPE_INVALID
    assert len(prune(member, NOW + SKIPPED_LIFETIME - 1).skipped) == 2
    assert not prune(member, NOW + SKIPPED_LIFETIME).skipped
    assert hear(member, later)[1] == b"later"


def test_only_the_keys_that_are_old_go() -> None:
    sender, member = chain()
    sender, oldest = say(sender, b"oldest")
    sender, one = say(sender, b"one")
    member, _ = hear(member, one)
    sender, younger = say(sender, b"younger")
    _, two = say(sender, b"two")
    member, _ = hear(member, two, NOW + 1)
    member = prune(member, NOW + SKIPPED_LIFETIME)
    assert refusal(member, oldest) is Reason.ENVELOPE_INVALID
    assert hear(member, younger)[1] == b"younger"


def test_a_stolen_state_opens_nothing_that_was_opened_before() -> None:
    sender, member = chain()
    past = []
    for number in range(5):
        sender, message = say(sender, b"text %d" % number)
        member, _ = hear(member, message)
        past.append(message)
    for turned in range(6):
        stolen = replace(member, iteration=turned)
        assert {refusal(stolen, message) for message in past} == {Reason.ENVELOPE_INVALID}
    stolen_from_sender = accept(sender.distribution, PLACE)
    assert {refusal(stolen_from_sender, message) for message in past} == {Reason.ENVELOPE_INVALID}


def test_a_restored_backup_never_uses_a_key_and_nonce_for_other_words() -> None:
    sender, member = chain()
    _, first = sender_keys.seal(sender, b"attack at dawn", coins("stuck"))
    _, again = sender_keys.seal(sender, b"attack at dawn", coins("stuck"))
    _, other = sender_keys.seal(sender, b"attack at dusk", coins("stuck"))
    _, fresh = sender_keys.seal(sender, b"attack at dusk", coins("fresh"))
    assert first == again
    assert len({HEADER.unpack_from(message)[2] for message in (first, other, fresh)}) == 3
    assert hear(member, other)[1] == b"attack at dusk"


def test_a_stuck_generator_begins_another_chain_at_each_use_of_the_hedge() -> None:
    hedge, begun = Secret(coins("hedge")), []
    for _ in range(3):
        hedged, hedge = use_hedge(hedge, b"sender-key")
        begun.append(begin(PLACE, hedged, bytes(32)))
    assert len({each.chain_id for each in begun}) == 3
    assert len({each.chain.expose() for each in begun}) == 3
    assert len({each.signing.expose() for each in begun}) == 3


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**32 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_told_has_one_encoding(chain_id: bytes, iteration: int, key: bytes) -> None:
    public = SigningKey.from_seed(key).public
    told = Distribution(chain_id, iteration, Secret(key), public)
    assert Distribution.decode(told.encode()) == told
    assert Distribution.decode(told.encode()).encode() == told.encode()


def test_what_is_told_in_another_form_is_malformed() -> None:
    told = chain()[0].distribution.encode()
    low = b"\x01" + bytes(31)  # the identity, under which anything might verify elsewhere
    for data in (told[:-1], told + b"\x00", b"", told[:-32] + low, told[:9] + b"x" + told[10:]):
        with pytest.raises(MalformedError):
            Distribution.decode(data)


def test_states_survive_their_store_and_hide_their_keys() -> None:
    sender, member = chain()
    sender, _ = say(sender, b"skipped")
    sender, message = say(sender, b"stored")
    member, _ = hear(member, message)
    assert unpack(pack(sender), SenderKey) == sender
    assert unpack(pack(member), ReceiverKey) == member
    for state in (sender, member, sender.distribution):
        assert state.chain.expose().hex() not in repr(state)
        assert repr(state.chain.expose()) not in repr(state)
