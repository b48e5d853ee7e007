"""The table of docs/exposure.md, counted anew: one story, a theft in it, and what is opened of each of its parts."""

from collections.abc import Iterator

from escrow.roles.device.state import ESCROW, PLAIN
from escrow.world.founding import DAY
from escrow_lab.reseed import Hear, Rule, Say, Schedule, every, exposed, with_the_ratchet
from tests.claims.thieves import MOST, Talk, street
from tests.conftest import ROOT

DOCUMENT = ROOT / "docs" / "exposure.md"
MARK = "<!-- computed: tests/docs/test_exposure.py -->\n"
HEAD = "| chains | read or sent | lost on the way | soon after | later that day | next day | the day after |\n"
MODELS: dict[str, Rule] = {"`n(2)`": every(2), "`dh_turn`": with_the_ratchet}


def story(talk: Talk) -> list[int]:
    """Tell it; return where its parts end. Part 1 ends with the theft of the first one's device."""
    round_ = (*range(1, len(talk.people)), 0)
    talk.exchange(0, 1, 0, 1)
    talk.say(1, arrives=False)
    talk.exchange(1)
    ends = [len(talk.posted)]
    talk.stolen = talk.theft(0)
    talk.theft_at = len(talk.schedule)
    talk.exchange(*round_, *round_)
    ends.append(len(talk.posted))
    talk.exchange(*round_, *round_)
    ends.append(len(talk.posted))
    for _ in range(2):
        talk.at.world.advance(DAY)
        talk.exchange(*round_, *round_)
        ends.append(len(talk.posted))
    return ends


def parts(ends: list[int]) -> list[set[int]]:
    """The numbers of the messages in each column; the lost one has a column of its own."""
    lost = 4
    starts = [0, *ends]
    before, *after = (set(range(start, end)) for start, end in zip(starts, ends, strict=False))
    return [before - {lost}, {lost}, *after]


def row(name: str, found: frozenset[int], columns: list[set[int]]) -> str:
    cells = [f"{len(found & column)} of {len(column)}" if column else "-" for column in columns]
    return f"| {name} | {' | '.join(cells)} |\n"


def modelled(talk: Talk, ends: list[int]) -> Iterator[str]:
    """What the rules that only the lab has would give in the first epoch, after a greeting."""
    told = [Say(one.who) if isinstance(one, Say) else Hear(one.number + 2) for one in talk.schedule]
    schedule: Schedule = (Say(0), Hear(0), Say(1), Hear(1), *told)
    columns = [*parts(ends)[:4], set[int](), set[int]()]
    for name, rule in MODELS.items():
        found = exposed(schedule, 0, talk.theft_at + 4, rule)
        yield row(f"pair, {name}: a model", frozenset(number - 2 for number in found), columns)


def table() -> Iterator[str]:
    kinds = {
        "pair, no escrow: the Double Ratchet": (1, PLAIN, False),
        "pair, `message`": (1, ESCROW, False),
        "pair, `epoch`": (MOST, ESCROW, False),
        "group, no escrow": (1, PLAIN, True),
        "group, `epoch`": (1, ESCROW, True),
    }
    models: list[str] = []
    yield HEAD
    yield "|---" * 7 + "|\n"
    for name, (chain, mode, group) in kinds.items():
        talk = Talk(street(chain), mode, group)
        ends = story(talk)
        yield row(name, talk.exposed(talk.stolen), parts(ends))
        models = models or list(modelled(talk, ends))
    yield from models


def test_the_table_says_what_is_exposed() -> None:
    computed = "".join(table())
    assert f"{MARK}{computed}\n" in DOCUMENT.read_text(encoding="utf-8"), computed
