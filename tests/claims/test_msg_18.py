"""MSG-18: what belongs to one session (two devices, a mode, a policy lineage) opens in no other."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from escrow.e2ee.pqxdh import SessionSecret, Used, respond
from escrow.e2ee.session import Session, open_, open_session, seal
from escrow.errors import EscrowError, Reason
from escrow.roles.state import pack
from tests.claims.measures import Census, effort
from tests.core.e2ee.people import ESCROWED, KEM, NOW, PLAIN, Person, coins, person

pytestmark = pytest.mark.claim("MSG-18")

ALICE, CAROL, BOB = person("alice"), person("carol"), person("bob")
NAMES = tuple(itertools.product((ALICE, CAROL), (PLAIN, ESCROWED)))
"""Bob's sessions: with whom, and the choice of mode and lineage."""


def answer(initial: bytes) -> tuple[SessionSecret, Used]:
    return respond(BOB.keys, BOB.secrets.find, initial)


def begin(who: Person, choice: tuple[int, bytes], seed: object) -> Session:
    bundle = BOB.verified(ec=False, kem=False)
    return open_session(who.keys, bundle, *choice, KEM, coins(who.account, choice, seed), NOW)


class Ends:
    """Both ends of every session of bob, acquainted: each side has heard the other."""

    def __init__(self) -> None:
        self.theirs, self.bobs = list[Session](), list[Session]()
        for who, choice in NAMES:
            theirs, envelope = seal(begin(who, choice, 0), b"hello", b"", coins("hello"), NOW)
            bobs, _, _ = open_(None, envelope, b"", answer, NOW)
            bobs, envelope = seal(bobs, b"answer", b"", coins("answer", choice, who.account), NOW)
            theirs, _, _ = open_(theirs, envelope, b"", answer, NOW)
            self.theirs.append(theirs)
            self.bobs.append(bobs)

    def say(self, place: int, number: int) -> bytes:
        self.theirs[place], envelope = seal(self.theirs[place], b"%d" % number, b"", coins("say", number), NOW)
        return envelope


ENDS = Ends()


def refusal(session: Session, envelope: bytes) -> Reason:
    """Why it does not open; the state is as it was."""
    before = pack(session)
    with pytest.raises(EscrowError) as caught:
        open_(session, envelope, b"", answer, NOW)
    assert pack(session) == before
    return caught.value.reason


places = st.integers(0, len(NAMES) - 1)


@effort(0.6)
@given(st.lists(places, min_size=1, max_size=6))
def test_an_envelope_opens_in_its_session_and_in_no_other(census: Census, script: list[int]) -> None:
    for number, place in enumerate(script):
        envelope = ENDS.say(place, number)
        for other, session in enumerate(ENDS.bobs):
            if other != place:
                assert refusal(session, envelope) is Reason.ENVELOPE_INVALID
                census("refused")
        ENDS.bobs[place], text, _ = open_(ENDS.bobs[place], envelope, b"", answer, NOW)
        assert text == b"%d" % number
        census("opened")


@effort(0.6)
@given(places, st.sampled_from((PLAIN, ESCROWED, (1, bytes(32)), (0, ESCROWED[1]))), st.integers(0))
def test_the_same_keys_under_another_mode_or_lineage_open_nothing(
    census: Census, place: int, choice: tuple[int, bytes], number: int
) -> None:
    """A thief, or a bug, that carries the state of one session over into another gains nothing."""
    _, own = NAMES[place]
    if choice == own:
        return
    session, (mode, lineage) = ENDS.bobs[place], choice
    _, envelope = seal(ENDS.theirs[place], b"text", b"", coins("moved", number), NOW)
    assert refusal(replace(session, mode=mode, lineage=lineage), envelope) is Reason.ENVELOPE_INVALID
    census("carried over")


@effort(0.6)
@given(places, places, st.integers(0, 3))
def test_a_first_message_enters_no_session_but_its_own(census: Census, place: int, other: int, seed: int) -> None:
    (who, choice), (peer, own) = NAMES[place], NAMES[other]
    _, envelope = seal(begin(who, choice, seed + 1), b"anew", b"", coins("anew", seed), NOW)
    if place == other:
        assert open_(ENDS.bobs[other], envelope, b"", answer, NOW)[1] == b"anew"
        census("opened")
    else:
        expected = Reason.SENDER_MISMATCH if who != peer else Reason.MODE_MISMATCH
        assert own != choice or who != peer
        assert refusal(ENDS.bobs[other], envelope) is expected
        census("refused")
