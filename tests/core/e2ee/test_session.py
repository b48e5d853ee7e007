import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.e2ee.bundle import PrekeySecrets
from escrow.e2ee.keys import Purpose
from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.session import MAX_FORGOTTEN, MAX_LINKS, Session, open_, open_session, seal
from escrow.e2ee.symmetric import SKIPPED_LIFETIME
from escrow.errors import EscrowError, Reason
from escrow.roles.state import pack, unpack
from tests.core.e2ee.people import ESCROWED, KEM, NOW, PLAIN, Person, coins, person

ALICE, BOB, MALLORY = person("alice"), person("bob"), person("mallory")


class Side:
    """One device: its session with the other, and its prekeys, which it uses up."""

    def __init__(self, me: Person, choice: tuple[int, bytes] = ESCROWED) -> None:
        self.me, self.choice = me, choice
        self.session: Session | None = None
        self.prekeys: PrekeySecrets = me.secrets
        self.count = 0

    def start(self, them: Person, *, one_time: bool = False) -> None:
        self.count += 1
        bundle = them.verified(ec=one_time, kem=one_time)
        fresh = coins(self.me.account, self.count, self.choice)
        self.session = open_session(self.me.keys, bundle, *self.choice, KEM, fresh, NOW, renew=self.session)

    def say(self, text: bytes) -> bytes:
        assert self.session
        self.count += 1
        self.session, envelope = seal(self.session, text, b"", coins(self.me.account, self.count, self.choice), NOW)
        return envelope

    def respond(self, initial: bytes) -> tuple[SessionSecret, Used]:
        return respond(self.me.keys, self.prekeys.find, initial)

    def hear(self, envelope: bytes, now: int = NOW) -> bytes:
        self.session, text, used = open_(self.session, envelope, b"", self.respond, now)
        if used is not None:
            self.prekeys = self.prekeys.without(used)
        return text

    def refusal(self, envelope: bytes) -> Reason:
        before = (self.session, self.prekeys)
        packed = pack(before)
        with pytest.raises(EscrowError) as caught:
            self.hear(envelope)
        assert (self.session, self.prekeys) == before
        assert pack(before) == packed
        return caught.value.reason


def pair(choice: tuple[int, bytes] = ESCROWED, *, one_time: bool = False) -> tuple[Side, Side]:
    alice, bob = Side(ALICE, choice), Side(BOB, choice)
    alice.start(BOB, one_time=one_time)
    return alice, bob


def acquainted(choice: tuple[int, bytes] = ESCROWED) -> tuple[Side, Side]:
    alice, bob = pair(choice)
    bob.hear(alice.say(b"hello"))
    alice.hear(bob.say(b"answer"))
    return alice, bob


def carries_initial(envelope: bytes) -> bool:
    return envelope[0] == 2


def test_the_initial_message_goes_along_until_the_first_answer() -> None:
    alice, bob = pair(one_time=True)
    first, second = alice.say(b"first"), alice.say(b"second")
    assert carries_initial(first)
    assert carries_initial(second)
    assert bob.hear(second) == b"second"
    assert bob.hear(first) == b"first"
    answer = bob.say(b"answer")
    assert not carries_initial(answer)
    assert alice.hear(answer) == b"answer"
    assert not carries_initial(alice.say(b"third"))


def test_accepting_an_initial_message_uses_its_one_time_keys_up_once() -> None:
    alice, bob = pair(one_time=True)
    first, second = alice.say(b"first"), alice.say(b"second")
    bob.session, _, used = open_(None, first, b"", bob.respond, NOW)
    assert used == ((Purpose.ONE_TIME_PREKEY, 1), (Purpose.KEM_ONE_TIME, 1))
    bob.session, text, again = open_(bob.session, second, b"", bob.respond, NOW)
    assert (text, again) == (b"second", None)


