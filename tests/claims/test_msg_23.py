"""MSG-23: a session is PQXDH and the Double Ratchet as published, and not something that only our two ends agree on."""

from itertools import count

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from escrow.e2ee.pqxdh import initiate, respond
from tests.claims.measures import Census
from tests.core.e2ee.people import ESCROWED, KEM, NOW, PLAIN, coins, person
from tests.oracles import agreement
from tests.oracles.ends import Choice, End, Ours, Theirs
from tests.oracles.layout import NONCE, TAG, nonce, pinned
from tests.oracles.ratchet import RefusalError

pytestmark = pytest.mark.claim("MSG-23")

ALICE, BOB = person("alice"), person("bob")
AD = b"what an envelope is bound to"

choices = st.sampled_from((PLAIN, ESCROWED))
events = ("say", "say", "deliver", "deliver", "repeat", "lose", "alter", "misplace")
# Hypothesis draws hardly more steps than it has to.
scripts = st.lists(st.tuples(st.sampled_from(events), st.integers(0, 2_000)), min_size=15, max_size=60)


@given(choices, st.booleans(), st.booleans(), st.integers(0))
def test_a_key_agreement_ends_as_that_of_another_implementation(
    census: Census, choice: Choice, ec: bool, kem: bool, seed: int
) -> None:
    initial, mine = initiate(ALICE.keys, BOB.verified(ec=ec, kem=kem), *choice, KEM, coins("initiate", seed), NOW)
    theirs = agreement.respond(BOB, initial)
    assert (mine.root.expose(), mine.ad, mine.remote) == (theirs.root, theirs.ad, theirs.signed)
    census("ours began")

    initial, theirs = agreement.initiate(ALICE, BOB, choice, ec=ec, kem=kem)
    mine, used = respond(BOB.keys, BOB.secrets.find, initial)
    assert (mine.root.expose(), mine.ad) == (theirs.root, theirs.ad)
    assert (mine.peer, mine.mode, mine.lineage, len(used)) == (ALICE.identity, *choice, ec + kem)
    census("theirs began")


# Both take turns before anything is lost; then a late one of a chain that is long over.
@example(PLAIN, True, True, True, [("say", 0), ("deliver", 0), ("say", 1), ("deliver", 0)] * 3)
@example(
    ESCROWED,
    False,
    False,
    False,
    [("say", 0), ("say", 0), ("deliver", 1), ("say", 1), ("deliver", 1), ("say", 0), ("deliver", 1), ("deliver", 0)],
)
@given(choices, st.booleans(), st.booleans(), st.booleans(), scripts)
def test_a_conversation_goes_on_with_another_implementation(
    census: Census, choice: Choice, ec: bool, kem: bool, ours_begins: bool, script: list[tuple[str, int]]
) -> None:
    ends: list[End]
    if ours_begins:
        ends = [Ours.begin(ALICE, BOB, choice, ec=ec, kem=kem), Theirs(BOB, choice)]
    else:
        ends = [Theirs.begin(ALICE, BOB, choice, ec=ec, kem=kem), Ours(BOB)]
    talk = Talk(ends, choice, census)
    for what, which in script:
        talk.step(what, which)
    for _ in range(len(talk.flying)):
        talk.deliver(0)
    for speaker in (0, 1, 0, 1):
        talk.say(speaker)
        talk.deliver(0)
    for to, _, _, envelope in talk.opened:
        talk.refused(to, envelope, AD)


class Talk:
    """Two ends and the network between them: number, receiver, words and envelope of each message."""

    def __init__(self, ends: list[End], choice: Choice, census: Census) -> None:
        self.ends = ends
        self.flying: list[tuple[int, bytes, bytes, bytes]] = []
        self.opened: list[tuple[int, bytes, bytes, bytes]] = []
        self._choice = choice
        self._census = census
        self._numbers = count()

    def step(self, what: str, which: int) -> None:
        """One line of a script; nothing where it makes no sense."""
        if what == "say":
            if which % 2 == 0 or self.opened:
                self.say(which % 2)
        elif what == "repeat":
            if self.opened:
                to, _, _, envelope = self.opened[which % len(self.opened)]
                self.refused(to, envelope, AD)
        elif self.flying:
            place = which % len(self.flying)
            if what == "deliver":
                self.deliver(place)
            elif what == "lose":
                self.flying.pop(place)
            else:
                self._disturb(what, which, *self.flying[place])

    def say(self, speaker: int) -> None:
        fresh = coins("say", next(self._numbers))
        text = b"text " + fresh.hex().encode()[: fresh[0]]
        self.flying.append((1 - speaker, fresh, text, self.ends[speaker].say(text, AD, fresh)))

    def deliver(self, place: int) -> None:
        to, fresh, text, envelope = self.flying.pop(place)
        end = self.ends[to]
        assert end.hear(envelope, AD) == text
        self.opened.append((to, fresh, text, envelope))
        if isinstance(end, Theirs) and end.peer:
            number = envelope[-NONCE - len(text) - TAG : -len(text) - TAG]
            assert number == nonce(end.peer.chain, fresh, pinned(*self._choice, AD), text)
        self._census("opened by theirs" if isinstance(end, Theirs) else "opened by ours")

    def refused(self, to: int, envelope: bytes, ad: bytes) -> None:
        with pytest.raises(RefusalError):
            self.ends[to].hear(envelope, ad)
        self._census("refused by theirs" if isinstance(self.ends[to], Theirs) else "refused by ours")

    def _disturb(self, what: str, which: int, to: int, fresh: bytes, text: bytes, envelope: bytes) -> None:
        if what == "misplace":
            self.refused(to, envelope, AD + b" elsewhere")
        else:
            # In front of the ratchet's message stands the first one, of which MSG-09 speaks.
            place = len(envelope) - 1 - which % (52 + len(text) + TAG)
            altered = envelope[:place] + bytes([envelope[place] ^ 1 << which % 8]) + envelope[place + 1 :]
            self.refused(to, altered, AD)
