"""Groups of both modes as people live in them, on a bad network: MSG-01, 02, 03, 07, 10, 11, 15, 17 and EPO-02."""

import pytest
from hypothesis import Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.world.grouplife import EVERYBODY, GROUPS, Life

# A crash leaves the lanes beside it undelivered; in the World they are coroutines that were never begun.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")

PERSON, OTHERS = st.sampled_from(EVERYBODY), st.sampled_from(EVERYBODY[1:])
MODE = st.sampled_from(GROUPS)
Words = list[tuple[str, int, int]]
WORDS = st.lists(st.tuples(PERSON, MODE, st.integers(1, 3)), max_size=3)
"""What is said first, whatever happens then: Hypothesis leaves out rules, and people do not stop talking."""


class Groups(RuleBasedStateMachine):
    """Every rule is something that a person, the network or a battery does."""

    def __init__(self) -> None:
        super().__init__()
        self.life = Life()

    def _say(self, words: Words) -> None:
        for who, mode, times in words:
            for _ in range(times):
                self.life.say(who, mode)

    @rule(words=WORDS, who=OTHERS, mode=MODE)
    def change(self, words: Words, who: str, mode: int) -> None:
        self._say(words)
        self.life.change(who, mode)

    @rule(words=WORDS, who=OTHERS, mode=MODE)
    def usurp(self, words: Words, who: str, mode: int) -> None:
        self._say(words)
        self.life.usurp(who, mode)

    @rule(
        words=WORDS, who=PERSON, seed=st.integers(0, 999), delay=st.sampled_from((0.0, 0.3, 0.7)), repeat=st.booleans()
    )
    def listen(self, words: Words, who: str, seed: int, delay: float, repeat: bool) -> None:
        self._say(words)
        self.life.listen(who, seed, delay, repeat=repeat)

    @rule(words=WORDS, who=PERSON, what=st.sampled_from(("question", "answer")))
    def lose(self, words: Words, who: str, what: str) -> None:
        self._say(words)
        self.life.lose(who, what)

    @rule(words=WORDS, who=PERSON, when=st.integers(1, 4), after=st.booleans())
    def crash(self, words: Words, who: str, when: int, after: bool) -> None:
        self._say(words)
        self.life.crash(who, when, after=after)

    @rule(words=WORDS, who=PERSON, place=st.integers(0, 9))
    def tamper(self, words: Words, who: str, place: int) -> None:
        self._say(words)
        self.life.tamper(who, place)

    @rule(words=WORDS)
    def night(self, words: Words) -> None:
        self._say(words)
        self.life.night()

    @invariant()
    def all_is_well(self) -> None:
        self.life.check()

    def teardown(self) -> None:
        self.life.calm()
        self.life.check()
        for name, count in self.life.counts.items():
            event(f"{name}: {'many' if count > 9 else bool(count)}")
        self.life.at.reset()


TestGroups = Groups.TestCase
# A life is long, and a shorter one that goes wrong takes minutes to find.
TestGroups.settings = settings(
    max_examples=20, stateful_step_count=20, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