def test_a_replayed_initial_message_is_refused() -> None:
    alice, bob = pair(one_time=True)
    first = alice.say(b"first")
    bob.hear(first)
    assert bob.refusal(first) is Reason.ENVELOPE_INVALID
    bob.session = None
    assert bob.refusal(first) is Reason.PREKEY_UNKNOWN


def test_a_replay_is_refused_even_where_no_one_time_key_was_left_and_the_link_is_gone() -> None:
    alice, bob = pair()
    first = alice.say(b"first")
    bob.hear(first)
    for _ in range(MAX_LINKS):
        alice.start(BOB)
        bob.hear(alice.say(b"again"))
    assert bob.session
    assert len(bob.session.links) == MAX_LINKS
    assert bob.refusal(first) is Reason.PREKEY_UNKNOWN


def test_links_and_memories_of_links_are_bounded() -> None:
    alice = Side(ALICE)
    for _ in range(MAX_LINKS + MAX_FORGOTTEN + 3):
        alice.start(BOB)
    assert alice.session
    assert len(alice.session.links) == MAX_LINKS
    assert len(alice.session.forgotten) == MAX_FORGOTTEN


def test_without_a_session_only_an_initial_message_is_heard() -> None:
    alice, bob = acquainted()
    envelope = alice.say(b"text")
    bob.session = None
    assert bob.refusal(envelope) is Reason.SESSION_MISSING


def test_both_may_start_at_once() -> None:
    alice, bob = Side(ALICE), Side(BOB)
    alice.start(BOB)
    bob.start(ALICE)
    there, back = alice.say(b"there"), bob.say(b"back")
    assert alice.hear(back) == b"back"
    assert bob.hear(there) == b"there"
    for turn in range(4):
        assert bob.hear(alice.say(b"there %d" % turn)) == b"there %d" % turn
        assert alice.hear(bob.say(b"back %d" % turn)) == b"back %d" % turn
    assert alice.session
    assert bob.session
    assert alice.session.links[0].initial_hash == bob.session.links[0].initial_hash
    assert not alice.session.links[0].initial


def test_a_side_that_lost_its_state_starts_anew_and_late_messages_still_open() -> None:
    alice, bob = acquainted()
    late = alice.say(b"late")
    alice.session = None
    alice.start(BOB)
    assert bob.hear(alice.say(b"anew")) == b"anew"
    assert bob.hear(late) == b"late"


@pytest.mark.parametrize("other", [PLAIN, (1, bytes(32)), (0, ESCROWED[1])])
def test_sessions_of_different_mode_or_lineage_open_nothing_of_each_other(other: tuple[int, bytes]) -> None:
    alice, bob = acquainted()
    envelope = alice.say(b"escrowed")
    assert bob.session
    true = bob.session
    bob.session = replace(true, mode=other[0], lineage=other[1])
    assert bob.refusal(envelope) is Reason.ENVELOPE_INVALID
    bob.session = true
    assert bob.hear(envelope) == b"escrowed"


def test_an_escrowed_and_a_plain_session_of_the_same_devices_are_strangers() -> None:
    escrowed_alice, escrowed_bob = acquainted(ESCROWED)
    plain_alice, plain_bob = acquainted(PLAIN)
    assert escrowed_bob.refusal(plain_alice.say(b"plain")) is Reason.ENVELOPE_INVALID
    assert plain_bob.refusal(escrowed_alice.say(b"escrowed")) is Reason.ENVELOPE_INVALID
    starting, _ = pair(PLAIN)
    assert escrowed_bob.refusal(starting.say(b"switch")) is Reason.MODE_MISMATCH


def test_an_initial_message_of_another_device_does_not_enter_a_session() -> None:
    _, bob = acquainted()
    mallory = Side(MALLORY)
    mallory.start(BOB)
    assert bob.refusal(mallory.say(b"it is me, alice")) is Reason.SENDER_MISMATCH


def test_a_session_is_renewed_with_the_same_device_only() -> None:
    alice, _ = acquainted()
    with pytest.raises(EscrowError) as caught:
        alice.start(MALLORY)
    assert caught.value.reason is Reason.SENDER_MISMATCH


def test_other_associated_data_are_refused() -> None:
    alice, bob = acquainted()
    envelope = alice.say(b"text")
    with pytest.raises(EscrowError) as caught:
        open_(bob.session, envelope, b"other", bob.respond, NOW)
    assert caught.value.reason is Reason.ENVELOPE_INVALID


def test_every_flipped_byte_of_an_envelope_is_refused() -> None:
    alice, bob = acquainted()
    envelope = alice.say(b"text")
    for place in range(len(envelope)):
        mutated = envelope[:place] + bytes([envelope[place] ^ 1 << place % 8]) + envelope[place + 1 :]
        assert bob.refusal(mutated) in {Reason.ENVELOPE_INVALID, Reason.SKIP_LIMIT, Reason.MALFORMED}
    assert bob.hear(envelope) == b"text"


def test_every_flipped_byte_of_a_first_envelope_is_refused_by_a_stranger() -> None:
    alice, bob = pair(one_time=True)
    envelope = alice.say(b"text")
    for place in range(0, len(envelope), 7):
        mutated = envelope[:place] + bytes([envelope[place] ^ 1 << place % 8]) + envelope[place + 1 :]
        bob.refusal(mutated)
    assert bob.hear(envelope) == b"text"


def test_skipped_keys_expire_when_the_session_is_used() -> None:
    alice, bob = acquainted()
    late, early = alice.say(b"late"), alice.say(b"early")
    bob.hear(early)
    with pytest.raises(EscrowError) as caught:
        bob.hear(late, NOW + SKIPPED_LIFETIME)
    assert caught.value.reason is Reason.ENVELOPE_INVALID
    assert bob.hear(late, NOW + SKIPPED_LIFETIME - 1) == b"late"


def test_skipped_keys_expire_in_links_that_are_idle_too() -> None:
    alice, bob = acquainted()
    late, early = alice.say(b"late"), alice.say(b"early")
    bob.hear(early)
    alice.start(BOB)
    bob.hear(alice.say(b"anew"), NOW + 1)
    assert bob.session
    assert sum(len(link.ratchet.skipped) for link in bob.session.links) == 1
    aged, _ = seal(bob.session, b"text", b"", coins("later"), NOW + SKIPPED_LIFETIME)
    assert not any(link.ratchet.skipped for link in aged.links)
    assert bob.hear(late, NOW + 1) == b"late"


def test_a_session_survives_its_store() -> None:
    alice, bob = acquainted()
    for side in (alice, bob):
        assert unpack(pack(side.session), Session) == side.session


event = st.tuples(st.sampled_from(["say", "deliver", "repeat", "lose", "start"]), st.integers(0, 30))


@given(st.lists(event, max_size=40))
def test_two_devices_understand_each_other_whatever_the_network_does(events: list[tuple[str, int]]) -> None:
    sides = (Side(ALICE), Side(BOB))
    flying: list[tuple[Side, bytes, bytes]] = []
    heard: list[tuple[Side, bytes]] = []
    starts = 0
    for number, (what, which) in enumerate(events):
        side, other = sides[which % 2], sides[1 - which % 2]
        if what == "start" and starts < MAX_LINKS:
            starts += 1
            side.start(other.me)
        elif what == "say" and side.session:
            text = b"text %d" % number
            flying.append((other, text, side.say(text)))
        elif what in {"deliver", "repeat"} and flying:
            to, text, envelope = flying.pop(which % len(flying))
            assert to.hear(envelope) == text
            heard.append((to, envelope))
        elif what == "lose" and flying:
            flying.pop(which % len(flying))
        if what == "repeat" and heard:
            to, envelope = heard[which % len(heard)]
            assert to.refusal(envelope) is Reason.ENVELOPE_INVALID
